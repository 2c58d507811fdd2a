"""The streams: each a report of Amazon's, read month by month in ascending order."""

from __future__ import annotations

import time
from contextlib import closing
from datetime import date
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import SchemaDirectory, Stream
from singer_sdk.exceptions import ConfigurationError, FatalSyncError
from singer_sdk.singerlib.catalog import REPLICATION_FULL_TABLE, REPLICATION_INCREMENTAL
from typing_extensions import override

from tap_amazon_appstore import schemas
from tap_amazon_appstore.client import Download, Outcome, error_context
from tap_amazon_appstore.months import (
    FIRST_MONTH,
    current_month,
    first_day,
    look_back,
    months_between,
    parse_month,
    period_name,
)
from tap_amazon_appstore.output.batches import BatchOutput
from tap_amazon_appstore.output.records import RecordOutput
from tap_amazon_appstore.output.stream_maps import rows
from tap_amazon_appstore.progress import show_progress
from tap_amazon_appstore.reading.archive import check_file
from tap_amazon_appstore.reading.header import Layout
from tap_amazon_appstore.reading.reader import ReportReader
from tap_amazon_appstore.reading.values import parse_decimal, parse_decimal_text, parse_json_number
from tap_amazon_appstore.state import ReportState

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence

    from singer_sdk.helpers._batch import BatchConfig
    from singer_sdk.singerlib import Catalog

    from tap_amazon_appstore.client import FileVersion
    from tap_amazon_appstore.reading.reader import Chunk
    from tap_amazon_appstore.tap import TapAmazonAppstore

    Result = Download | Outcome
    ParseNumber = Callable[[str], Any]

_REPLICATION_METHODS = (REPLICATION_INCREMENTAL, REPLICATION_FULL_TABLE)

DECIMAL_TEXT = {
    "type": ["string", "null"],
    "format": "x-singer.decimal",
    "precision": 38,
    "scale": 18,
}
"""Type of numbers with `use_singer_decimal`: text with all digits that the reader accepts."""


