"""A report file becomes typed records: header names, cell types, line identity.

A report is a ZIP of CSV files. What its columns are called, how they are ordered and how times are
written has changed over the years; `Layout` says what a stream expects, `ReportReader` finds it.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import re
import zipfile
import zlib
from array import array
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from functools import cached_property, lru_cache
from operator import itemgetter
from typing import IO, TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from msgspec.json import encode as encode_json
from singer_sdk.exceptions import FatalSyncError, RetriableSyncError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

Record = dict[str, Any]

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

# Bytes of a line and characters of a cell. Longer ones are no report's: a file without line ends
# must not fill the memory.
_MAX_LINE = 4 * 1024 * 1024
_MAX_CELL = 1024 * 1024

_CHUNK = 256 * 1024

_BAD_BYTES = "tap_amazon_appstore.bad_bytes"

_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,20}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})")
_INTEGER = re.compile(r"([+-]?[0-9]{1,19})(?:\.0*)?")
_INT64 = range(-(2**63), 2**63)
_BOOLEANS = {"yes": True, "no": False, "true": True, "false": False}

_TIME = re.compile(
    r"""\s*
    (?: (?P<month>\d{1,2}) / (?P<day>\d{1,2}) / (?P<year>\d{4}|\d{2})
      | (?P<iso_year>\d{4}) - (?P<iso_month>\d{1,2}) - (?P<iso_day>\d{1,2}) )
    (?: [T\s]\s* (?P<hour>\d{1,2}) : (?P<minute>\d{2}) (?: : (?P<second>\d{2}) (?:\.\d+)? )?
        \s* (?P<zone>[A-Za-z]{1,5}(?:[+-].*)?|[+-].*)? )?
    \s*""",
    re.VERBOSE | re.ASCII,
)
_OFFSET = re.compile(r"(?:GMT|UTC)?([+-])(\d{1,2})(?::?(\d{2}))?", re.ASCII)

# Hours east of UTC. Amazon's page says "XST", the time zone of the marketplace; files have both
# standard and summer time. An abbreviation counts as it stands, whatever the season.
_ABBREVIATIONS = {
    "UTC": 0, "GMT": 0, "Z": 0, "WET": 0, "BST": 1, "WEST": 1,
    "CET": 1, "CEST": 2, "MET": 1, "MEST": 2, "EET": 2, "EEST": 3,
    "PST": -8, "PDT": -7, "MST": -7, "MDT": -6, "CST": -6, "CDT": -5, "EST": -5, "EDT": -4,
    "AKST": -9, "AKDT": -8, "HST": -10, "BRT": -3, "BRST": -2,
    "IST": 5.5, "JST": 9, "KST": 9, "AWST": 8, "ACST": 9.5, "ACDT": 10.5,
    "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13,
}  # fmt: skip

# Where a marketplace's days begin. Which zone Amazon.ca uses is not known, so its times without
# one stay unread rather than three hours wrong.
_ZONES = {
    "amazon.com": "America/Los_Angeles",
    "amazon.com.au": "Australia/Sydney",
    "amazon.com.br": "America/Sao_Paulo",
    "amazon.de": "Europe/Paris",
    "amazon.es": "Europe/Paris",
    "amazon.fr": "Europe/Paris",
    "amazon.it": "Europe/Paris",
    "amazon.co.uk": "Europe/London",
    "amazon.in": "Asia/Kolkata",
    "amazon.co.jp": "Asia/Tokyo",
}


class UnreadableReportError(FatalSyncError):
    """The file is whole but is no report of this kind: reading it again cannot help."""


class BrokenDownloadError(RetriableSyncError):
    """The file is not what Amazon stored: a fresh download can help."""


class Instant(NamedTuple):
    """A time as a report writes it, read."""

    at: str | None
    """ISO 8601 in UTC; None if the time or its zone is unknown."""

    day: str | None
    """ISO 8601 date as written, that is the marketplace's day; None if there is none."""


def parse_integer(cell: str) -> int:
    """Return the whole number of up to 64 bits that a cell holds.

    Raises:
        ValueError: it holds something else.
    """
    match = _INTEGER.fullmatch(cell.strip(" "))
    if match is None or (number := int(match[1])) not in _INT64:
        raise ValueError(cell)
    return number


