"""Developer accounts: their reports, requests and faults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from sandbox import archive, samples
from sandbox.faults import ActiveFault, find_fault, make_fault
from sandbox.login import SIGN_IN_PATH, TOKEN_PATH
from sandbox.profiles import Profile
from sandbox.reports import REPORTS, object_key

if TYPE_CHECKING:
    from collections.abc import Collection

    from werkzeug.wrappers import Response

    from sandbox.bucket import Bucket
    from sandbox.calls import Behaviour, Request, Service
    from sandbox.profiles import Limits
    from sandbox.reports import Period

Content = bytes | str | Mapping[str, bytes | str] | Path
"""A report file: a ZIP (its bytes or its path), the text of its only CSV, or its members."""

_SETTINGS_PREFIX = "TAP_AMAZON_APPSTORE_"


@dataclass(frozen=True)
class Endpoints:
    """The base URLs of the three services, and the bucket itself."""

    login_url: str
    api_url: str
    bucket_url: str
    bucket: Bucket


class Account(Profile):
    """A developer account with a security profile; made by `Sandbox.add_account`."""

    def __init__(  # noqa: PLR0913 - each has a name
        self,
        client_id: str,
        client_secret: str,
        *,
        attached: bool,
        reports: Collection[str],
        limits: Limits,
        endpoints: Endpoints,
    ) -> None:
        """Create an account that has no report yet."""
        super().__init__(
            client_id, client_secret, attached=attached, reports=reports, limits=limits
        )
        self.faults: list[ActiveFault] = []
        self.log: list[Request] = []
        self._endpoints = endpoints
        self._samples: dict[tuple[str, Period], _Sample] = {}

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
        """The requests made for this account so far, in the order of their responses."""
        return self.log.copy()

    @property
    def sign_in_url(self) -> str:
        """A web page that is no part of any API; a request to it is found in `requests`."""
        return f"{self._endpoints.login_url}{SIGN_IN_PATH}?client_id={self.client_id}"

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
        self._endpoints.bucket.put(object_key(self.number, report, month), content, last_modified)

    def get_report(self, report: str, month: Period) -> bytes | None:
        """Return the ZIP that is published for a month, or `None`."""
        return self._endpoints.bucket.get(object_key(self.number, report, month))

    def remove_report(self, report: str, month: Period) -> None:
        """Withdraw a report: from now on there is none for this month."""
        self._endpoints.bucket.remove(object_key(self.number, report, month))

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
        `seed` makes those of another developer. There are sales and subscriptions for every month,
        and earnings, by month and by year, for those that have been paid. A `progress` bar is
        written to standard error if it takes longer than a second.
        """
        today = today or datetime.now(timezone.utc).date()
        business = samples.Business(rows_per_month, seed)
        paid: dict[int, list[date]] = {}
        listed = samples.list_months(today, months)
        for month in tqdm(
            listed, "Making sample reports", unit="month", delay=1, disable=not progress
        ):
            for report in REPORTS:
                published_on = samples.publication_day(report, month)
                if report != "earnings" or published_on <= today:
                    moment = _midnight(min(published_on, today))
                    self._publish_sample(report, month, _Sample(business, moment, today))
            if ("earnings", month) in self._samples:
                paid.setdefault(month.year, []).append(month)
        for year, of_year in paid.items():
            moment = _midnight(samples.publication_day("earnings", of_year[-1]))
            content = samples.make_yearly_earnings(of_year, business)
            self.put_report("earnings", year, content, moment)

    def restate(self, report: str, month: date) -> None:
        """Restate a sample report: corrected, reordered, with rows withdrawn and rows added.

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
        month: Period | None = None,
        seconds: float | None = None,
    ) -> None:
        """Activate a fault for the next `times` matching requests, or for all of them (`None`).

        `report` and `month` limit it to requests for that report or month. With `seconds` it ends
        so long after the first request that it happened to, on the sandbox's clock. Faults that
        were activated first happen first; a request can meet several.
        """
        self.faults.append(ActiveFault(find_fault(name), times, report, month, seconds))

    def inject_fault(
        self,
        service: Service,
        behaviour: Behaviour | Response,
        times: int | None = 1,
        report: str | None = None,
        month: Period | None = None,
    ) -> None:
        """Let a service answer in a way that is no fault with a name.

        `behaviour` is called with the request and with a function that answers it as usual, and
        returns what is sent; or it is a response that is sent as it is. The rest is as for `fail`.
        """
        self.faults.append(ActiveFault(make_fault(service, behaviour), times, report, month))

    def clear_faults(self) -> None:
        """Deactivate all faults, those without a name too."""
        self.faults.clear()

    def _publish_sample(self, report: str, month: date, sample: _Sample) -> None:
        self._samples[report, month] = sample
        content = samples.make_sample(
            report, month, sample.business, sample.until, sample.restatement
        )
        self.put_report(report, month, content, sample.last_modified)


@dataclass(frozen=True)
class _Sample:
    """How a sample report was made."""

    business: samples.Business
    last_modified: datetime
    until: date
    restatement: int = 0

    def restated(self) -> _Sample:
        later = self.last_modified + timedelta(hours=1)
        return replace(self, last_modified=later, restatement=self.restatement + 1)


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