class ReportStream(Stream):
    """A report, read month by month."""

    report: ClassVar[str]
    """The API's name of the report."""

    identity: ClassVar[tuple[str, ...]]
    """Columns that identify a line item; see `Layout.identity`."""

    primary_keys = ("line_id",)
    replication_key = "report_month"
    # A target's hard delete would remove the months that a run does not ask for.
    emit_activate_version_messages = False

    _tap: TapAmazonAppstore

    def __init__(self, tap: TapAmazonAppstore) -> None:
        """Make a stream of `tap`."""
        schema = dict(SchemaDirectory(schemas).get_schema(self.name))
        self.layout = Layout(schema, self.identity, frozenset(schema.pop("x-documented")))
        """What the stream expects of its reports."""
        if tap.config.get("use_singer_decimal"):
            schema = _with_decimals_as_text(schema)
        super().__init__(tap, schema=schema)

    @override
    def apply_catalog(self, catalog: Catalog) -> None:
        super().apply_catalog(catalog)
        if self.selected and self.replication_method not in _REPLICATION_METHODS:
            message = (
                f"{self.name}: the catalog's replication method {self.replication_method!r} is "
                f"unknown. Use {' or '.join(_REPLICATION_METHODS)}."
            )
            raise ConfigurationError(message)
        if self.selected and not self.mask["properties", "line_id"]:
            message = f"{self.name}: the catalog deselects line_id, the key. Select it."
            raise ConfigurationError(message)
        for name, definition in self.effective_schema["properties"].items():
            own = self.schema["properties"].get(name, definition)
            formats = {own.get("format"), definition.get("format")}
            if len(formats) > 1 and DECIMAL_TEXT["format"] in formats:
                message = (
                    f"{self.name}.{name}: the catalog's type does not match use_singer_decimal. "
                    "Generate the catalog again (--discover; with Meltano --refresh-catalog)."
                )
                raise ConfigurationError(message)

    @override
    def get_records(self, context: Mapping[str, Any] | None) -> Iterator[dict[str, Any]]:
        columns = self.selected_columns()
        for chunks in self.read_months(columns, self._parse_number(is_mapped=True)):
            for chunk in chunks:
                yield from rows(columns, chunk.columns)

    @override
    def _sync_records(
        self, context: Mapping[str, Any] | None = None, *, write_messages: bool = True
    ) -> Generator[dict[str, Any], None, None]:
        if not write_messages or self.ABORT_AT_RECORD_COUNT is not None:
            yield from super()._sync_records(context, write_messages=write_messages)
            return
        columns = self.selected_columns()
        output = RecordOutput(self.name, columns, self.stream_maps, self._tap.message_writer)
        self._sync_to(output, columns, self._parse_number(is_mapped=not output.is_unmapped))

    @override
    def _sync_batches(
        self, batch_config: BatchConfig, context: Mapping[str, Any] | None = None
    ) -> None:
        columns = self.selected_columns()
        output = BatchOutput(
            self.name,
            columns,
            self.stream_maps,
            self._tap.message_writer,
            batch_config,
            prefix=self.tap_name,
            logger=self.logger,
        )
        if output.is_unmapped and batch_config.encoding.format == "parquet":
            # Parquet has a type for decimals, whatever records have.
            parse: ParseNumber = parse_decimal
        else:
            parse = self._parse_number(is_mapped=not output.is_unmapped)
        with closing(output):
            self._sync_to(output, columns, parse)

    def _parse_number(self, *, is_mapped: bool) -> ParseNumber:
        if self.config.get("use_singer_decimal"):
            return parse_decimal_text
        # Encoded once for each distinct cell, unless stream maps need numbers to work with.
        return parse_decimal if is_mapped else parse_json_number

    def _sync_to(
        self,
        output: RecordOutput | BatchOutput,
        columns: Sequence[str],
        parse_number: ParseNumber,
    ) -> None:
        """Write all months to `output`; a failure is left to the tap, which reads on."""
        rows_written = 0
        with (
            self._tap.stream_errors(self),
            self.get_record_counter() as counter,
            self.get_sync_timer(),
        ):
            for chunks in self.read_months(columns, parse_number):
                count = output.write(chunks)
                counter.increment(count)
                rows_written += count
            if unwritten := output.unwritten():
                message = (
                    f"{self.name}: {unwritten} of {rows_written} records were not written. "
                    "This is a bug; please report it."
                )
                raise FatalSyncError(message)
            self.logger.info("%s: %s records written", self.name, f"{rows_written:,}")

    def selected_columns(self) -> list[str]:
        """Return the columns that are selected and that the catalog has."""
        known = self.effective_schema["properties"]
        return [
            name
            for name in self.schema["properties"]
            if name in known and self.mask["properties", name]
        ]

    def look_back(self, bookmark: date) -> date:
        """Return the first month to check again when `bookmark` is the last one read."""
        return look_back(bookmark, self.config["lookback_months"])

    def start(self) -> date:
        """Return the first month that the settings ask for."""
        return max(parse_month(self.config["start_date"]), FIRST_MONTH)

    def end(self) -> date:
        """Return the last month to read: `end_date`'s, and at most the current one."""
        end = self.config.get("end_date")
        return min(parse_month(end), current_month()) if end else current_month()

    def fetch(
        self, periods: Iterable[str], known: Mapping[str, FileVersion]
    ) -> Iterator[tuple[str, Result]]:
        """Yield the file of each month, or what there is instead, in ascending order.

        Args:
            periods: the months to read.
            known: versions of files, by period, that need not be downloaded again.

        Raises:
            FatalSyncError: a month can neither be read nor has it no report.
        """
        check = partial(check_file, layout=self.layout)
        yield from self._tap.client.fetch_all(self.report, periods, known, check)

    def read_months(
        self, columns: Sequence[str], parse_number: ParseNumber
    ) -> Iterator[Iterator[Chunk]]:
        """Yield the rows of each month that has a report to read.

        Each month must be consumed before the next one is asked for: then its bookmark moves and
        the state is written.

        Args:
            columns: the columns to read.
            parse_number: what reads the cells of columns that hold numbers.

        Raises:
            FatalSyncError: a month can neither be read nor has it no report.
        """
        state = self._read_state()
        months = list(months_between(state.first_month, self.end()))
        if not months:
            self.warn(
                f"nothing to read: the state continues from {period_name(state.first_month)}, after "
                "end_date. Set a later end_date, or use a separate state for this run (Meltano's "
                "--state-id-suffix)."
            )
            return
        missing = _MissingReports(self, state)
        asked = ""
        with show_progress(self.name, len(months)) as progress:
            for period, result in self.fetch(map(period_name, months), dict(state.files)):
                if asked:
                    # Only now: after a December without a report its year may have failed.
                    state.cover(asked)
                asked = period
                number = months.index(first_day(period)) + 1
                place = f"{self.name} {period} (month {number} of {len(months)})"
                if result is Outcome.NO_REPORT or result is Outcome.EMPTY:
                    missing.add(period, result)
                else:
                    missing.end(period)
                if result is Outcome.UNCHANGED:
                    self.logger.info("%s: unchanged", place)
                if isinstance(result, Download):
                    reader = self._reader(period, result, columns, parse_number)
                    yield progress.watch(self._read(reader, period, place, result))
                    if not reader.rows:
                        missing.warn_of_loss(period, "has no rows now")
                    state.complete(period, result.version, self.replication_key)
                    self._tap.initialize_bookmarks()
                    self.finalize_state_progress_markers()
                progress.finish_month()
            state.cover(asked)
            missing.end()

    def _read_state(self) -> ReportState:
        incremental = self.replication_method == REPLICATION_INCREMENTAL
        state = ReportState(
            self.stream_state if incremental else {},
            start=self.start(),
            lookback=self.look_back,
            current=current_month(),
            warn=self.warn,
        )
        if state.uncovered:
            span = _span(*map(period_name, state.uncovered))
            self.warn(
                f"{span} not read: start_date lies before the first month that the state covers. "
                "To read these months, run with an end_date and another state, or with "
                "--full-refresh."
            )
        return state

    def _reader(
        self, period: str, download: Download, columns: Sequence[str], parse_number: ParseNumber
    ) -> ReportReader:
        constants = {
            "report_month": first_day(period).isoformat(),
            "report_last_modified": download.last_modified.isoformat(),
            "report_period": period,
        }
        return ReportReader(self.layout, constants, columns, parse_number)

    def _read(
        self, reader: ReportReader, period: str, place: str, download: Download
    ) -> Iterator[Chunk]:
        """Yield the rows of one file."""
        started = time.monotonic()
        with download.file, error_context(self.report, period):
            yield from reader.read(download.file, download.checked)
        for finding in reader.findings.warnings():
            self.warn(finding, period)
        self.logger.info(
            "%s: %s rows, %.1f MB, %.1f s",
            place,
            f"{reader.rows:,}",
            download.size / 1e6,
            time.monotonic() - started,
        )

    def warn(self, sentence: str, period: str = "") -> None:
        """Log a warning about the stream or one of its periods."""
        self.logger.warning("%s: %s", f"{self.name} {period}".rstrip(), sentence)

    @override
    def _increment_stream_state(self, *args: Any, **kwargs: Any) -> None:
        """Leave the bookmark: the SDK would move it with the first record of a month."""

    @override
    def _write_starting_replication_value(self, context: Mapping[str, Any] | None) -> None:
        """Leave the state: where a run begins depends on the lookback, not on a value."""


