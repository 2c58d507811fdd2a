"""HTTP as the tap uses it: one URL parser, bounded responses, no redirects, causes by name."""

from __future__ import annotations

import logging
import os
import re
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple

import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies, select_proxy
from singer_sdk.exceptions import FatalAPIError
from typing_extensions import override
from urllib3 import exceptions, util

from tap_amazon_appstore.connection_errors import diagnose
from tap_amazon_appstore.patience import RESUME, Patience, TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_ANSWER = 64 * 1024
"""Bytes that are read of a response of the API or of Login with Amazon, decompressed."""

_CHUNK = 64 * 1024

# What may be reached without TLS: this machine, for a local fake of Amazon's API.
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})

_URL = re.compile(
    r"(?P<scheme>https?)://(?P<authority>[^/?#@]+)(?P<target>(?:[/?][^#]*)?)(?:#.*)?", re.IGNORECASE
)

# Parts of a text that may be secret: URLs, tokens, ids.
_SECRETS = re.compile(
    r"\S*(?:://|x-amz-|at[cz]a?\||amzn1\.)\S*|bearer\s+\S+|[\w+=|%~-]{32,}", re.IGNORECASE
)

_MAX_QUOTED = 200

# They log requests at level DEBUG: presigned URLs, AWS session tokens.
_LOGGERS = ("urllib3", "boto3", "botocore", "aiobotocore", "aiohttp", "fsspec", "s3fs")

_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


class Url(NamedTuple):
    """An absolute HTTP URL, taken apart by the parser that connects."""

    scheme: str
    host: str
    origin: str
    target: str
    """Path and query, as they are written."""

    @property
    def is_loopback(self) -> bool:
        """Whether the host is this machine."""
        return self.host in _LOOPBACK


def parse_url(text: str) -> Url:
    """Take a URL apart: `https`, or `http` on this machine, without user and password.

    Raises:
        ValueError: it is no such URL; the message does not quote it.
    """
    if not re.fullmatch(r"[!-\[\]-~]+", text):
        message = "it has blanks, control characters, backslashes or non-ASCII characters"
        raise ValueError(message)
    if not (match := _URL.fullmatch(text)):
        message = "it is not an http(s) URL, or has a user name"
        raise ValueError(message)
    scheme, target = match["scheme"].lower(), match["target"]
    origin = f"{scheme}://{match['authority']}"
    try:
        host, port = (parsed := util.parse_url(origin)).host, parsed.port
    except exceptions.LocationParseError:
        host, port = None, None
    if not host or port == 0:
        message = "its host or port is invalid"
        raise ValueError(message)
    url = Url(scheme, host, origin, target if target.startswith("/") else f"/{target}")
    if scheme == "http" and not url.is_loopback:
        message = "http:// is allowed only for localhost"
        raise ValueError(message)
    return url


def is_secure(text: str) -> bool:
    """Tell whether a URL may be given secrets: it uses TLS, or stays on this machine."""
    try:
        return bool(parse_url(text))
    except ValueError:
        return False


