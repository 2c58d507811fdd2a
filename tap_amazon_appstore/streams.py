"""The streams, and what they share: months read in order, and the state that follows each."""

from __future__ import annotations

import time
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import SchemaDirectory, Stream, StreamSchema
from singer_sdk.singerlib.catalog import REPLICATION_INCREMENTAL

from tap_amazon_appstore import schemas
from tap_amazon_appstore.client import Download, Outcome, naming
from tap_amazon_appstore.months import current_month, months_between
from tap_amazon_appstore.reports import Layout, ReportReader
from tap_amazon_appstore.state import ReportState

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator, Mapping
    from datetime import date

    from tap_amazon_appstore.reports import Record
    from tap_amazon_appstore.tap import TapAmazonAppstore


class ReportStream(Stream):
    """A report, read month by month."""

    report: ClassVar[str]
    """The API's name of the report."""

    identity: ClassVar[tuple[str, ...]]
    """Columns that say which line item a row is; see `Layout.identity`."""

    primary_keys = ("line_id",)
    replication_key = "report_month"
    schema = StreamSchema(SchemaDirectory(schemas))
    is_sorted = True

    _tap: TapAmazonAppstore

    def __init__(self, tap: TapAmazonAppstore) -> None:
        """Make a stream of `tap`."""
        super().__init__(tap)
        self.logger.addFilter(_is_no_echo)

    @cached_property
    def layout(self) -> Layout:
        """What the stream expects of its reports."""
        return Layout(self.schema, self.identity)

    def get_records(self, context: Mapping[str, Any] | None) -> Iterator[Record]:  # noqa: ARG002
        """Yield the rows of the months to read, in order, and write the state after each month.

        Raises:
            FatalSyncError: a month could be neither read nor said to have no report.
        """
        incremental = self.replication_method == REPLICATION_INCREMENTAL
        state = ReportState(
            self.stream_state if incremental else {},
            lookback_months=self.config["lookback_months"],
            current=current_month(),
        )
        first, last = state.first_month(self._tap.first_month), self._tap.last_month
        months = list(months_between(first, last))
        earliest = min([*state.files, *filter(None, [state.bookmark])], default=None)
        gaps: list[date] = []
        fetched = self._tap.client.fetch_all(self.report, months, dict(state.files))
        for number, (month, result) in enumerate(fetched, 1):
            place = f"{month:%Y-%m} (month {number} of {len(months)})"
            if result is Outcome.NO_REPORT:
                self.logger.info("%s: no report", place)
                if month in state.files:
                    self._warn(month, "had a report and has none now; its rows stay as they are")
                gaps.append(month)
                continue
            for gap in gaps:
                if earliest and earliest < gap:
                    self._warn(gap, "has no report, though months before and after it have one")
            gaps.clear()
            earliest = min(month, earliest or month)
            if isinstance(result, Download):
                yield from self._read(month, place, result)
                state.complete(month, result.identity, self.replication_key)
                self._write_month_state()
            else:
                self.logger.info("%s: unchanged since it was read", place)

    def _read(self, month: date, place: str, download: Download) -> Iterator[Record]:
        """Yield the rows of one month's report."""
        started = time.monotonic()
        added = {
            "report_month": month.isoformat(),
            "report_last_modified": download.last_modified.isoformat(),
        }
        reader = ReportReader(self.layout, added)
        rows = 0
        with download.file, naming(self.report, month):
            for record in reader.read(download.file):
                rows += 1
                yield record
        for finding in reader.findings.warnings():
            self._warn(month, finding)
        self.logger.info(
            "%s: %s rows, %.1f MB, %.1f s",
            place,
            f"{rows:,}",
            download.size / 1e6,
            time.monotonic() - started,
        )

    def _warn(self, month: date, finding: str) -> None:
        self.logger.warning("The %s report of %s: %s", self.report, f"{month:%Y-%m}", finding)

    def _write_month_state(self) -> None:
        self.state_manager.is_flushed = False
        self._write_state_message()

    def _increment_stream_state(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        """Leave the bookmark alone: the SDK would move it with the first record of a month."""

    def _write_starting_replication_value(self, context: Mapping[str, Any] | None) -> None:
        """Leave the state alone: where a run begins depends on the lookback, not on a value."""


class SalesStream(ReportStream):
    """Every sale, refund and free install, a line item a row."""

    name = "sales"
    report = "sales"
    identity = (
        "marketplace",
        "country_region_code",
        "invoice_id",
        "transaction_id",
        "transaction_type",
        "adjustment",
        "asin",
        "vendor_sku",
        "receipt_id",
        "digital_order_id",
    )


class SubscriptionsStream(ReportStream):
    """Active, started, ended and refunded subscriptions, a row a day and subscription."""

    name = "subscriptions"
    report = "subscription"
    identity = (
        "date",
        "marketplace",
        "asin",
        "vendor_sku",
        "subscription_duration",
        "subscription_type",
    )


class EarningsStream(ReportStream):
    """Payments and the invoices they settle; final, unlike the estimates of `sales`."""

    name = "earnings"
    report = "earnings"
    selected_by_default = False
    identity = (
        "marketplace",
        "invoice_group_id",
        "invoice_id",
        "earnings_period_start_date",
        "earnings_period_end_date",
        "vendor_id",
        "invoice_start_month",
        "invoice_year",
    )


def _is_no_echo(record: logging.LogRecord) -> bool:
    """Keep the SDK from saying that a stream failed: the tap says why, in one sentence."""
    return record.msg != "An unhandled error occurred while syncing '%s'"
