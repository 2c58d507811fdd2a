"""The Reporting API: one period of one report becomes a file, "no report" or "unchanged"."""

from __future__ import annotations

import enum
import itertools
import json
import logging
import math
import re
import tempfile
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from functools import partial
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from pyrate_limiter import Duration, InMemoryBucket, Limiter, Rate
from requests import codes
from singer_sdk.exceptions import FatalAPIError, FatalSyncError

from tap_amazon_appstore.errors import RAISE_LIMITS, is_out_of_resources
from tap_amazon_appstore.http import Session, check_status, is_complete, is_secure, redact
from tap_amazon_appstore.patience import TransientError, subject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from concurrent.futures import Future

    import requests

    from tap_amazon_appstore.auth import LoginWithAmazon
    from tap_amazon_appstore.patience import Patience

# Keeps requests apart that the network or a busy machine brings closer together than they were sent.
_RATE_BUFFER_MS = 50

# Reports that are downloaded, or wait on disk to be read, at a time.
_AHEAD = 5

# No report is older than the API; a version from the future would outdate every later one.
_EARLIEST = datetime(2015, 1, 1, tzinfo=timezone.utc)

# The bodies of "no report", text or JSON, in any case and with more words around them. Three
# independent clients saw "Report not found"; the others are documented.
_NOT_FOUND = re.compile(r"report[\s_-]*not[\s_-]*found", re.IGNORECASE)
_NOT_AVAILABLE = re.compile(r"report[\s_-]*not[\s_-]*available", re.IGNORECASE)
_HEAD_OBJECT = re.compile(r"(?=.*headobject)(?=.*forbidden)", re.IGNORECASE | re.DOTALL)
_NO_REPORT = {
    codes.bad_request: (_NOT_FOUND, _NOT_AVAILABLE),
    codes.forbidden: (_NOT_AVAILABLE, _HEAD_OBJECT),
}

_log = logging.getLogger(__name__)


class Outcome(enum.Enum):
    """What a period yields instead of a file."""

    NO_REPORT = "no report"
    EMPTY = "empty response"
    """A response without a body, and no file is known: the report does not exist yet."""

    UNCHANGED = "unchanged"


class FileVersion(NamedTuple):
    """Headers that tell one version of a report file from the next."""

    etag: str | None
    last_modified: str | None


class Download(NamedTuple):
    """A report file on disk; closing `file` removes it."""

    file: IO[bytes]
    version: FileVersion
    last_modified: datetime
    """In UTC."""

    size: int
    """Bytes."""

    checked: Any
    """What `check` returned for the file."""


class AccessDeniedError(FatalAPIError):
    """The account may not read a report."""


