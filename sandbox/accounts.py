"""Developer accounts: who may sign in, how often; their reports, requests and faults."""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timezone
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from sandbox import archive, samples
from sandbox.faults import ActiveFault, Fault, find_fault
from sandbox.login import TOKEN_PATH
from sandbox.reports import REPORTS, object_key
from sandbox.samples.business import Business
from sandbox.samples.restatements import restate

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from sandbox.bucket import Bucket
    from sandbox.reports import Period
    from sandbox.request import Request, Service

Content = bytes | str | Mapping[str, bytes | str] | Path
"""A report file: a ZIP (its bytes or its path), the text of its only CSV, or its members."""


@dataclass(kw_only=True, eq=False)
class Account:
    """A developer account with a security profile; made by `Sandbox.add_account`."""

    client_id: str
    client_secret: str
    reports: Collection[str] = REPORTS
    """The reports that its security profile may read."""
    token_lifetime: float
    requests_per_second: int
    clock: Callable[[], float]
    """Seconds; measures tokens, the rate limit and faults that last for a time."""
    urls: Mapping[Service, str]
    bucket: Bucket
    faults: list[ActiveFault] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    """The requests made for this account so far, in the order of their responses."""
    _token_deadlines: dict[str, float] = field(default_factory=dict)
    _request_times: list[float] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def settings(self) -> dict[str, str]:
        """The settings with which the tap reads this account."""
        return {
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "api_url": self.urls["api"],
            "auth_url": self.urls["lwa"] + TOKEN_PATH,
        }

    @property
    def environment(self) -> dict[str, str]:
        """The same settings as environment variables."""
        return {f"TAP_AMAZON_APPSTORE_{name.upper()}": v for name, v in self.settings.items()}

    @cached_property
    def number(self) -> str:
        """The number with which the keys of the account's reports begin."""
        return str(int(hashlib.sha256(self.client_id.encode()).hexdigest()[:10], 16))

    def issue_token(self) -> str:
        """Issue an access token."""
        token = f"Atc|MQEBI{secrets.token_urlsafe(240)}"
        self._token_deadlines[token] = self.clock() + self.token_lifetime
        return token

    def revoke_tokens(self) -> None:
        """Refuse all tokens issued so far."""
        self._token_deadlines.update(dict.fromkeys(self._token_deadlines, float("-inf")))

    def has_issued(self, token: str) -> bool:
        """Return whether a token is this account's, valid or not."""
        return token in self._token_deadlines

    def is_valid(self, token: str) -> bool:
        """Return whether a token of this account is still valid."""
        return self.clock() < self._token_deadlines[token]

    def count_request(self) -> bool:
        """Count an API request; false if it exceeds the rate limit."""
        with self._lock:
            now = self.clock()
            self._request_times = [at for at in self._request_times if at > now - 1]
            if len(self._request_times) >= self.requests_per_second:
                return False
            self._request_times.append(now)
            return True

    def put_report(
        self, report: str, month: Period, content: Content, last_modified: datetime | None = None
    ) -> None:
        """Publish a report, or restate it.

        `month` is any of its days; an integer is a year, for the yearly form of `earnings`.
        `last_modified` is an aware time; without one it is now. Either way it is at least one
        second later than the one that the report of this month had before.
        """
        content = _pack(content, report, month)
        last_modified = last_modified or datetime.now(timezone.utc)
        self.bucket.put(object_key(self.number, report, month), content, last_modified)

    def get_report(self, report: str, month: Period) -> bytes | None:
        """Return the ZIP that is published for a month, or `None`."""
        return self.bucket.get(object_key(self.number, report, month))

    def add_sample(
        self,
        months: int = 6,
        rows_per_month: int = 400,
        today: date | None = None,
        *,
        seed: str = "",
        progress: bool = False,
    ) -> None:
        """Publish sample reports for the last `months` months, the current one included.

        `rows_per_month` is about how many line items a month has in 2026; business grows. All
        reports agree, hold nothing of `today` (UTC) or later, and are the same in every run;
        `seed` makes those of another developer. Every month has the reports in `samples.MONTHLY`,
        and those that have been paid have earnings, by month and by year. A `progress` bar is
        written to standard error if it takes longer than a second.
        """
        today = today or datetime.now(timezone.utc).date()
        business = Business(rows_per_month, seed)
        listed = samples.list_months(today, months)
        for month in tqdm(
            listed, "Making sample reports", unit="month", delay=1, disable=not progress
        ):
            for report in samples.MONTHLY:
                published_on = min(samples.publication_day(report, month), today)
                content = samples.make_sample(report, month, business, today)
                self.put_report(report, month, content, _midnight(published_on))
        paid = [month for month in listed if samples.publication_day("earnings", month) <= today]
        for year, of_year in groupby(paid, lambda month: month.year):
            self._put_earnings(year, list(of_year), business)
        for month in paid:
            self._put_earnings(month, [month], business)

    def _put_earnings(self, period: Period, months: Sequence[date], business: Business) -> None:
        content = samples.make_earnings(period, months, business)
        published_on = samples.publication_day("earnings", months[-1])
        self.put_report("earnings", period, content, _midnight(published_on))

    def restate_sales(self, month: date) -> None:
        """Restate a sales report: rows are corrected, reordered, withdrawn and added."""
        content = restate(self.get_report("sales", month) or b"")
        self.put_report("sales", month, content, _midnight(month))

    def inject_fault(
        self,
        fault: str | Fault,
        times: int | None = 1,
        report: str | None = None,
        month: Period | None = None,
        seconds: float | None = None,
    ) -> None:
        """Activate a fault, given by name or not, for the next `times` requests (`None`: for all).

        `report` and `month` limit it to requests for that report or month. With `seconds` it ends
        so long after the first request that it happened to, on the sandbox's clock. Faults that
        were activated first happen first; a request can meet several.
        """
        fault = find_fault(fault) if isinstance(fault, str) else fault
        month = month.replace(day=1) if isinstance(month, date) else month
        self.faults.append(ActiveFault(fault, times, report, month, seconds))


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=timezone.utc)


def _pack(content: Content, report: str, period: Period) -> bytes:
    if isinstance(content, bytes):
        return content
    if isinstance(content, Path):
        return content.read_bytes()
    if isinstance(content, str):
        content = {archive.member_name(report, period): content}
    return archive.make_zip(content)
