"""A report file becomes chunks of typed columns: each row a line item with a key, nothing lost."""

from __future__ import annotations

import csv
import re
from collections import Counter, defaultdict
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from msgspec.json import encode as encode_json

from tap_amazon_appstore.reading.archive import open_parts
from tap_amazon_appstore.reading.errors import UnreadableReportError
from tap_amazon_appstore.reading.header import label_columns, normalize_header, unique_label
from tap_amazon_appstore.reading.line_ids import LineIds, normalize_date
from tap_amazon_appstore.reading.timestamps import TimestampReader
from tap_amazon_appstore.reading.values import (
    ParsedCells,
    parse_boolean,
    parse_date,
    parse_decimal,
    parse_integer,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tap_amazon_appstore.reading.archive import FileFormat, Part
    from tap_amazon_appstore.reading.header import Kind, Layout

# Rows of a chunk. Larger ones leave the CPU's cache: 4,096 rows take twice as long.
_CHUNK = 256

# Bytes of CSV after which a chunk ends: a row can have megabytes.
_CHUNK_BYTES = 1024**2

# Characters of a cell. No report has a longer one: a quote that is never closed must not fill the
# memory.
_MAX_CELL = 1024**2

# Cells of a row, which is more than any spreadsheet has: each unknown one is kept with its name.
_MAX_CELLS = 16_384

# Bytes of a row, about, from which the number of rows is estimated.
_ROW_SIZE = 300

# Characters of a name or cell that a warning quotes.
_MAX_QUOTED = 80

# Share of amounts that could not be read from which on a report's totals are in doubt.
_MAX_UNREAD_AMOUNTS = 0.01

# The beginning of a name, which no number has.
_NAME = re.compile("[^0-9]*[A-Za-z]")

csv.field_size_limit(_MAX_CELL)


class Chunk(NamedTuple):
    """Some of a report's rows, as columns."""

    columns: list[Sequence[Any]]
    """The values of each column, in the order in which the columns were asked for."""

    rows: int


class Findings:
    """What is odd about a report: one warning for each kind and column, at its end."""

    def __init__(self, timestamps: TimestampReader) -> None:
        """Collect findings; those about times are in `timestamps`."""
        self._timestamps = timestamps
        self.other_members: list[str] = []
        self.other_encodings: list[str] = []
        self.unknown_columns: dict[str, None] = {}
        self.unfit_cells: Counter[str] = Counter()
        self.nul_cells: Counter[str] = Counter()
        self.amounts = 0
        self.unread_amounts = 0
        self.unread_amount = ""
        self.short_rows = 0
        self.long_rows = 0
        self.empty_rows = 0
        self.repeated_headers = 0

    def warnings(self) -> Iterator[str]:
        """Yield a sentence for each finding."""
        yield from self._file_warnings()
        yield from self._cell_warnings()
        yield from self._time_warnings()
        if self.short_rows:
            yield f"{_count(self.short_rows, 'row')} with too few cells: the missing ones are null."
        if self.long_rows:
            yield (
                f"{_count(self.long_rows, 'row')} with too many cells: the surplus is kept in "
                "_rescued_data."
            )
        if self.empty_rows:
            yield f"skipped {_count(self.empty_rows, 'row')} without any value."
        if self.repeated_headers:
            yield f"skipped {_count(self.repeated_headers, 'repetition')} of the header line."

    def _file_warnings(self) -> Iterator[str]:
        for name in self.other_members:
            yield f"{name} in the ZIP file is not a CSV file and was not read."
        for name in self.other_encodings:
            yield f"{name} is not UTF-8 and was read as Windows-1252."

    def _cell_warnings(self) -> Iterator[str]:
        for name in self.unknown_columns:
            yield f"unknown column {_quote(name)}. Its cells are kept in _rescued_data."
        for name, count in self.unfit_cells.items():
            yield (
                f"{_quote(name)} is null in {_count(count, 'row')}: the cells do not have the "
                "column's type and are kept in _rescued_data."
            )
        if self.unread_amounts > self.amounts * _MAX_UNREAD_AMOUNTS:
            yield (
                f"{self.unread_amounts:,} of {self.amounts:,} amounts could not be read, such as "
                f"{self.unread_amount}. Totals of this report lack them."
            )
        for name, count in self.nul_cells.items():
            yield (
                f"NUL characters in {_count(count, 'cell')} of {_quote(name)}, which PostgreSQL "
                "does not accept. Set sanitize_null_text_characters in target-postgres."
            )

    def _time_warnings(self) -> Iterator[str]:
        times = self._timestamps
        if count := times.without_instant + times.without_date:
            columns = f"transaction_at is null in {_count(count, 'row')}"
            if times.without_date:
                columns += f", transaction_date in {times.without_date:,} of them"
            yield (
                f"transaction times such as {_quote(times.example)} could not be converted to UTC: "
                f"{columns}. transaction_time has them as written."
            )
        if times.replaced_zones:
            yield (
                f"transaction times such as {_quote(times.replaced_example)} have a time zone that "
                "does not exist in the marketplace's country: the marketplace's own was used in "
                f"{_count(times.replaced_zones, 'row')}."
            )


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"


class ReportReader:
    """Reads one report."""

    def __init__(
        self,
        layout: Layout,
        constants: Mapping[str, str],
        columns: Sequence[str] | None = None,
        parse_number: Callable[[str], Any] = parse_decimal,
    ) -> None:
        """Prepare to read.

        Args:
            layout: the report's columns.
            constants: values that all rows share, such as `report_month`.
            columns: the columns that chunks have; None: all of the schema.
            parse_number: what parses the cells of columns that contain numbers.
        """
        parsers: dict[Kind, Callable[[str], Any]] = {
            "date": parse_date,
            "integer": parse_integer,
            "number": parse_number,
            "boolean": parse_boolean,
        }
        self.layout = layout
        self.constants = constants
        self.columns = list(layout.schema["properties"] if columns is None else columns)
        self.parsed = {
            name: ParsedCells(parsers[kind])
            for name, kind in layout.kinds.items()
            if kind != "text"
        }
        self.identity_dates = {
            name: ParsedCells(normalize_date)
            for name in layout.identity
            if layout.kinds[name] == "date"
        }
        self.timestamps = TimestampReader()
        self.findings = Findings(self.timestamps)
        self.rows = 0
        """How many line items have been read."""

    def read(self, file: IO[bytes], file_format: FileFormat) -> Iterator[Chunk]:
        """Read all parts of a report, one after the other.

        Args:
            file: the report.
            file_format: what `check_file` returned for it.

        Yields:
            All rows, in order. Rows without any value and repetitions of the header are skipped.

        Raises:
            UnreadableReportError: it is not this report, or the CSV is invalid.
        """
        self.findings.other_members = file_format.other_members
        self.line_ids = LineIds(file_format.size // _ROW_SIZE)
        for part in open_parts(file, file_format):
            if part.encoding != "utf-8":
                self.findings.other_encodings.append(part.name)
            yield from self._read_part(part)

    def _read_part(self, part: Part) -> Iterator[Chunk]:
        # `strict`: otherwise a quote that is never closed would swallow all rows that follow.
        lines = csv.reader(part.text(), strict=True)
        try:
            header = next(filter(any, lines), None)
            if header is None:
                return
            table = _Table(header, self)
            for rows in self._read_rows(lines, part):
                chunk = table.read(rows, has_nul=part.has_nul)
                if chunk.rows:
                    self.rows += chunk.rows
                    yield chunk
        except csv.Error as error:
            message = f"{part.name} is not valid CSV at line {lines.line_num} ({error})"
            raise UnreadableReportError(message) from None

    def _read_rows(self, lines: Iterator[list[str]], part: Part) -> Iterator[list[list[str]]]:
        """Yield rows that have a value, some at a time."""
        rows: list[list[str]] = []
        most = _CHUNK_BYTES
        for part.rows, row in enumerate(lines, 1):
            if any(row):
                rows.append(row)
                if len(rows) == _CHUNK or part.size > most:
                    yield rows
                    rows = []
                    most = part.size + _CHUNK_BYTES
            else:
                # A blank line is no row at all.
                self.findings.empty_rows += bool(row)
        yield rows


class _Table:
    """The rows under one header line."""

    def __init__(self, header: list[str], reader: ReportReader) -> None:
        _check_width(header)
        layout = reader.layout
        self._header = header
        self._reader = reader
        self._findings = reader.findings
        self._labels = label_columns(header)
        self._found = layout.match(header)
        self._unknown = sorted({*range(len(header))} - {*self._found.values()})
        numbers = [p for n, p in self._found.items() if layout.kinds[n] in {"integer", "number"}]
        self._number = min(numbers or self._found.values())
        self._first = next(place for place, name in enumerate(header) if name)
        self._normalized = _normalize_row(header)
        self._has_times = "transaction_at" in layout.schema["properties"]
        self._rescued: dict[int, dict[str, str]] = defaultdict(dict)

    def read(self, rows: list[list[str]], *, has_nul: bool) -> Chunk:
        """Return the line items of some rows, each of which has a value."""
        rows = self._skip_headers(rows)
        if not rows:
            return Chunk([], 0)
        if {*map(len, rows)} != {len(self._header)}:
            rows = [self._pad_row(number, row) for number, row in enumerate(rows)]
        columns = list(zip(*rows, strict=True))
        if has_nul:
            self._count_nul(columns)
        for place in self._unknown:
            self._rescue_unknown(place, columns[place])
        # A column that the report lacks is one of empty cells.
        cells: dict[str, Sequence[str]] = dict.fromkeys(
            self._reader.layout.columns, [""] * len(rows)
        )
        cells |= {name: columns[place] for name, place in self._found.items()}
        values = self._parse(cells)
        values["line_id"] = self._make_line_ids(cells, values)
        values["_rescued_data"] = self._take_rescued(len(rows))
        values |= {name: [value] * len(rows) for name, value in self._reader.constants.items()}
        return Chunk(
            [values[n] if n in values else _null_empty(cells[n]) for n in self._reader.columns],
            len(rows),
        )

    def _skip_headers(self, rows: list[list[str]]) -> list[list[str]]:
        # However it is spelt and ordered, a header line begins as the first one, has a name where
        # other rows have a number, or ends before.
        place = self._number
        if min(map(len, rows), default=0) > place:
            begin_alike = self._header[self._first] in {row[self._first] for row in rows}
            if not begin_alike and not any(map(_NAME.match, {row[place] for row in rows})):
                return rows
        return [row for row in rows if not self._is_header(row)]

    def _is_header(self, row: list[str]) -> bool:
        """Return whether a row repeats the header line, and count it.

        Raises:
            UnreadableReportError: it is a header line with other columns.
        """
        begins_alike = row[self._first : self._first + 1] == [self._header[self._first]]
        if len(row) > self._number and not begins_alike and not _NAME.match(row[self._number]):
            return False
        if _normalize_row(row) == self._normalized:
            self._findings.repeated_headers += 1
            return True
        if self._reader.layout.is_header(row):
            message = "a second header line has other columns than the first"
            raise UnreadableReportError(message)
        return False

    def _pad_row(self, number: int, row: list[str]) -> list[str]:
        """Return a row that has the header's width; surplus cells are rescued."""
        width = len(self._header)
        if len(row) == width:
            return row
        _check_width(row)
        surplus = {
            unique_label(f"column {position}", position, self._labels): cell
            for position, cell in enumerate(row[width:], width + 1)
            if cell
        }
        if surplus:
            self._rescued[number] |= surplus
            self._findings.long_rows += 1
        self._findings.short_rows += len(row) < width
        return row[:width] + [""] * (width - len(row))

    def _count_nul(self, columns: list[tuple[str, ...]]) -> None:
        for label, cells in zip(self._labels, columns, strict=True):
            if count := sum("\0" in cell for cell in cells):
                self._findings.nul_cells[label] += count

    def _rescue_unknown(self, place: int, cells: Sequence[str]) -> None:
        """Keep the cells of a column that the schema does not have."""
        if any(cells):
            label = self._labels[place]
            self._findings.unknown_columns[label] = None
            for number, cell in enumerate(cells):
                if cell:
                    self._rescued[number][label] = cell

    def _parse(self, cells: Mapping[str, Sequence[str]]) -> dict[str, Sequence[Any]]:
        """Parse the columns that are not text; cells that do not fit are rescued."""
        columns: dict[str, Sequence[Any]] = {}
        for name, parsed in self._reader.parsed.items():
            failures = parsed.failures
            columns[name] = values = list(map(parsed.__getitem__, cells[name]))
            is_amount = self._reader.layout.kinds[name] == "number"
            if is_amount:
                self._findings.amounts += len(values) - cells[name].count("")
            if parsed.failures > failures:
                unfit = [
                    (number, cell)
                    for number, (cell, value) in enumerate(zip(cells[name], values, strict=True))
                    if value is None and cell
                ]
                label = self._labels[self._found[name]]
                self._findings.unfit_cells[label] += len(unfit)
                for number, cell in unfit:
                    self._rescued[number][label] = cell
                if is_amount:
                    self._findings.unread_amounts += len(unfit)
                    example = f"{_quote(unfit[0][1])} in {_quote(label)}"
                    self._findings.unread_amount = self._findings.unread_amount or example
        return columns

    def _make_line_ids(
        self, cells: Mapping[str, Sequence[str]], values: dict[str, Sequence[Any]]
    ) -> list[str]:
        """Return the keys of the rows; add the columns that are made of transaction times."""
        identity: list[Sequence[Any]] = []
        if self._has_times:
            read = self._reader.timestamps.read(cells["transaction_time"], cells["marketplace"])
            values |= {"transaction_at": read.at, "transaction_date": read.day}
            identity.append(read.written)
        for name in self._reader.layout.identity:
            column: Sequence[Any] = cells[name]
            if name in self._reader.identity_dates:
                normalized = self._reader.identity_dates[name]
                column = list(map(normalized.__getitem__, column))
            elif name in values:
                # A cell that cannot be parsed still distinguishes line items.
                column = [
                    cell or None if value is None else value
                    for cell, value in zip(column, values[name], strict=True)
                ]
            identity.append(column)
        return self._reader.line_ids.make(zip(*identity, strict=True))

    def _take_rescued(self, count: int) -> Sequence[str | None]:
        """Return the values of `_rescued_data`."""
        texts: list[str | None] = [None] * count
        for number, cells in self._rescued.items():
            texts[number] = encode_json(cells).decode()
        self._rescued.clear()
        return texts


def _null_empty(cells: Sequence[str]) -> Sequence[str | None]:
    """Return the values of text cells: null instead of empty."""
    return [cell or None for cell in cells] if "" in cells else cells


def _normalize_row(row: Sequence[str]) -> list[str]:
    """Return a row's names as they are compared, without empty ones at its end."""
    names = list(map(normalize_header, row))
    while names and not names[-1]:
        names.pop()
    return names


def _check_width(cells: Sequence[str]) -> None:
    if len(cells) > _MAX_CELLS:
        message = f"the CSV has a row of {len(cells):,} cells"
        raise UnreadableReportError(message)


def _quote(text: str) -> str:
    return repr(text[:_MAX_QUOTED])
