"""The streams, and what they share: months read in order, and the state that follows each."""

from __future__ import annotations

import time
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
from singer_sdk import SchemaDirectory, StreamSchema
from singer_sdk.singerlib.catalog import REPLICATION_INCREMENTAL

from tap_amazon_appstore import schemas
from tap_amazon_appstore.client import Download, Outcome, error_context
from tap_amazon_appstore.months import current_month, months_between
from tap_amazon_appstore.output.batches import BatchesStream
from tap_amazon_appstore.output.records import FastRecordsStream
from tap_amazon_appstore.progress import show_progress
from tap_amazon_appstore.reading.reader import Layout, ReportReader
from tap_amazon_appstore.reading.values import parse_number
from tap_amazon_appstore.state import ReportState

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import date

    from tap_amazon_appstore.reading.reader import Record
    from tap_amazon_appstore.tap import TapAmazonAppstore


class ReportStream(FastRecordsStream, BatchesStream):
    """A report, read month by month."""

    report: ClassVar[str]
    """The API's name of the report."""

    identity: ClassVar[tuple[str, ...]]
    """Columns that say which line item a row is; see `Layout.identity`."""

    primary_keys = ("line_id",)
    replication_key = "report_month"
    schema = StreamSchema(SchemaDirectory(schemas))
    is_sorted = True
    # A target's hard delete would remove the months that a run does not ask for.
    emit_activate_version_messages = False

    _tap: TapAmazonAppstore

    def __init__(self, tap: TapAmazonAppstore) -> None:
        """Make a stream of `tap`."""
        super().__init__(tap)
        self.logger.addFilter(_is_no_echo)

    @cached_property
    def layout(self) -> Layout:
        """What the stream expects of its reports."""
        return Layout(self.schema, self.identity)

    def get_records(self, context: Mapping[str, Any] | None) -> Iterator[dict[str, Any]]:  # noqa: ARG002
        """Yield the rows of the months to read, in order, and write the state after each month.

        Raises:
            FatalSyncError: a month could be neither read nor said to have no report.
        """
        for records in self.read_months():
            yield from map(msgspec.structs.asdict, records)

    def read_months(
        self,
        columns: Sequence[str] | None = None,
        parse_number: Callable[[str], Any] = parse_number,
    ) -> Iterator[Iterator[Record]]:
        """Yield the rows of each month that has a report to read.

        Each month is to be read to its end before the next one is asked for: then its bookmark
        moves, and the state is written.

        Args:
            columns: the columns that the records have; None: all of the schema.
            parse_number: what reads the cells of columns that hold numbers.

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
        if not months:
            self.logger.warning(
                "%s: nothing to read: the state goes on from %s, and end_date is before that; give "
                "this run a state of its own, or read everything again",
                self.name,
                f"{first:%Y-%m}",
            )
        gaps = _Gaps(state)
        fetched = self._tap.client.fetch_all(self.report, months, dict(state.files))
        with show_progress(self.name, len(months)) as progress:
            for number, (month, result) in enumerate(fetched, 1):
                place = f"{self.name} {month:%Y-%m} (month {number} of {len(months)})"
                if result is Outcome.NO_REPORT:
                    self.logger.info("%s: no report", place)
                for gap_month, finding in gaps.after(
                    month, has_report=result is not Outcome.NO_REPORT
                ):
                    self._warn(gap_month, finding)
                if result is Outcome.UNCHANGED:
                    self.logger.info("%s: unchanged since it was read", place)
                if isinstance(result, Download):
                    reader = ReportReader(self.layout, _added(month, result), columns, parse_number)
                    yield progress.watch(self._read(month, place, result, reader))
                    state.complete(month, result.identity, self.replication_key)
                    self._write_month_state()
                progress.finish_month()

    def _read(
        self, month: date, place: str, download: Download, reader: ReportReader
    ) -> Iterator[Record]:
        """Yield the rows of one month's report."""
        started = time.monotonic()
        with download.file, error_context(self.report, month):
            yield from reader.read(download.file)
        for finding in reader.findings.warnings():
            self._warn(month, finding)
        self.logger.info(
            "%s: %s rows, %.1f MB, %.1f s",
            place,
            f"{reader.rows:,}",
            download.size / 1e6,
            time.monotonic() - started,
        )

    def _warn(self, month: date, finding: str) -> None:
        self.logger.warning("The %s report of %s: %s", self.report, f"{month:%Y-%m}", finding)

    def _write_month_state(self) -> None:
        self.state_manager.is_flushed = False
        self._write_state_message()
        # The SDK writes no STATE that equals the last one.
        self._tap.message_writer.flush()

    def _increment_stream_state(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        """Leave the bookmark alone: the SDK would move it with the first record of a month."""

    def _write_starting_replication_value(self, context: Mapping[str, Any] | None) -> None:
        """Leave the state alone: where a run begins depends on the lookback, not on a value."""


class _Gaps:
    """Finds months that have no report though months before and after them have one."""

    def __init__(self, state: ReportState) -> None:
        self._files = frozenset(state.files)
        self._earliest = min([*state.files, *filter(None, [state.bookmark])], default=None)
        self._open: list[date] = []

    def after(self, month: date, *, has_report: bool) -> Iterator[tuple[date, str]]:
        """Take the next month, and yield what is worth a warning and of which month."""
        if not has_report:
            self._open.append(month)
            if month in self._files:
                yield month, "had a report and has none now; its rows stay as they are"
            return
        for gap in self._open:
            if self._earliest and self._earliest < gap:
                yield gap, "has no report, though months before and after it have one"
        self._open.clear()
        self._earliest = min(month, self._earliest or month)


class SalesStream(ReportStream):
    """Every sale, refund and free install, one row per line item."""

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
    """Active, started, ended and refunded subscriptions, one row per day and subscription."""

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


def _added(month: date, download: Download) -> dict[str, str]:
    """Return what the tap adds to all records of a report alike."""
    return {
        "report_month": month.isoformat(),
        "report_last_modified": download.last_modified.isoformat(),
    }


def _is_no_echo(record: logging.LogRecord) -> bool:
    """Keep the SDK from saying that a stream failed: the tap says why, in one sentence."""
    return record.msg != "An unhandled error occurred while syncing '%s'"
