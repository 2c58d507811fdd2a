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
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from pyrate_limiter import Duration, InMemoryBucket, Limiter, Rate
from requests import codes
from singer_sdk.exceptions import FatalAPIError, FatalSyncError

from tap_amazon_appstore.errors import RAISE_LIMITS, is_out_of_resources
from tap_amazon_appstore.http import Session, check_status, is_complete, is_secure, redact
from tap_amazon_appstore.patience import Patience, TransientError, subject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from concurrent.futures import Future

    import requests

    from tap_amazon_appstore.auth import LoginWithAmazon
    from tap_amazon_appstore.http import Answer

# "The API supports up to 3 requests per second" (Amazon's Reporting API page).
_REQUESTS_PER_SECOND = 3.0

# Keeps requests apart that the network or a busy machine brings closer together than they were sent.
_RATE_BUFFER_MS = 50

# Reports that are downloaded, or wait on disk to be read, at a time.
_AHEAD = 5

# No report is older than the API; a version from the future would outdate every later one.
_EARLIEST = datetime(2015, 1, 1, tzinfo=timezone.utc)

HEADER_VALUE = re.compile("[!-~](?:[ -~]*[!-~])?")
"""What a header of a request can carry."""

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


@dataclass(frozen=True)
class Download:
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
        requests_per_second: float = _REQUESTS_PER_SECOND,
        patience: Patience | None = None,
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
        self._patience = patience or Patience()
        self._session = Session(user_agent, self._patience)
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
        answer = self._ask(report, period)
        return not (answer.is_no_report or answer.is_empty) and bool(answer.presigned_url())

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
                fetch = _submit(pool, self.fetch, report, period, known.get(period), check)
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
            pool.shutdown(wait=False, cancel_futures=True)
            for _, fetch in fetches:
                fetch.add_done_callback(_close)

    def _ask(self, report: str, period: str) -> _ReportAnswer:
        return self._patience.retry(lambda: self._ask_patiently(report, period))

    def _ask_patiently(self, report: str, period: str) -> _ReportAnswer:
        """Ask the API for a report; a refused token gets one fresh one."""
        answer = self._ask_once(report, period)
        if answer.is_refusal:
            self._authenticator.discard_token(answer.request)
            answer = self._ask_once(report, period)
        check_status(answer.status, answer.headers, "the Reporting API")
        return answer

    def _ask_once(self, report: str, period: str) -> _ReportAnswer:
        path = f"/api/appstore/download/report/{report}/{period.replace('-', '/')}"
        url = self._api_url + path
        return _ReportAnswer(report, self._session.ask("GET", url, auth=self._admit))

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
        answer = self._ask(report, period)
        if answer.is_no_report:
            return Outcome.NO_REPORT
        if answer.is_empty:
            return Outcome.EMPTY
        conditions = _conditions(known)
        with self._session.send("GET", answer.presigned_url(), headers=conditions) as response:
            if response.status_code == codes.not_modified and conditions:
                return Outcome.UNCHANGED
            if response.status_code == codes.ok:
                version = _version(response)
                # A proxy may drop the conditions, but the headers still identify the version.
                is_known = version == known and any(version)
                return Outcome.UNCHANGED if is_known else self._spool(response, version, check)
            check_status(response.status_code, response.headers, "the bucket")
            message = f"HTTP {response.status_code} from the bucket for the presigned URL"
            raise TransientError(message)

    def _spool(
        self, response: requests.Response, version: FileVersion, check: Callable[..., Any]
    ) -> Download | Outcome:
        """Write a response to disk and check it.

        The file has no name: nothing of it stays behind, however the process ends.
        """
        try:
            file = tempfile.TemporaryFile(prefix="tap-amazon-appstore-")  # noqa: SIM115
            try:
                for chunk in self._session.read(response):
                    file.write(chunk)
                file.flush()
                size = file.tell()
                if size:
                    checked = check(file, is_complete=is_complete(response))
                    return Download(file, version, _last_modified(version), size, checked)
            except BaseException:
                file.close()
                raise
            file.close()
        except OSError as error:
            advice = (
                RAISE_LIMITS
                if is_out_of_resources(error)
                else "Free space in the directory for temporary files, or set TMPDIR to another one."
            )
            message = f"the download could not be written to disk ({error.strerror}). {advice}"
            raise FatalSyncError(message) from None
        return Outcome.EMPTY