class Session:
    """Sends requests; nothing that it raises or logs contains more of a URL than its host.

    `requests` gets the origin of a URL only. The request target goes onto the wire exactly as it is
    written (`//`, `%2f`, `|`): a presigned URL is signed byte for byte. Environment variables
    choose proxy and CA bundle, but no proxy is used for this machine. What a `.netrc` contains is
    not used.
    """

    def __init__(self, user_agent: str, patience: Patience) -> None:
        """Prepare to send; nothing is sent yet."""
        self.patience = patience
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["User-Agent"] = user_agent
        # Answers are short, and reports are compressed already.
        self._session.headers["Accept-Encoding"] = "identity"
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, _VerbatimAdapter())

    def send(self, method: str, url: str, **options: Any) -> requests.Response:  # noqa: ANN401
        """Send a request and return the response with its body unread; redirects are not followed.

        Raises:
            TransientError: there was no response.
            FatalAPIError: there cannot be one, with the cause.
        """
        parsed = parse_url(url)
        proxies = {} if parsed.is_loopback else get_environ_proxies(parsed.origin)
        ca_bundle = next(filter(None, map(os.environ.get, _CA_VARIABLES)), None)
        token = _target.set(parsed.target)
        try:
            return self._session.request(
                method,
                parsed.origin,
                allow_redirects=False,
                stream=True,
                timeout=(self.patience.connect_timeout, self.patience.read_timeout),
                proxies=proxies,
                verify=ca_bundle or True,
                **options,
            )
        except (OSError, ValueError, exceptions.HTTPError) as error:
            proxy = select_proxy(parsed.origin, proxies)
            raise diagnose(error, parsed.host, proxy, ca_bundle) from None
        finally:
            _target.reset(token)

    def ask(self, method: str, url: str, **options: Any) -> tuple[requests.Response, bytes]:  # noqa: ANN401
        """Send a request and return the response with its body, read as far as `MAX_ANSWER`.

        Raises:
            TransientError: there was no response, or half of one.
            FatalAPIError: there cannot be one, with the cause.
        """
        body = bytearray()
        with self.send(method, url, **options) as response:
            for chunk in self.read(response):
                body += chunk
                if len(body) > MAX_ANSWER:
                    break
        if response.ok and len(body) > MAX_ANSWER:
            message = (
                f"the response of {parse_url(url).host} is longer than {MAX_ANSWER // 1024} KB. "
                "Check api_url and auth_url."
            )
            raise FatalAPIError(message)
        return response, bytes(body[:MAX_ANSWER])

    def read(self, response: requests.Response) -> Iterator[bytes]:
        """Yield a response's body as it arrives.

        Raises:
            TransientError: it broke off, or stayed below `slowest_rate` for `slow_period`.
        """
        clock, slowest_rate = self.patience.clock, self.patience.slowest_rate
        started, before, received = clock(), 0, 0
        try:
            # Unlike `iter_content`, which waits until a chunk is full, however slowly bytes arrive.
            while chunk := response.raw.read1(_CHUNK, decode_content=True):
                received += len(chunk)
                yield chunk
                if (elapsed := clock() - started) >= self.patience.slow_period:
                    if received - before < slowest_rate * elapsed:
                        message = (
                            f"the transfer is too slow: {received - before:,} bytes in "
                            f"{elapsed:.0f} s, less than {slowest_rate / 1024:.0f} KB/s"
                        )
                        raise TransientError(message)
                    started, before = clock(), received
        except exceptions.HTTPError as error:
            message = f"response cut off after {received:,} bytes ({type(error).__name__})"
            raise TransientError(message) from None


def is_complete(response: requests.Response) -> bool:
    """Tell whether a body that was read to its end is whole by its length or chunked encoding.

    Without either, the end of the connection ends the body, wherever that happens.
    """
    return bool(response.raw.chunked) or response.raw.length_remaining == 0


def redact(text: str) -> str:
    """Return the beginning of a text on one line, without markup and what may be secret."""
    words = _SECRETS.sub("…", re.sub("<[^>]*>", " ", text)).split()
    return "".join(filter(str.isprintable, " ".join(words)))[:_MAX_QUOTED]


def hide_library_logs() -> None:
    """Hide the logs of libraries that send requests, whatever levels and handlers are set.

    This includes loggers below theirs that are created later. To be called when logging has been
    configured, which would undo it.
    """
    configured = [n for n in logging.root.manager.loggerDict if n.partition(".")[0] in _LOGGERS]
    for name in {*_LOGGERS, *configured}:
        logger = logging.getLogger(name)
        logger.propagate = False
        logger.handlers = [logging.NullHandler()]


def check_status(response: requests.Response, sender: str) -> None:
    """Raise a `TransientError` for a status code that may heal: 404, 408, 429 and 5xx.

    Amazon documents 404 as "server unavailable", for the API and for the bucket.
    """
    status, retry_after = response.status_code, response.headers.get("Retry-After")
    if status in {404, 408, 429} or status >= 500:  # noqa: PLR2004
        message = f"HTTP {status} from {sender}"
        advice = RESUME
        if status == requests.codes.not_found:
            advice = (
                "If every report fails like this, check api_url; otherwise run again to resume."
            )
        raise TransientError(message, status=status, retry_after=retry_after, advice=advice)


_target: ContextVar[str] = ContextVar("target")


class _VerbatimAdapter(HTTPAdapter):
    """Writes the request target as it is: `requests` and urllib3 would both normalise it."""

    @override
    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **options)
        base = pool.ConnectionCls
        if not issubclass(base, _Verbatim):
            pool.ConnectionCls = type("Connection", (_Verbatim, base), {})
        return pool


class _Verbatim:
    def putrequest(self, method: str, _: str, *args: Any, **options: Any) -> None:  # noqa: ANN401
        super().putrequest(method, _target.get(), *args, **options)  # type: ignore[misc]
