"""How the tap talks HTTP: TLS, time limits, no redirects, and tries again where waiting can help."""

from __future__ import annotations

import functools
import itertools
import logging
import random
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from urllib.parse import urlsplit

import backoff
import requests
from singer_sdk.exceptions import (
    FatalAPIError,
    FatalSyncError,
    RetriableAPIError,
    RetriableSyncError,
)
from urllib3.util import Retry

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from backoff.types import Details

    Auth = Callable[[requests.PreparedRequest], requests.PreparedRequest]

_P = ParamSpec("_P")
_T = TypeVar("_T")

MAX_TRIES = 5

# Hosts that may be reached without TLS: the sandbox, never the network.
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

# Seconds to connect, and seconds without a byte.
_TIMEOUT = (10, 60)

# Seconds that a server may ask for before asking for them counts as a refusal.
_MAX_WAIT = 300

# No answer, or half of one.
_NO_ANSWER = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)

_log = logging.getLogger(__name__)

subject = ContextVar("subject", default="Login with Amazon")
"""What a thread reads at the time, for its warnings."""


def is_secure(url: str) -> bool:
    """Tell whether a URL can be given secrets: it is `https`, or stays on this machine."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    )


def send(
    session: requests.Session,
    method: str,
    url: str,
    *,
    auth: Auth | None = None,
    **options: Any,  # noqa: ANN401
) -> requests.Response:
    """Send a request as `requests` does, but follow no redirect and give nothing away.

    What `requests` raises holds the URL, and with it the signature of a presigned one, or the
    token; what this raises names the host alone and has no such exception behind it. Only `auth`
    adds an `Authorization` header: what a `.netrc` holds for the host stays there.

    Raises:
        RetriableAPIError: there was no answer.
        FatalAPIError: the request cannot be sent.
    """
    host = urlsplit(url).hostname
    try:
        return session.request(
            method,
            url,
            auth=auth or _no_auth,
            allow_redirects=False,
            timeout=_TIMEOUT,
            **options,
        )
    except _NO_ANSWER as error:
        problem: Exception = RetriableAPIError(f"{host} did not answer ({type(error).__name__})")
    except (OSError, ValueError) as error:  # what `requests` raises itself is an `OSError`
        problem = FatalAPIError(
            f"{host} could not be asked ({type(error).__name__}); "
            "check api_url, auth_url and user_agent"
        )
    raise problem


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def is_transient(response: requests.Response) -> bool:
    """Tell whether an answer may be another one after a while: 404, 408, 429 and 5xx.

    Amazon documents 404 as "server unavailable", for the API and for the bucket.
    """
    return response.status_code in {404, 408, 429} or response.status_code >= 500  # noqa: PLR2004


def retry(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """Make a function try again when it raises `RetriableSyncError`, a handful of times.

    It waits with exponential backoff and full jitter, or as long as `Retry-After` asks. When
    nothing helps it raises `FatalSyncError`.
    """
    retrying = backoff.on_exception(
        _waits,
        RetriableSyncError,
        max_tries=MAX_TRIES,
        jitter=None,
        on_backoff=_log_wait,
        logger=None,
    )(function)

    @functools.wraps(function)
    def wrapper(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return retrying(*args, **kwargs)
        except RetriableSyncError as error:
            message = (
                f"{error}, the last of {MAX_TRIES} tries; "
                "run the tap again later, it goes on where it stopped"
            )
        raise FatalSyncError(message)

    return wrapper


def _waits() -> Generator[float, RetriableSyncError, None]:
    error = yield 0
    for tries in itertools.count():
        error = yield max(random.uniform(0, 2**tries), _retry_after(error))  # noqa: S311


def _retry_after(error: RetriableSyncError) -> float:
    """Return the seconds that the answer behind an error asks to wait."""
    response = getattr(error, "response", None)
    header = response.headers.get("Retry-After") if response is not None else None
    if not header:
        return 0
    try:
        seconds = Retry().parse_retry_after(header)
    except Exception:  # noqa: BLE001 - urllib3 has one of its own for a header that says nothing
        return 0
    if seconds > _MAX_WAIT:
        message = f"{error} and asks to wait {seconds:.0f} seconds; run the tap again after that"
        raise FatalSyncError(message)
    return seconds


def _log_wait(details: Details) -> None:
    _log.warning(
        "%s: try %d of %d: %s; trying again in %.1f s",
        subject.get(),
        details["tries"],
        MAX_TRIES,
        details["exception"],
        details["wait"],
    )