class _ReportAnswer:
    """The API's response to a request for a report. All knowledge of its bodies is here."""

    def __init__(self, report: str, answer: Answer) -> None:
        self.status = answer.status
        self.headers = answer.headers
        self.request = answer.request
        self._report = report
        self._text = answer.body.decode("utf-8", "replace").strip().removeprefix("\ufeff").strip()

    @property
    def is_empty(self) -> bool:
        """Whether it is a success without a body."""
        return self.status == codes.ok and not self._text

    @property
    def is_no_report(self) -> bool:
        """Whether there is no report: a known body, with a status that it is known with."""
        return any(body.search(self._text) for body in _NO_REPORT.get(self.status, ()))

    @property
    def is_refusal(self) -> bool:
        """Whether the token is refused, or the account may not read this report."""
        return self.status in {codes.unauthorized, codes.forbidden} and not self.is_no_report

    def presigned_url(self) -> str:
        """Return the URL of the file: the bare body, in quotes, or in a small JSON object.

        Raises:
            FatalAPIError: the response contains none, with what to check.
        """
        if self.status == codes.ok:
            content = self._json()
            values = content.values() if isinstance(content, dict) else [content]
            for value in values:
                if isinstance(value, str) and is_secure(value):
                    return value
            message = "the response of the Reporting API contains no https URL. Check api_url."
            raise FatalAPIError(message)
        if self.is_refusal:
            raise AccessDeniedError(self._denial())
        message = f"HTTP {self.status} from the Reporting API"
        if 300 <= self.status < 400:  # noqa: PLR2004
            message += " (a redirect, which is not followed)"
        elif self.status == codes.bad_request and (quote := self._quote()):
            message += f': "{quote}"'
        message += ". Check api_url."
        raise FatalAPIError(message)

    def _denial(self) -> str:
        where = (
            "the account's role and the profile's scope include"
            if self._report == "earnings"
            else "the account's role includes"
        )
        return (
            f"access denied (HTTP {self.status}). Check that the security profile is attached to "
            f"the Reporting API, and that {where} the {self._report} report; or deselect the "
            "stream (meltano select --exclude, or selected: false in the catalog)."
        )

    def _json(self) -> object:
        try:
            return json.loads(self._text)
        except (ValueError, RecursionError):
            return self._text.strip("\"'").strip()

    def _quote(self) -> str:
        """Return Amazon's own message, without what may be secret."""
        content = self._json()
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


def _submit(pool: ThreadPoolExecutor, *call: object) -> Future[Download | Outcome]:
    try:
        return pool.submit(*call)  # type: ignore[arg-type]
    except RuntimeError:
        message = (
            "this machine has no resources left for a thread. Raise its limits (ulimit -u) or end "
            "other processes."
        )
        raise FatalSyncError(message) from None


def _close(fetch: Future[Download | Outcome]) -> None:
    """Remove the file of a fetch that nobody reads."""
    if not (fetch.cancelled() or fetch.exception()):
        result = fetch.result()
        if isinstance(result, Download):
            result.file.close()


def _conditions(known: FileVersion | None) -> dict[str, str]:
    """Return the header that asks for a newer version only; none for what no header can carry."""
    if known and known.etag:
        return {"If-None-Match": known.etag} if HEADER_VALUE.fullmatch(known.etag) else {}
    if known and known.last_modified and HEADER_VALUE.fullmatch(known.last_modified):
        return {"If-Modified-Since": known.last_modified}
    return {}


def _version(response: requests.Response) -> FileVersion:
    return FileVersion(response.headers.get("ETag"), response.headers.get("Last-Modified"))


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
