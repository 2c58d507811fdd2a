"""A report file becomes typed records: header names, cell types, line identity.

What the columns of a report are called, how they are ordered and how times are written has changed
over the years; `Layout` says what a stream expects, `ReportReader` finds it.
"""

from __future__ import annotations

import codecs
import csv
import functools
import io
import re
from array import array
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import IO, TYPE_CHECKING, Any

import msgspec
from msgspec.json import encode as encode_json
from xxhash import xxh3_128_digest

from tap_amazon_appstore.reading.archive import UnreadableReportError, open_parts
from tap_amazon_appstore.reading.values import (
    parse_boolean,
    parse_date,
    parse_integer,
    parse_number,
    parse_time,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence

    from tap_amazon_appstore.reading.archive import Part

Record = msgspec.Struct
"""A row's values: an attribute for each column, in the schema's order."""

# Columns that the tap adds: a report's header never fills them, whatever it is called.
_ADDED = frozenset(
    {
        "line_id",
        "report_month",
        "report_last_modified",
        "transaction_at",
        "transaction_date",
        "_rescued_data",
    },
)

# Header names that say the same as a column but in other words, as `_bare` leaves them.
_ALIASES = {"usagetimeforundergroundapps": "usage_time"}

# Characters of a cell. A longer one is no report's: a quote that is never closed must not fill the
# memory.
_MAX_CELL = 1024 * 1024

# Cells of a row, which is more than any spreadsheet has: each unknown one takes its name along.
_MAX_CELLS = 16_384

# Cells of a column that are kept with what they say, and the most characters of one.
_MAX_PARSED_CELLS = 8192
_MAX_PARSED_CELL = 40

# Bytes of a row, about, with which the room for line identities is reckoned, and the most rows.
_ROW_SIZE = 256
_MAX_EXPECTED_ROWS = 4_000_000

_BAD_BYTES = "tap_amazon_appstore.bad_bytes"


def normalize_header(header: str) -> str:
    """Return what stays the same of a header name over the years.

    Names of the same column differ in case, punctuation and remarks in parentheses:
    `Sales Price (Marketplace Currency)` is `Sales Price`. A NUL stays: it is no punctuation but the
    sign of another encoding, and every cell would be full of them.
    """
    return re.sub(r"[^0-9a-z\0]+", "", re.sub(r"\([^)]*\)?", "", header).lower())


@dataclass(frozen=True)
class Layout:
    """What a stream expects of its reports."""

    schema: Mapping[str, Any]
    """JSON schema of the records: its properties are the columns, in order."""

    identity: tuple[str, ...]
    """Columns that say which line item a row is. None that is mended when a month is restated."""

    @cached_property
    def columns(self) -> list[str]:
        """The columns that a report fills."""
        return [name for name in self.schema["properties"] if name not in _ADDED]

    @cached_property
    def parsers(self) -> dict[str, Callable[[str], Any]]:
        """How the cells of the columns that are not text are read."""
        return {
            name: parser
            for name in self.columns
            if (parser := self._parser(self.schema["properties"][name]))
        }

    @staticmethod
    def _parser(definition: Mapping[str, Any]) -> Callable[[str], Any] | None:
        if definition.get("format") == "date":
            return parse_date
        by_type: dict[str, Callable[[str], Any]] = {
            "integer": parse_integer,
            "number": parse_number,
            "boolean": parse_boolean,
        }
        kinds = definition["type"]
        return by_type.get(kinds if isinstance(kinds, str) else kinds[0])

    def match(self, header: Sequence[str]) -> dict[str, int]:
        """Find the columns in a header line, in any order and spelling.

        Where two headers fit one column, the one without a remark in parentheses counts.

        Returns:
            Column to position.

        Raises:
            UnreadableReportError: most of the columns are missing.
        """
        by_name = {normalize_header(name): name for name in self.columns}
        by_name |= {alias: name for alias, name in _ALIASES.items() if name in self.columns}
        found: dict[str, int] = {}
        for position in sorted(range(len(header)), key=lambda i: "(" in header[i]):
            name = by_name.get(normalize_header(header[position]))
            if name is not None:
                found.setdefault(name, position)
        if len(found) * 2 <= len(self.columns):
            names = ", ".join(repr(name[:40]) for name in header[:30])
            message = (
                f"its header has {len(found)} of the {len(self.columns)} expected columns "
                f"(found: {names})"
            )
            raise UnreadableReportError(message)
        return found


class _Occurrences:
    """Counts how often a digest has come up, in some 16 bytes a digest.

    A `set` would keep some 100 bytes alive for each row of a report of millions. This is a hash
    table with open addressing over 64-bit hashes. Two digests that share one would only share
    their numbering: the whole digest stands beside the number in the key.
    """

    def __init__(self, expected: int = 0) -> None:
        """Make room for as many digests; there can be more."""
        self.total = 0
        """How many digests have been counted."""
        self._repeated: Counter[int] = Counter()
        self._resize(1 << max(10, (expected * 4 // 3).bit_length()))

    def count(self, digest: bytes) -> int:
        """Count `digest`, and return how often it has been counted by now."""
        self.total += 1
        value = hash(digest) or 1
        table, mask = self._table, self._mask
        slot = value & mask
        while present := table[slot]:
            if present == value:
                self._repeated[value] += 1
                return self._repeated[value] + 1
            slot = (slot + 1) & mask
        table[slot] = value
        self._free -= 1
        if not self._free:
            self._resize(2 * (mask + 1), filter(None, table))
        return 1

    def _resize(self, size: int, values: Iterable[int] = ()) -> None:
        self._table, self._mask = table, mask = array("q", [0]) * size, size - 1
        self._free = size * 3 // 4
        for value in values:
            slot = value & mask
            while table[slot]:
                slot = (slot + 1) & mask
            table[slot] = value
            self._free -= 1


class Findings:
    """What is odd about a report, said in one warning for each column at its end."""

    def __init__(self) -> None:
        self.unknown_columns: dict[str, None] = {}
        self.unfit_cells: Counter[str] = Counter()
        self.unread_times = 0
        self.short_rows = 0
        self.long_rows = 0
        self.bad_bytes = 0

    def keep_bad_bytes(self, error: UnicodeError) -> tuple[str | bytes, int]:
        r"""Count bytes that are not UTF-8 and keep them readable, such as `\xff`."""
        self.bad_bytes += 1
        return codecs.backslashreplace_errors(error)

    def keep_unread_time(self, cell: str) -> str:
        """Count a time that cannot be told in UTC, and return it as it is written."""
        self.unread_times += bool(cell)
        return cell

    def warnings(self) -> Iterator[str]:
        """Yield what is worth a warning, a clause each."""
        for name in self.unknown_columns:
            yield f"the column {name[:80]!r} is unknown; its cells are kept in _rescued_data"
        for name, count in self.unfit_cells.items():
            yield (
                f"{count} cells of {name[:80]!r} are not of the column's type; "
                "they are null there and kept in _rescued_data"
            )
        if self.unread_times:
            yield (
                f"{self.unread_times} transaction times cannot be told in UTC; "
                "they are kept in transaction_time, and transaction_at is null"
            )
        if self.short_rows:
            yield f"{self.short_rows} rows have too few cells; the missing ones are null"
        if self.long_rows:
            yield f"{self.long_rows} rows have too many cells; the surplus cells are kept in _rescued_data"
        if self.bad_bytes:
            yield f"{self.bad_bytes} byte sequences are not UTF-8; they are kept in the form \\xff"


def _untaken(label: str, position: int, taken: Container[str]) -> str:
    while label in taken:
        label = f"{label} (column {position})"
    return label


def _check_length(cells: Sequence[str]) -> None:
    if len(cells) > _MAX_CELLS:
        message = f"it has a row of {len(cells):,} cells"
        raise UnreadableReportError(message)


class _ParsedCells(dict[str, Any]):
    """The cells of a column and what they say, each read once: prices, units and dates repeat."""

    def __init__(self, parse: Callable[[str], Any], rescue: Callable[[str], None]) -> None:
        """Read cells with `parse`, and hand those that it cannot read to `rescue`."""
        super().__init__({"": None})
        self._parse = parse
        self._rescue = rescue

    def __missing__(self, cell: str) -> Any:  # noqa: ANN401
        try:
            value = self._parse(cell)
        except ValueError:
            self._rescue(cell)
            return None
        if len(self) < _MAX_PARSED_CELLS and len(cell) <= _MAX_PARSED_CELL:
            self[cell] = value
        return value


class _RecordMaker:
    """Makes records of the rows under one header line."""

    def __init__(self, header: list[str], reader: ReportReader) -> None:
        _check_length(header)
        self._reader = reader
        self._findings = reader.findings
        self._found = reader.layout.match(header)
        self._labels = self._label(header)
        self._rescued: dict[str, str] = {}
        self.make_record = self._compile()
        """Returns the record of one row's cells."""

    @staticmethod
    def _label(header: list[str]) -> list[str]:
        """Name each position for `_rescued_data`: by its header, unless that is empty or taken."""
        labels: dict[str, None] = {}
        for position, name in enumerate(header, 1):
            label = name if name.strip() else f"column {position}"
            labels[_untaken(label, position, labels)] = None
        return list(labels)

    def pad_row(self, cells: list[str]) -> list[str]:
        """Return a row that has the header's width; cells that are too many are rescued."""
        _check_length(cells)
        width = len(self._labels)
        surplus = {
            _untaken(f"column {position}", position, self._labels): cell
            for position, cell in enumerate(cells[width:], width + 1)
            if cell
        }
        self._rescued |= surplus
        self._findings.short_rows += len(cells) < width
        self._findings.long_rows += bool(surplus)
        return cells[:width] + [""] * (width - len(cells))

    def _rescue_unknown(self, position: int, cell: str) -> None:
        """Keep the cell of a column that the schema does not know."""
        label = self._labels[position]
        self._rescued[label] = cell
        self._findings.unknown_columns[label] = None

    def _rescue_unfit(self, name: str, cell: str) -> None:
        """Keep the cell of a column that is not of its type."""
        label = self._labels[self._found[name]]
        self._rescued[label] = cell
        self._findings.unfit_cells[label] += 1

    def _take_rescued(self) -> str:
        """Return what the row has for `_rescued_data`, and begin anew."""
        text = encode_json(self._rescued).decode()
        self._rescued.clear()
        return text

    def _compile(self) -> Callable[[list[str]], Record]:
        """Write the function that makes a record of a row's cells, for this header.

        As `dataclasses` writes methods for fields: no loop over columns and no look-up of positions
        is left for each row, which takes a fifth off the time of a whole run. Only names of the
        schema's columns go into it, nothing from the file. All that is not a column begins with an
        underscore, as no column of a report does. For a header of two columns and one unknown it is

            def make_record(_cells):
                try: title, units, _unknown_2, = _cells
                except ValueError: title, units, _unknown_2, = pad_row(_cells)
                if _unknown_2: _rescue_unknown(2, _unknown_2)
                units = _parsed_units[units]
                _digest = _digest_of(_encode((title,)))
                line_id = f'{_digest.hex()}-{_count(_digest)}'
                _rescued_data = _take_rescued() if _rescued else None
                return _Record(line_id, report_month, title or None, units, _rescued_data)
        """
        columns = self._reader.columns
        values = {name: f"{name} or None" for name in self._reader.layout.columns}
        values |= {name: name for name in self._parsed}
        lines = [
            *self._unpacking(),
            *(f"{name} = _parsed_{name}[{name}]" for name in self._parsed),
            *self._identifying(),
            "_rescued_data = _take_rescued() if _rescued else None",
            f"return _Record({', '.join(values.get(name, name) for name in columns)})",
        ]
        names = self._names()
        exec("\n    ".join(["def make_record(_cells):", *lines]), names)  # noqa: S102
        return names["make_record"]  # type: ignore[no-any-return]

    @cached_property
    def _parsed(self) -> dict[str, _ParsedCells]:
        """The columns of the header that are not text, and how each cell of theirs is read."""
        return {
            name: _ParsedCells(
                self._reader.parse_number if parse is parse_number else parse,
                functools.partial(self._rescue_unfit, name),
            )
            for name, parse in self._reader.layout.parsers.items()
            if name in self._found
        }

    def _unpacking(self) -> Iterator[str]:
        """Yield lines that give each cell of a row a name."""
        cells = [f"_unknown_{position}" for position in range(len(self._labels))]
        for name, position in self._found.items():
            cells[position] = name
        unpack = f"{', '.join(cells)}, ="
        yield f"try: {unpack} _cells"
        yield f"except ValueError: {unpack} pad_row(_cells)"
        for position, cell in enumerate(cells):
            if cell not in self._found:
                yield f"if {cell}: _rescue_unknown({position}, {cell})"

    def _identifying(self) -> Iterator[str]:
        """Yield lines that read the row's time, if reports have one, and make its key."""
        layout = self._reader.layout
        identity = list(layout.identity)
        if "transaction_at" in layout.schema["properties"]:
            yield "transaction_at, transaction_date = _parse_time(transaction_time, marketplace)"
            # Which line item a row is depends on its minute in UTC: a restated month may be
            # written in the other format, and the documented one has no seconds.
            yield "_minute = transaction_at[:16] if transaction_at else _unread(transaction_time)"
            identity.insert(0, "_minute")
        yield f"_digest = _digest_of(_encode(({', '.join(identity)},)))"
        yield "line_id = f'{_digest.hex()}-{_count(_digest)}'"

    def _names(self) -> dict[str, Any]:
        """Return the globals of the function."""
        reader = self._reader
        return {
            # Columns that the header lacks: what an empty cell is.
            **dict.fromkeys(reader.layout.columns, ""),
            **dict.fromkeys(reader.layout.parsers),
            **{f"_parsed_{name}": cells for name, cells in self._parsed.items()},
            **reader.added,
            "pad_row": self.pad_row,
            "_rescue_unknown": self._rescue_unknown,
            "_rescued": self._rescued,
            "_take_rescued": self._take_rescued,
            "_digest_of": xxh3_128_digest,
            "_encode": encode_json,
            "_parse_time": parse_time,
            "_unread": self._findings.keep_unread_time,
            "_count": reader.occurrences.count,
            "_Record": reader.record_class,
        }


class ReportReader:
    """Reads one report."""

    def __init__(
        self,
        layout: Layout,
        added: Mapping[str, str],
        columns: Sequence[str] | None = None,
        parse_number: Callable[[str], Any] = parse_number,
    ) -> None:
        """Prepare to read.

        Args:
            layout: what to look for.
            added: values that are the same in every record, such as `report_month`.
            columns: the columns that records have; None: all of the schema.
            parse_number: what reads the cells of columns that hold numbers.
        """
        self.findings = Findings()
        self.layout = layout
        self.added = added
        self.parse_number = parse_number
        self.columns = list(layout.schema["properties"] if columns is None else columns)
        self.record_class = msgspec.defstruct("Record", self.columns)
        self.occurrences = _Occurrences()

    def read(self, file: IO[bytes]) -> Iterator[Record]:
        """Read all parts of a report, one after the other.

        Args:
            file: the ZIP, checked by `check_zip`.

        Yields:
            One record for each CSV row; no row is dropped or merged.

        Raises:
            UnreadableReportError: the ZIP has no CSV, the header is another report's, or the CSV
                is broken.
        """
        with open_parts(file, lambda: self.rows) as (parts, size):
            self.occurrences = _Occurrences(min(size // _ROW_SIZE, _MAX_EXPECTED_ROWS))
            for part in parts:
                yield from self._read_part(part)

    @property
    def rows(self) -> int:
        """How many rows have been read."""
        return self.occurrences.total

    def _read_part(self, part: Part) -> Iterator[Record]:
        # For the whole process: one report is read at a time.
        codecs.register_error(_BAD_BYTES, self.findings.keep_bad_bytes)
        text = io.TextIOWrapper(
            part, encoding="utf-8-sig", errors=_BAD_BYTES, newline=part.line_end
        )
        csv.field_size_limit(_MAX_CELL)
        # `strict`: a quote that is never closed would else swallow all rows that follow.
        lines = csv.reader(text, strict=True)
        # A line without any cell is no row, at the file's end or anywhere else.
        rows = filter(None, lines)
        try:
            header = next(rows, None)
            if header is not None:
                yield from map(_RecordMaker(header, self).make_record, rows)
        except csv.Error as error:
            message = f"{part.name[:200]!r} is no valid CSV at line {lines.line_num} ({error})"
            raise UnreadableReportError(message) from None