class ReportingClient:
    """Reads reports of one account.

    At most `requests_per_second` API requests, rounded up, start in any second, whichever threads
    send them. The bearer token is sent to the API only, never to the bucket, whose presigned URLs
    carry their own authorisation.
    """

    def __init__(
        self,
        *,
        api_url: str,
        authenticator: LoginWithAmazon,
        user_agent: str,
        requests_per_second: float,
        patience: Patience,
    ) -> None:
        """Prepare to read; nothing is sent yet.

        Args:
            api_url: base URL of the API, such as `https://developer.amazon.com`.
            authenticator: adds the token.
            user_agent: the User-Agent header.
            requests_per_second: more than 0; below 1, a request every `1 / requests_per_second`
                seconds; 2.5 means at most 3 requests in any 1.2 seconds.
            patience: how long transient failures are waited for.
        """
        self._api_url = api_url.rstrip("/")
        self._authenticator = authenticator
        self._patience = patience
        self._session = Session(user_agent, patience)
        # Whole requests: 2.5 a second are 3 in 1.2 s.
        count = math.ceil(requests_per_second)
        rate = Rate(count, round(Duration.SECOND.value * count / requests_per_second))
        self._limiter = Limiter(InMemoryBucket([rate]), buffer_ms=_RATE_BUFFER_MS)
        self._queue = threading.Lock()

    def sign_in(self) -> None:
        """Fetch a token, which all reports share.

        Raises:
            FatalSyncError: Login with Amazon refused, with what to check.
        """
        self._authenticator.update_access_token()

    def find_report(self, report: str, period: str) -> bool:
        """Ask for a report without downloading it, and return whether there is one.

        Raises:
            AccessDeniedError: the account may not read it.
            RateLimitError: the account is rate-limited.
            FatalSyncError: the API did not answer the question.
        """
        return isinstance(self._ask(report, period), str)

    def fetch(
        self,
        report: str,
        period: str,
        known: FileVersion | None,
        check: Callable[..., Any],
    ) -> Download | Outcome:
        """Download a report to disk.

        Args:
            report: the API's name of it, such as `sales`.
            period: a month such as `2024-03`, or a year.
            known: the version that need not be downloaded again.
            check: called as `check(file, is_complete=...)` with a download; it raises what is
                wrong with it, a `RetriableSyncError` if a fresh download can help.

        Raises:
            FatalSyncError: no outcome, in one sentence that names report and period, after retries
                where waiting can help.
        """
        with error_context(report, period):
            return self._patience.retry(lambda: self._download(report, period, known, check))

    def fetch_all(
        self,
        report: str,
        periods: Iterable[str],
        known: Mapping[str, FileVersion],
        check: Callable[..., Any],
    ) -> Iterator[tuple[str, Download | Outcome]]:
        """Download periods of a report in their order, a few of them ahead of the one yielded.

        Arguments are those of `fetch`.

        Raises:
            FatalSyncError: as `fetch`, at the period that fails.
        """
        pool = ThreadPoolExecutor(_AHEAD, thread_name_prefix=f"fetch-{report}")
        waiting = iter(periods)
        fetches: deque[tuple[str, Future[Download | Outcome]]] = deque()

        def fetch_ahead(count: int) -> None:
            for period in itertools.islice(waiting, count):
                fetch = pool.submit(self.fetch, report, period, known.get(period), check)
                fetches.append((period, fetch))

        try:
            fetch_ahead(_AHEAD)
            while fetches:
                period, fetch = fetches.popleft()
                result = fetch.result()
                fetch_ahead(1)
                yield period, result
        finally:
            # Do not wait for downloads that nobody reads.
            pool.shutdown(wait=False)
            for _, fetch in fetches:
                fetch.add_done_callback(_close)

    def _ask(self, report: str, period: str) -> str | Outcome:
        """Ask the API for a report, and return the URL of its file, or that there is none."""
        return self._patience.retry(lambda: self._ask_once(report, period))

    def _ask_once(self, report: str, period: str) -> str | Outcome:
        path = f"/api/appstore/download/report/{report}/{period.replace('-', '/')}"
        ask = partial(self._session.ask, "GET", self._api_url + path, auth=self._admit)
        response, body = ask()
        try:
            return _read_answer(report, response, body)
        except AccessDeniedError:
            # It may be the token that is refused: it gets one fresh one.
            self._authenticator.discard_token(response.request)
        return _read_answer(report, *ask())

    def _admit(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Wait for the request's turn and add the token.

        Before the turn as well, for fetching a token takes time in which turns would pile up.
        """
        self._authenticator(request)
        # In the order in which they come: the periods after one that is overtaken would wait for it.
        with self._queue:
            self._limiter.try_acquire("reporting-api")
        return self._authenticator(request)

    def _download(
        self, report: str, period: str, known: FileVersion | None, check: Callable[..., Any]
    ) -> Download | Outcome:
        result = self._download_once(report, period, known, check)
        if result is Outcome.EMPTY:
            result = self._download_once(report, period, known, check)
        if result is Outcome.EMPTY and known:
            message = "empty response, though an earlier run found a report of this period"
            raise TransientError(message)
        return result

    def _download_once(
        self, report: str, period: str, known: FileVersion | None, check: Callable[..., Any]
    ) -> Download | Outcome:
        url = self._ask(report, period)
        if isinstance(url, Outcome):
            return url
        conditions = _conditions(known)
        with self._session.send("GET", url, headers=conditions) as response:
            if response.status_code == codes.not_modified and conditions:
                return Outcome.UNCHANGED
            if response.status_code == codes.ok:
                headers = response.headers
                version = FileVersion(headers.get("ETag"), headers.get("Last-Modified"))
                # A proxy may drop the conditions, but the headers still identify the version.
                is_known = version == known and any(version)
                return Outcome.UNCHANGED if is_known else self._spool(response, version, check)
            check_status(response, "the bucket")
            message = f"HTTP {response.status_code} from the bucket for the presigned URL"
            raise TransientError(message)

    def _spool(
        self, response: requests.Response, version: FileVersion, check: Callable[..., Any]
    ) -> Download | Outcome:
        """Write a response to disk and check it.

        The file has no name: nothing of it stays behind, however the process ends.
        """
        try:
            with ExitStack() as stack:
                file = stack.enter_context(tempfile.TemporaryFile(prefix="tap-amazon-appstore-"))
                for chunk in self._session.read(response):
                    file.write(chunk)
                file.flush()
                size = file.tell()
                if not size:
                    return Outcome.EMPTY
                checked = check(file, is_complete=is_complete(response))
                stack.pop_all()
                return Download(file, version, _last_modified(version), size, checked)
        except OSError as error:
            advice = (
                RAISE_LIMITS
                if is_out_of_resources(error)
                else "Free space in the directory for temporary files, or set TMPDIR to another one."
            )
            message = f"the download could not be written to disk ({error.strerror}). {advice}"
            raise FatalSyncError(message) from None


def _read_answer(report: str, response: requests.Response, body: bytes) -> str | Outcome:
    """Return the URL of a report's file, or that there is none, from the API's response.

    Raises:
        TransientError: the response may be another one later.
        FatalAPIError: it contains neither, with what to check.
    """
    check_status(response, "the Reporting API")
    status = response.status_code
    text = body.decode("utf-8", "replace").strip().removeprefix("\ufeff").strip()
    if any(known.search(text) for known in _NO_REPORT.get(status, ())):
        return Outcome.NO_REPORT
    if status in {codes.unauthorized, codes.forbidden}:
        raise AccessDeniedError(_denial(report, status))
    if status == codes.ok:
        return _find_url(text) if text else Outcome.EMPTY
    message = f"HTTP {status} from the Reporting API"
    if 300 <= status < 400:  # noqa: PLR2004
        message += " (a redirect, which is not followed)"
    elif status == codes.bad_request and (quote := _quote(text)):
        message += f': "{quote}"'
    message += ". Check api_url."
    raise FatalAPIError(message)


def _find_url(text: str) -> str:
    """Return the URL in a body: all of it, in quotes or not, or a value of a small JSON object."""
    content = _json(text)
    for value in content.values() if isinstance(content, dict) else [content]:
        if isinstance(value, str) and is_secure(value):
            return value
    message = "the response of the Reporting API contains no https URL. Check api_url."
    raise FatalAPIError(message)


def _denial(report: str, status: int) -> str:
    where = (
        "the account's role and the profile's scope include"
        if report == "earnings"
        else "the account's role includes"
    )
    return (
        f"access denied (HTTP {status}). Check that the security profile is attached to the "
        f"Reporting API, and that {where} the {report} report; or deselect the stream (meltano "
        "select --exclude, or selected: false in the catalog)."
    )


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text.strip("\"'").strip()


def _quote(text: str) -> str:
    """Return Amazon's own message, without what may be secret."""
    content = _json(text)
    if isinstance(content, dict):
        content = {str(name).lower(): value for name, value in content.items()}.get("message")
    return redact(content) if isinstance(content, str) else ""


@contextmanager
def error_context(report: str, period: str) -> Iterator[None]:
    """Prefix errors and warnings with report and period."""
    name = f"{report} {period}"
    token = subject.set(name)
    try:
        yield
    except FatalSyncError as error:
        error.args = (f"{name}: {error}",)
        raise
    finally:
        subject.reset(token)


def _close(fetch: Future[Download | Outcome]) -> None:
    """Remove the file of a fetch that nobody reads."""
    if not fetch.exception():
        result = fetch.result()
        if isinstance(result, Download):
            result.file.close()


def _conditions(known: FileVersion | None) -> dict[str, str]:
    """Return the header that asks for a newer version only."""
    if known and known.etag:
        return {"If-None-Match": known.etag}
    if known and known.last_modified:
        return {"If-Modified-Since": known.last_modified}
    return {}


def _last_modified(version: FileVersion) -> datetime:
    """Return when the file was written, or now if the response has no credible date."""
    now = datetime.now(timezone.utc).replace(microsecond=0)
    if version.last_modified is None:
        return now
    try:
        moment = parsedate_to_datetime(version.last_modified)
        # Without an offset (asctime), and with -0000, an HTTP date is in UTC (RFC 9110, 5.6.7).
        moment = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
        moment = moment.astimezone(timezone.utc)
        if _EARLIEST <= moment <= now + timedelta(days=1):
            return moment
    except (ValueError, OverflowError):
        pass
    _log.warning(
        "%s: the Last-Modified header %.60r of the file is not a plausible date; using the current time",
        subject.get(),
        version.last_modified,
    )
    return now
