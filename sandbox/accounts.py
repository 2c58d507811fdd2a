"""Developer accounts: what each may read, and what goes wrong for it."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox import archive, samples
from sandbox.faults import ArmedFault, find_fault, unnamed_fault
from sandbox.login import SIGN_IN_PATH, TOKEN_PATH
from sandbox.reporting import REPORTS

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

    from sandbox.bucket import Bucket
    from sandbox.calls import Request, Service
    from sandbox.faults import Behaviour

Content = bytes | str | Mapping[str, bytes | str] | Path
"""A report file: a ZIP (its bytes or its path), the text of its only CSV, or its members."""

_EARNINGS_ROWS = 24
_SETTINGS_PREFIX = "TAP_AMAZON_APPSTORE_"


@dataclass(frozen=True)
class Endpoints:
    """What an account needs to know of the sandbox that it lives in."""

    bucket: Bucket
    bucket_url: str
    api_url: str
    login_url: str
    token_lifetime: float
    url_lifetime: int
    requests_per_second: int


class Account:
    """A developer account with a security profile; made by `Sandbox.add_account`."""

    def __init__(
        self,
        client_id: str,
        client_secret: str,
        *,
        attached: bool,
        reports: Collection[str],
        endpoints: Endpoints,
    ) -> None:
        """Create an account that has no report yet."""
        self.client_id = client_id
        self.client_secret = client_secret
        self.attached = attached
        self.reports = frozenset(reports)
        self.faults: list[ArmedFault] = []
        self.log: list[Request] = []
        # Amazon's object keys begin with a number that stands for the account.
        self.number = str(int(hashlib.sha256(client_id.encode()).hexdigest()[:10], 16))
        self._endpoints = endpoints
        self._token_deadlines: dict[str, float] = {}
        self._admissions: deque[float] = deque()
        self._samples: dict[tuple[str, date], _Sample] = {}
        self._lock = threading.Lock()

    @property
    def settings(self) -> dict[str, str]:
        """The settings with which the tap reads this account."""
        return {
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "api_url": self._endpoints.api_url,
            "auth_url": self._endpoints.login_url + TOKEN_PATH,
        }

    @property
    def environment(self) -> dict[str, str]:
        """The same settings as environment variables."""
        return {_SETTINGS_PREFIX + name.upper(): value for name, value in self.settings.items()}

    @property
    def requests(self) -> list[Request]:
        """The requests made on behalf of this account so far, in the order of their answers."""
        return self.log.copy()

    def put_report(
        self, report: str, month: date, content: Content, last_modified: datetime | None = None
    ) -> None:
        """Publish a report, or restate it.

        `last_modified` is an aware time; without one it is now. Either way it is at least one
        second later than the one that the report of this month had before.
        """
        if last_modified is None:
            last_modified = datetime.now(timezone.utc)
        key = self._key(report, month)
        self._endpoints.bucket.put(key, _pack(content, report, month), last_modified)

    def get_report(self, report: str, month: date) -> bytes | None:
        """Return the ZIP that is published for a month, or `None`."""
        return self._endpoints.bucket.get(self._key(report, month))

    def remove_report(self, report: str, month: date) -> None:
        """Withdraw a report: from now on there is none for this month."""
        self._endpoints.bucket.remove(self._key(report, month))

    def add_sample(
        self, months: int = 6, rows_per_month: int = 400, today: date | None = None
    ) -> None:
        """Publish sample reports for the last `months` months, the current one included.

        There are sales and subscriptions for every month, and a page of earnings for every closed
        one. A month's files are the same in every run. So is their `Last-Modified`, but that of
        the current month: it is last midnight, UTC.
        """
        today = today or datetime.now(timezone.utc).date()
        for month in samples.months_until(today, months):
            published_at = samples.published_at(month, today)
            self._publish_sample("sales", month, _Sample(rows_per_month, published_at))
            self._publish_sample("subscription", month, _Sample(rows_per_month, published_at))
            if month < today.replace(day=1):
                rows = min(rows_per_month, _EARNINGS_ROWS)
                self._publish_sample("earnings", month, _Sample(rows, published_at))

    def restate(self, report: str, month: date) -> None:
        """Make a sample report again: mended, reordered, with rows withdrawn and rows added.

        Every restatement differs from the ones before it, and is published an hour after them.
        """
        month = month.replace(day=1)
        try:
            sample = self._samples[report, month].restated()
        except KeyError:
            message = f"There is no sample {report} report for {month:%Y-%m} to restate"
            raise ValueError(message) from None
        self._publish_sample(report, month, sample)

    def fail(
        self,
        name: str,
        times: int | None = 1,
        report: str | None = None,
        month: date | None = None,
    ) -> None:
        """Switch a fault on for the next `times` requests that it concerns, or for all of them.

        `report` and `month` limit it to requests for that report or month. Faults that are
        switched on first strike first; a request can meet several.
        """
        self.faults.append(ArmedFault(find_fault(name), times, report, month))

    def inject_fault(
        self,
        service: Service,
        behaviour: Behaviour | Response,
        times: int | None = 1,
        report: str | None = None,
        month: date | None = None,
    ) -> None:
        """Let a service answer in a way that is no fault with a name.

        `behaviour` is called with the request and with a function that answers it as usual, and
        returns what is sent; or it is a response that is sent as it is. The rest is as for `fail`.
        """
        fault = unnamed_fault(service, behaviour)
        self.faults.append(ArmedFault(fault, times, report, month))

    def clear_faults(self) -> None:
        """Switch all faults off, those without a name too."""
        self.faults.clear()

    def revoke_tokens(self) -> None:
        """Refuse all tokens issued so far."""
        with self._lock:
            self._token_deadlines = dict.fromkeys(self._token_deadlines, 0.0)

    # What follows is the services' side.

    @property
    def sign_in_url(self) -> str:
        """A web page that is no part of any API; a request to it is found in `requests`."""
        return f"{self._endpoints.login_url}{SIGN_IN_PATH}?client_id={self.client_id}"

    def issue_token(self) -> tuple[str, int]:
        """Issue an access token; returns it and the whole seconds that it will live at least."""
        token = f"Atc|MQEBI{secrets.token_urlsafe(240)}"
        lifetime = self._endpoints.token_lifetime
        with self._lock:
            self._token_deadlines[token] = time.monotonic() + lifetime
        return token, int(lifetime)

    def issued(self, token: str) -> bool:
        """Tell whether a token is this account's, valid or not."""
        return token in self._token_deadlines

    def accepts(self, token: str) -> bool:
        """Tell whether a token of this account is still valid."""
        return time.monotonic() < self._token_deadlines.get(token, 0.0)

    def admit(self) -> bool:
        """Count a request; false if there have been too many within the last second."""
        now = time.monotonic()
        with self._lock:
            while self._admissions and self._admissions[0] <= now - 1:
                self._admissions.popleft()
            if len(self._admissions) >= self._endpoints.requests_per_second:
                return False
            self._admissions.append(now)
            return True

    def presigned_url(self, report: str, month: date, *, expired: bool = False) -> str | None:
        """Make the URL of a report's file; `None` if there is no such report."""
        key = self._key(report, month)
        if not self._endpoints.bucket.exists(key):
            return None
        lifetime = self._endpoints.url_lifetime
        age = timedelta(seconds=lifetime + 1 if expired else 0)
        return self._endpoints.bucket.presign(
            self._endpoints.bucket_url, key, datetime.now(timezone.utc) - age, lifetime
        )

    def _key(self, report: str, month: date) -> str:
        if report not in REPORTS:
            message = f"There is no report {report!r}. There are: {', '.join(REPORTS)}"
            raise ValueError(message)
        return f"{self.number}/{report}/{report}_{month:%Y_%m}.zip"

    def _publish_sample(self, report: str, month: date, sample: _Sample) -> None:
        self._samples[report, month] = sample
        content = samples.make_sample(report, month, sample.rows, sample.restatement)
        self.put_report(report, month, content, sample.last_modified)


@dataclass(frozen=True)
class _Sample:
    """How a sample report was made."""

    rows: int
    last_modified: datetime
    restatement: int = 0

    def restated(self) -> _Sample:
        later = self.last_modified + timedelta(hours=1)
        return _Sample(self.rows, later, self.restatement + 1)


def parse_key(path: str) -> tuple[str | None, str | None, date | None]:
    """Read account number, report and month from the path of a request to the bucket."""
    try:
        _, _, number, report, file_name = path.split("/")
        year, month = file_name.removeprefix(f"{report}_").removesuffix(".zip").split("_")
        return number, report, date(int(year), int(month), 1)
    except ValueError:
        return None, None, None


def _pack(content: Content, report: str, month: date) -> bytes:
    if isinstance(content, bytes):
        return content
    if isinstance(content, Path):
        return content.read_bytes()
    if isinstance(content, str):
        content = {archive.member_name(report, month): content}
    return archive.make_zip(content)