def parse_number(cell: str) -> Decimal:
    """Return the number that a cell holds, digit for digit: `4.90` stays `4.90`.

    Up to 20 digits before the point and 18 after it: what every target's exact decimals can hold.

    Raises:
        ValueError: it holds something else.
    """
    bare = cell.strip(" ")
    if _NUMBER.fullmatch(bare) is None:
        raise ValueError(cell)
    return Decimal(bare)


def parse_boolean(cell: str) -> bool:
    """Return what `Yes` or `No` says, in any case.

    Raises:
        ValueError: it says something else.
    """
    try:
        return _BOOLEANS[cell.strip(" ").lower()]
    except KeyError:
        raise ValueError(cell) from None


def parse_date(cell: str) -> str:
    """Return the date that a cell begins with, in ISO 8601, as written whatever its zone.

    Raises:
        ValueError: it holds no date.
    """
    day = parse_time(cell, None).day
    if day is None:
        raise ValueError(cell)
    return day


@lru_cache(maxsize=65536)
def parse_time(cell: str, marketplace: str | None) -> Instant:
    """Read a date and time as reports write them.

    Both `05/21/18 14:39 PST` (documented) and `2022-03-31 23:56:22 CEST` (seen) are read, with or
    without seconds and zone; a date alone counts as its first minute.

    Args:
        cell: the text.
        marketplace: whose zone counts where the text names none, such as `Amazon.de`.
    """
    match = _TIME.fullmatch(cell)
    if match is None:
        return Instant(None, None)
    part = match.groupdict()
    year = int(part["iso_year"] or part["year"])
    try:
        day = date(
            year + 2000 if year < 100 else year,  # noqa: PLR2004
            int(part["iso_month"] or part["month"]),
            int(part["iso_day"] or part["day"]),
        )
        clock = time(int(part["hour"] or 0), int(part["minute"] or 0), int(part["second"] or 0))
    except ValueError:
        return Instant(None, None)
    zone = _zone(part["zone"], marketplace)
    if zone is None:
        return Instant(None, day.isoformat())
    try:
        at = datetime.combine(day, clock, zone).astimezone(timezone.utc).isoformat()
    except OverflowError:
        at = None
    return Instant(at, day.isoformat())


def _zone(name: str | None, marketplace: str | None) -> timezone | ZoneInfo | None:
    if not name:
        key = _ZONES.get((marketplace or "").strip().lower())
        return ZoneInfo(key) if key else None
    name = name.strip().upper()
    if (hours := _ABBREVIATIONS.get(name)) is not None:
        return timezone(timedelta(hours=hours))
    if match := _OFFSET.fullmatch(name):
        offset = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
        if offset < timedelta(days=1):
            return timezone(-offset if match[1] == "-" else offset)
    return None


def _bare(header: str) -> str:
    """Return what stays the same of a header name over the years.

    Names of the same column differ in case, punctuation and remarks in parentheses:
    `Sales Price (Marketplace Currency)` is `Sales Price`.
    """
    return re.sub(r"[^0-9a-z]+", "", re.sub(r"\([^)]*\)", "", header).lower())


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
        return by_type.get(definition["type"][0])

    def match(self, header: Sequence[str]) -> dict[str, int]:
        """Find the columns in a header line, in any order and spelling.

        Where two headers fit one column, the one without a remark in parentheses counts.

        Returns:
            Column to position.

        Raises:
            UnreadableReportError: most of the columns are missing.
        """
        by_name = {_bare(name): name for name in self.columns}
        by_name |= {alias: name for alias, name in _ALIASES.items() if name in self.columns}
        found: dict[str, int] = {}
        for position in sorted(range(len(header)), key=lambda i: "(" in header[i]):
            name = by_name.get(_bare(header[position]))
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
    """Counts how often a digest has come up, in 8 to 16 bytes a digest.

    A `dict` would keep some 150 bytes alive for each row of a report of millions. This is a hash
    table with open addressing over the digests' first 64 bits. Two digests that share these would
    only share their numbering: the whole digest stands beside the number in the key.
    """

    def __init__(self) -> None:
        self._mask = (1 << 10) - 1
        self._table = array("Q", bytes(8 << 10))
        self._used = 0
        self._repeated: Counter[int] = Counter()

    def count(self, digest: bytes) -> int:
        """Return the how-manieth time this is that `digest` is counted, from 1."""
        value = int.from_bytes(digest[:8], "little") or 1
        table, mask = self._table, self._mask
        slot = value & mask
        while present := table[slot]:
            if present == value:
                self._repeated[value] += 1
                return self._repeated[value] + 1
            slot = (slot + 1) & mask
        table[slot] = value
        self._used += 1
        if self._used * 4 > mask * 3:
            self._grow()
        return 1

    def _grow(self) -> None:
        size = (self._mask + 1) * 2
        table, mask = array("Q", bytes(8 * size)), size - 1
        for value in self._table:
            if value:
                slot = value & mask
                while table[slot]:
                    slot = (slot + 1) & mask
                table[slot] = value
        self._table, self._mask = table, mask


