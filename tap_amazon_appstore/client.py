"""The Reporting API: one month of one report becomes a file, or "none", or "unchanged"."""

from __future__ import annotations

import enum
import itertools
import json
import tempfile
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import IO, TYPE_CHECKING, NamedTuple

import requests
from pyrate_limiter import Duration, InMemoryBucket, Limiter, Rate
from singer_sdk.exceptions import FatalAPIError, FatalSyncError, RetriableAPIError

from tap_amazon_appstore.http import is_secure, is_transient, retry, send, subject
from tap_amazon_appstore.reading.archive import BrokenDownloadError, check_zip

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from concurrent.futures import Future
    from datetime import date

    from tap_amazon_appstore.auth import LoginWithAmazon

# "The API supports up to 3 requests per second" (Amazon's Reporting API page). The buffer keeps
# requests apart that the network or a busy machine brings closer together than they were sent.
_RATE = Rate(3, Duration.SECOND)
_RATE_BUFFER_MS = 50

# Reports that are downloaded, or wait on disk to be read, at a time.
_AHEAD = 5

_CHUNK = 256 * 1024


class Outcome(enum.Enum):
    """What a month gives when it gives no file."""

    NO_REPORT = "no report"
    UNCHANGED = "unchanged"


class FileIdentity(NamedTuple):
    """What tells one version of a report file from the next."""

    etag: str | None
    last_modified: str | None


@dataclass(frozen=True)
class Download:
    """A report file on disk; closing `file` removes it."""

    file: IO[bytes]
    identity: FileIdentity
    last_modified: datetime
    size: int