class _MissingReports:
    """Logs periods without a report: consecutive ones in one line, gaps as a warning."""

    def __init__(self, stream: ReportStream, state: ReportState) -> None:
        self._stream = stream
        self._known = frozenset(state.files)
        self._earliest = min(map(first_day, state.files), default=state.bookmark or date.max)
        self._open: list[str] = []
        self._found = False

    def add(self, period: str, outcome: Outcome) -> None:
        """Take a period without a report."""
        if outcome is Outcome.EMPTY:
            self._stream.warn("the response was empty. It counts as no report yet.", period)
        self.warn_of_loss(period, "has none now")
        if len(period) > len("2024"):
            self._open.append(period)

    def warn_of_loss(self, period: str, loss: str) -> None:
        """Warn of a period whose rows no newer ones replace, if it had a report before."""
        if period in self._known:
            self._stream.warn(
                f"had a report before and {loss}. Its rows stay in the target.", period
            )

    def end(self, period: str = "") -> None:
        """Take a period with a report, or the end of the run."""
        # The months of a year are not missing if the year has a report.
        missing = [month for month in self._open if month.partition("-")[0] != period]
        self._open.clear()
        if missing:
            span = _span(missing[0], missing[-1])
            is_after_report = self._found or self._earliest < first_day(missing[0])
            if period and is_after_report:
                self._stream.warn("no report, though reports exist before and after it.", span)
            else:
                self._stream.logger.info("%s %s: no report", self._stream.name, span)
        if period:
            self._found = True
        elif not self._found:
            self._stream.warn(
                "no report found in any requested month. Check start_date, and which account the "
                "client ID belongs to."
            )


def _span(first: str, last: str) -> str:
    return first if first == last else f"{first} to {last}"


class SalesStream(ReportStream):
    """Sales, refunds and free installs, one row per line item."""

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
    """Counts of active, started, ended and refunded subscriptions.

    One row per day, marketplace, subscription and type.
    """

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
    """Payments and the invoices that they settle: final amounts, unlike the estimates of `sales`.

    Amazon's reports are monthly or yearly; which accounts have which is not documented. The tap
    requests the months of a year first, and the yearly report only if no month has one.
    """

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

    @override
    def look_back(self, bookmark: date) -> date:
        # A payment's status changes long after its month.
        return look_back(bookmark, max(self.config["lookback_months"], 12)).replace(month=1)

    @override
    def start(self) -> date:
        return super().start().replace(month=1)

    @override
    def fetch(
        self, periods: Iterable[str], known: Mapping[str, FileVersion]
    ) -> Iterator[tuple[str, Result]]:
        for year, months in groupby(periods, lambda period: period[:4]):
            has_months = any(period.startswith(f"{year}-") for period in known)
            for period, result in super().fetch(months, known):
                has_months |= result not in (Outcome.NO_REPORT, Outcome.EMPTY)
                yield period, result
            if not has_months:
                yield from super().fetch([year], known)


def _with_decimals_as_text(schema: Mapping[str, Any]) -> dict[str, Any]:
    properties = {
        name: {**definition, **DECIMAL_TEXT} if "number" in definition["type"] else definition
        for name, definition in schema["properties"].items()
    }
    return {**schema, "properties": properties}