def _is_report_part(name: str) -> bool:
    # macOS puts a hidden twin beside each file it packs.
    return name.lower().endswith(".csv") and not name.startswith("__MACOSX/")


def check_zip(file: IO[bytes]) -> None:
    """Make sure that a download is a whole ZIP before the first of its rows goes out.

    Raises:
        BrokenDownloadError: it is no ZIP, cut short or damaged.
        UnreadableReportError: it is a ZIP, but encrypted or packed in an unknown way.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            damaged = archive.testzip()
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as error:
        message = f"the download is not a whole ZIP ({error})"
        raise BrokenDownloadError(message) from None
    except (NotImplementedError, RuntimeError) as error:
        message = f"the ZIP cannot be unpacked ({error})"
        raise UnreadableReportError(message) from None
    if damaged is not None:
        message = f"the download is damaged (bad CRC in {damaged!r})"
        raise BrokenDownloadError(message)


class _BoundedLines(io.RawIOBase):
    """Passes a file's bytes on until a line of it is longer than any report's."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._length = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401
        chunk = self._file.read(len(buffer))
        end = max(chunk.rfind(b"\n"), chunk.rfind(b"\r"))
        self._length = len(chunk) - end - 1 if end >= 0 else self._length + len(chunk)
        if self._length > _MAX_LINE:
            message = f"it has a line of more than {_MAX_LINE // 1024**2} MiB"
            raise UnreadableReportError(message)
        buffer[: len(chunk)] = chunk
        return len(chunk)


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

    def warnings(self) -> Iterator[str]:
        """Yield what is worth a warning, a clause each."""
        for name in self.unknown_columns:
            yield f"the column {name!r} is unknown; its cells are kept in _rescued_data"
        for name, count in self.unfit_cells.items():
            yield (
                f"{count} cells of {name!r} are not of the column's type; "
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
            yield f"{self.long_rows} rows have too many cells; these are kept in _rescued_data"
        if self.bad_bytes:
            yield f"{self.bad_bytes} byte sequences are not UTF-8; they are kept in the form \\xff"


class _Header:
    """A header line matched to a layout: where each value of a record stands in a row."""

    def __init__(self, header: list[str], layout: Layout) -> None:
        found = layout.match(header)
        self.width = len(header)
        self.labels = self._label(header)
        # A column that the header lacks is read from one empty cell more, at the row's end.
        self.positions = {name: found.get(name, self.width) for name in layout.schema["properties"]}
        self.typed = [
            (index, self.positions[name], layout.parsers[name])
            for index, name in enumerate(self.positions)
            if name in found and name in layout.parsers
        ]
        self.unknown = sorted(set(range(self.width)) - set(found.values()))

    @staticmethod
    def _label(header: list[str]) -> list[str]:
        """Name each position for `_rescued_data`: by its header, unless that is empty or taken."""
        labels: dict[str, None] = {}
        for position, name in enumerate(header, 1):
            label = name if name.strip() else f"column {position}"
            while label in labels:
                label = f"{label} (column {position})"
            labels[label] = None
        return list(labels)


class ReportReader:
    """Reads one report."""

    def __init__(self, layout: Layout, added: Mapping[str, str]) -> None:
        """Prepare to read.

        Args:
            layout: what to look for.
            added: values that are the same in every record, such as `report_month`.
        """
        self.findings = Findings()
        self._layout = layout
        self._names = list(layout.schema["properties"])
        self._added = [(self._names.index(name), value) for name, value in added.items()]
        self._occurrences = _Occurrences()

    def read(self, file: IO[bytes]) -> Iterator[Record]:
        """Read all parts of a report, one after the other.

        Args:
            file: the ZIP, checked by `check_zip`.

        Yields:
            One record for each CSV row, no row dropped or merged, its columns in schema order.

        Raises:
            UnreadableReportError: the ZIP has no CSV, the header is another report's, or the CSV
                is broken.
        """
        with zipfile.ZipFile(file) as archive:
            files = [info for info in archive.infolist() if not info.is_dir()]
            parts = [info for info in files if _is_report_part(info.filename)]
            if not parts:
                names = ", ".join(repr(info.filename) for info in files[:10]) or "nothing"
                message = f"the ZIP holds no CSV file (found: {names})"
                raise UnreadableReportError(message)
            for part in sorted(parts, key=lambda info: info.filename):
                with archive.open(part) as member:
                    yield from self._read_part(part.filename, member)

    def _read_part(self, name: str, file: IO[bytes]) -> Iterator[Record]:
        codecs.register_error(_BAD_BYTES, self.findings.keep_bad_bytes)
        text = io.TextIOWrapper(
            io.BufferedReader(_BoundedLines(file), _CHUNK),
            encoding="utf-8-sig",
            errors=_BAD_BYTES,
            newline="",
        )
        csv.field_size_limit(_MAX_CELL)
        # `strict`: a quote that is never closed would else swallow all rows that follow.
        rows = csv.reader(text, strict=True)
        try:
            # A line without any cell is no row, at the file's end or anywhere else.
            header = next(filter(None, rows), None)
            if header is not None:
                yield from self._read_rows(filter(None, rows), _Header(header, self._layout))
        except csv.Error as error:
            message = f"{name} is no valid CSV at line {rows.line_num} ({error})"
            raise UnreadableReportError(message) from None

    def _read_rows(self, rows: Iterator[list[str]], header: _Header) -> Iterator[Record]:
        names, width, labels, typed = self._names, header.width, header.labels, header.typed
        findings, added, count = self.findings, self._added, self._occurrences.count
        unknown = header.unknown
        pick = itemgetter(*header.positions.values())
        pick_identity = itemgetter(*map(names.index, self._layout.identity))
        times = _Times(header) if "transaction_time" in header.positions else None
        findings.unknown_columns |= dict.fromkeys(labels[position] for position in unknown)

        for cells in rows:
            rescued = self._square(cells, width) if len(cells) != width else {}
            if unknown:
                rescued |= {labels[i]: cells[i] for i in unknown if cells[i]}
            cells.append("")
            values: list[Any] = [cell or None for cell in pick(cells)]
            for index, value in added:
                values[index] = value
            for index, position, parse in typed:
                if cell := cells[position]:
                    try:
                        values[index] = parse(cell)
                    except ValueError:
                        values[index] = None
                        rescued[labels[position]] = cell
                        findings.unfit_cells[labels[position]] += 1
            identity = pick_identity(values)
            if times:
                identity = (times.read(cells, values, findings), *identity)
            digest = hashlib.blake2b(encode_json(identity), digest_size=16)
            values[0] = f"{digest.hexdigest()}-{count(digest.digest())}"
            if rescued:
                values[-1] = encode_json(rescued).decode()
            yield dict(zip(names, values, strict=True))

    def _square(self, cells: list[str], width: int) -> dict[str, str]:
        """Bring a row to the header's width and return the cells that are too many."""
        surplus = {
            f"column {position}": cell
            for position, cell in enumerate(cells[width:], width + 1)
            if cell
        }
        self.findings.short_rows += len(cells) < width
        self.findings.long_rows += bool(surplus)
        cells[width:] = []
        cells += [""] * (width - len(cells))
        return surplus


class _Times:
    """Fills the columns that say in other words when a transaction was."""

    def __init__(self, header: _Header) -> None:
        names = list(header.positions)
        self._time = header.positions["transaction_time"]
        self._marketplace = header.positions["marketplace"]
        self._at = names.index("transaction_at")
        self._date = names.index("transaction_date")

    def read(self, cells: list[str], values: list[Any], findings: Findings) -> str:
        """Fill the columns and return what says of the time which line item a row is.

        That is the minute in UTC: a restated month may be written in the other of the two formats,
        and the documented one has no seconds.
        """
        cell = cells[self._time]
        instant = parse_time(cell, cells[self._marketplace])
        values[self._at], values[self._date] = instant
        if instant.at is None:
            findings.unread_times += bool(cell)
            return cell
        return instant.at[: len("2022-03-31T21:56")]