class ReportingClient:
    """Reads reports of one account.

    At most 3 API requests start in any second, whichever threads make them. The bearer token goes
    to the API alone, never to the bucket, whose presigned URLs carry their own authorisation.
    """

    def __init__(self, *, api_url: str, authenticator: LoginWithAmazon, user_agent: str) -> None:
        """Prepare to read; nothing is sent yet.

        Args:
            api_url: base URL of the API, such as `https://developer.amazon.com`.
            authenticator: adds the token.
            user_agent: what the tap calls itself.
        """
        self._api_url = api_url.rstrip("/")
        self._authenticator = authenticator
        self._limiter = Limiter(InMemoryBucket([_RATE]), buffer_ms=_RATE_BUFFER_MS)
        self._queue = threading.Lock()
        self._session = requests.Session()
        self._session.headers["User-Agent"] = user_agent

    def sign_in(self) -> None:
        """Fetch a token, which all reports share.

        Raises:
            FatalSyncError: Login with Amazon refused, with what to check.
        """
        self._authenticator.update_access_token()

    def may_read(self, report: str, month: date) -> bool:
        """Tell whether this account may read a report; that there is none for a month is a yes.

        Raises:
            FatalSyncError: signing in failed, or the API gave no answer that says so.
        """
        with error_context(report, month):
            answer = self._ask(report, month)
            if answer.is_refusal:
                return False
            if not answer.says_no_report:
                answer.presigned_url()
            return True

    def fetch(
        self, report: str, month: date, known: FileIdentity | None = None
    ) -> Download | Outcome:
        """Download one month of one report to disk.

        Args:
            report: the API's name of it, such as `sales`.
            month: its first day.
            known: the version that need not be downloaded again.

        Raises:
            FatalSyncError: neither a file nor "none", in one sentence that names report and month,
                after retries where waiting can help.
        """
        with error_context(report, month):
            return self._download(report, month, known)

    def fetch_all(
        self, report: str, months: Iterable[date], known: Mapping[date, FileIdentity]
    ) -> Iterator[tuple[date, Download | Outcome]]:
        """Download months of a report in their order, a few of them ahead of the one yielded.

        Args:
            report: the API's name of it.
            months: their first days.
            known: the versions that need not be downloaded again.

        Raises:
            FatalSyncError: as `fetch`, at the month that fails.
        """
        pool = ThreadPoolExecutor(_AHEAD, thread_name_prefix=f"fetch-{report}")
        waiting = iter(months)
        fetches: deque[tuple[date, Future[Download | Outcome]]] = deque()

        def fetch_ahead(count: int) -> None:
            for month in itertools.islice(waiting, count):
                fetches.append((month, pool.submit(self.fetch, report, month, known.get(month))))

        try:
            fetch_ahead(_AHEAD)
            while fetches:
                month, fetch = fetches.popleft()
                result = fetch.result()
                fetch_ahead(1)
                yield month, result
        finally:
            # Whatever ends the reading early must not wait for downloads nobody reads.
            pool.shutdown(wait=False, cancel_futures=True)
            for _, fetch in fetches:
                fetch.add_done_callback(_close)

    @retry
    def _ask(self, report: str, month: date) -> _Answer:
        """Ask the API for a report; a refused token gets one fresh one."""
        answer = self._ask_once(report, month)
        if answer.is_refusal:
            self._authenticator.discard_token(answer.response.request)
            answer = self._ask_once(report, month)
        if is_transient(answer.response) and not answer.says_no_report:
            message = f"the Reporting API answered {answer.status}"
            raise RetriableAPIError(message, answer.response)
        return answer

    def _ask_once(self, report: str, month: date) -> _Answer:
        url = f"{self._api_url}/api/appstore/download/report/{report}/{month:%Y/%m}"
        return _Answer(send(self._session, "GET", url, auth=self._admit))

    def _admit(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Wait for the request's turn and add the token.

        Before the turn as well, for fetching a token takes time in which turns would pile up.
        """
        self._authenticator(request)
        # In the order in which they come: the months after one that is overtaken would wait for it.
        with self._queue:
            self._limiter.try_acquire("reporting-api")
        return self._authenticator(request)

    @retry
    def _download(self, report: str, month: date, known: FileIdentity | None) -> Download | Outcome:
        answer = self._ask(report, month)
        if answer.says_no_report:
            return Outcome.NO_REPORT
        response = send(
            self._session,
            "GET",
            answer.presigned_url(),
            headers={"Accept-Encoding": "identity", **_conditions(known)},
            stream=True,
        )
        with response:
            if response.status_code == requests.codes.not_modified:
                return Outcome.UNCHANGED
            if response.status_code == requests.codes.ok:
                identity = _identity(response)
                # A proxy may drop the conditions, but the headers still tell, if they are there.
                is_known = identity == known and any(identity)
                return Outcome.UNCHANGED if is_known else _spool(response, identity)
            if is_transient(response):
                message = f"the bucket answered {response.status_code}"
            else:
                message = f"the bucket refused the presigned URL ({response.status_code})"
            raise RetriableAPIError(message, response)


class _Answer:
    """What the API said of a report. All that is known of its bodies' texts stands here."""

    def __init__(self, response: requests.Response) -> None:
        response.encoding = "utf-8"
        self.response = response
        self.status = response.status_code
        self._text = response.text.strip().removeprefix("\ufeff")
        try:
            self._json = json.loads(self._text)
        except ValueError:
            self._json = self._text.strip("\"'").strip()

    @property
    def says_no_report(self) -> bool:
        """Whether it is one of the two answers that say that a month has no report.

        `Report not found` is what three independent clients saw. `Report Not Available`, with the
        bucket's refusal of a `HeadObject`, is documented.
        """
        message = self._message()
        if self.status == requests.codes.bad_request and message.rstrip(".") == "report not found":
            return True
        return self.status < requests.codes.server_error and (
            message.startswith("report not available")
            or ("headobject" in message and "forbidden" in message)
        )

    @property
    def is_refusal(self) -> bool:
        """Whether the token is refused, or the account may not read this report."""
        refused = {requests.codes.unauthorized, requests.codes.forbidden}
        return self.status in refused and not self.says_no_report

    def presigned_url(self) -> str:
        """Return the URL of the file: the bare body, in quotes, or in a small JSON object.

        Raises:
            FatalAPIError: the answer holds none, with what to check.
        """
        if self.status == requests.codes.ok:
            values = self._json.values() if isinstance(self._json, dict) else [self._json]
            for value in values:
                if isinstance(value, str) and " " not in value and is_secure(value):
                    return value
            problem = "the Reporting API answered without the URL of a file; check api_url"
        elif self.is_refusal:
            problem = (
                f"the account may not read it ({self.status} not authorized); check that its "
                "security profile is attached to the Reporting API and may read this report"
            )
        elif self.response.is_redirect:
            problem = (
                f"the Reporting API answered with a redirect ({self.status}), and none is "
                "followed; check api_url"
            )
        else:
            problem = f"the Reporting API refused the request ({self.status}); check api_url"
        raise FatalAPIError(problem)

    def _message(self) -> str:
        if isinstance(self._json, dict):
            values = {str(key).lower(): value for key, value in self._json.items()}
            return str(values.get("message", "")).strip().lower()
        return str(self._json).strip().lower()


@contextmanager
def error_context(report: str, month: date) -> Iterator[None]:
    """Make errors and warnings say which report and month they are about."""
    token = subject.set(f"The {report} report of {month:%Y-%m}")
    try:
        yield
    except FatalSyncError as error:
        message = f"The {report} report of {month:%Y-%m} could not be read: {error}"
    else:
        return
    finally:
        subject.reset(token)
    raise FatalSyncError(message)


def _close(fetch: Future[Download | Outcome]) -> None:
    """Remove the file of a fetch that nobody reads."""
    if not (fetch.cancelled() or fetch.exception()):
        result = fetch.result()
        if isinstance(result, Download):
            result.file.close()


def _conditions(known: FileIdentity | None) -> dict[str, str]:
    if known and known.etag:
        return {"If-None-Match": known.etag}
    if known and known.last_modified:
        return {"If-Modified-Since": known.last_modified}
    return {}


def _identity(response: requests.Response) -> FileIdentity:
    return FileIdentity(response.headers.get("ETag"), response.headers.get("Last-Modified"))


def _spool(response: requests.Response, identity: FileIdentity) -> Download:
    """Write a response to disk and make sure that it is a whole ZIP.

    The file has no name: nothing of it stays behind, however the process ends.
    """
    try:
        file = tempfile.TemporaryFile(prefix="tap-amazon-appstore-")  # noqa: SIM115
        try:
            _copy(response, file)
            size = file.tell()
            check_zip(file)
            file.seek(0)
        except BaseException:
            file.close()
            raise
    except OSError as error:
        message = (
            f"its download cannot be kept on disk ({error.strerror}); make room in the directory "
            "for temporary files or set TMPDIR to another one"
        )
    else:
        return Download(file, identity, _last_modified(identity), size)
    raise FatalSyncError(message)


def _copy(response: requests.Response, file: IO[bytes]) -> None:
    try:
        for chunk in response.iter_content(_CHUNK):
            file.write(chunk)
        file.flush()
    except requests.RequestException as error:
        message = f"the download was cut short after {file.tell()} bytes ({type(error).__name__})"
    else:
        return
    raise BrokenDownloadError(message)


def _last_modified(identity: FileIdentity) -> datetime:
    """Return when the file was written, or now if the bucket does not say."""
    try:
        return parsedate_to_datetime(identity.last_modified or "").astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return datetime.now(timezone.utc).replace(microsecond=0)
