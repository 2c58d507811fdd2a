"""Transaction times: as written in a marketplace's time zone, and in UTC."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from tap_amazon_appstore.reading.line_ids import normalize_date, normalize_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_TIMESTAMP = re.compile(
    r"""
    (?: \d{1,2} / \d{1,2} / (?:\d{4}|\d{2}) | \d{4} - \d{1,2} - \d{1,2} )
    (?: [T\s]\s* (?P<hour>\d{1,2}) : (?P<minute>\d{2}) (?: : (?P<second>\d{2}) (?:\.\d+)? )?
        (?: \s* (?P<zone>[A-Za-z+-].*) )? )?
    """,
    re.VERBOSE | re.ASCII,
)
_OFFSET = re.compile(r"(?:GMT|UTC)?([+-])(\d{1,2})(?::?([0-5]\d))?", re.ASCII)
_ABBREVIATION = re.compile(r"(?!AM$|PM$)[A-Z]{2,5}")
_UTC = frozenset({"UTC", "UT", "GMT", "Z"})


@dataclass(frozen=True, eq=False)
class _Country:
    """How times are written in a country's marketplace."""

    zone: str | None = None
    """Time zone of the marketplace's dates (Amazon's Reporting API page); None if unknown."""

    offsets: tuple[float, ...] = ()
    """Hours east of UTC at which clocks are anywhere in the country."""

    standard: tuple[str, ...] = ()
    """Abbreviations of that zone's standard time: old, English and local ones."""

    others: tuple[str, ...] = ()
    """Abbreviations of its summer time, and of both."""


_PARIS = _Country("Europe/Paris", (1, 2), ("CET", "MET", "MEZ"), ("CEST", "CEDT", "MEST", "MESZ"))
_SPAIN = replace(_PARIS, offsets=(0, 1, 2))

# Canada's marketplace has no zone in Amazon's table, and Mexico's is not in it: their times
# without an offset have no instant, which is better than one that is hours off.
_MARKETPLACES = {
    "amazon.com": _Country("America/Los_Angeles", (*range(-10, -3),), ("PST",), ("PDT", "PT")),
    "amazon.com.au": _Country(
        "Australia/Sydney", (8, 8.75, 9.5, 10, 10.5, 11), ("AEST", "EST"), ("AEDT", "EDT", "AET")
    ),
    "amazon.com.br": _Country("America/Sao_Paulo", (-5, -4, -3, -2), ("BRT",), ("BRST",)),
    "amazon.ca": _Country(None, (-8, -7, -6, -5, -4, -3.5, -3, -2.5)),
    "amazon.com.mx": _Country(None, (-8, -7, -6, -5)),
    "amazon.de": _PARIS,
    "amazon.es": _SPAIN,
    "amazon.fr": _PARIS,
    "amazon.it": _PARIS,
    "amazon.co.uk": _Country("Europe/London", (0, 1), ("GMT",), ("BST",)),
    "amazon.in": _Country("Asia/Kolkata", (5.5,), ("IST",)),
    "amazon.co.jp": _Country("Asia/Tokyo", (9,), ("JST",)),
}
_UNKNOWN = _Country()

# Hours east of UTC that an abbreviation stands for most often.
_COMMON_OFFSETS = {
    "WET": 0, "BST": 1, "WEST": 1, "CET": 1, "CEST": 2, "MET": 1, "MEST": 2, "EET": 2, "EEST": 3,
    "NST": -3.5, "NDT": -2.5, "AST": -4, "ADT": -3, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5,
    "MST": -7, "MDT": -6, "PST": -8, "PDT": -7, "AKST": -9, "AKDT": -8, "HST": -10,
    "BRT": -3, "BRST": -2, "AMT": -4, "IST": 5.5, "JST": 9, "KST": 9,
    "AWST": 8, "ACST": 9.5, "ACDT": 10.5, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13,
}  # fmt: skip

# Those of them that other countries use for other offsets: they are not read where the country is
# unknown.
_AMBIGUOUS = frozenset(
    {"ADT", "AMT", "AST", "BST", "CDT", "CST", "EDT", "EST", "IST", "MST", "NST", "PST"}
)

# Minutes and seconds as written, and in UTC: the same, or half an hour later in a zone such as
# India's.
_CLOCKS, _LATER_CLOCKS = (
    {
        f"{minute:02}:{second:02}": f"{(minute + later) % 60:02}:{second:02}"
        for minute in range(60)
        for second in range(60)
    }
    for later in (0, 30)
)

# Half hours and timestamps that are cached of a report, and the longest text of one. A month has
# 1,488 half hours in each of its marketplaces.
_MAX_CACHED = 32_768
_MAX_LENGTH = 64

# Characters of a zone, such as `UTC+05:30`.
_MAX_ZONE = 12


class Timestamp(NamedTuple):
    """A time that was read from a cell."""

    at: str | None
    """The instant in UTC, in ISO 8601; None if it is unknown."""

    day: str | None
    """The date as written, that is the marketplace's day; None if there is none."""

    is_zone_replaced: bool = False
    """Whether the marketplace's zone was used because the one in the cell is not the country's."""


def parse_timestamp(cell: str, marketplace: str) -> Timestamp:
    """Read a date and time as reports write them.

    Both `05/21/18 14:39 PST` (documented) and `2022-03-31 23:56:22 CEST` (seen) are read, with or
    without seconds and zone; a date alone counts as its first minute.

    Args:
        cell: the text.
        marketplace: such as `Amazon.de`. Its time zone applies where the text has none, and where
            the text has one of that zone's abbreviations: these are used whatever the season, and
            distinguish only the two passes through a repeated hour.
    """
    text = cell.strip()
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        return Timestamp(None, None)
    try:
        day = date.fromisoformat(normalize_date(text))
    except ValueError:
        return Timestamp(None, None)
    try:
        # `24:00:00`, a leap second, an offset of a day: the date is still what is written.
        clock = time(int(match["hour"] or 0), int(match["minute"] or 0), int(match["second"] or 0))
        country = _MARKETPLACES.get(marketplace.strip().lower(), _UNKNOWN)
        zone = _find_zone(country, (match["zone"] or "").upper()[:_MAX_ZONE])
        at = _to_utc(datetime.combine(day, clock), zone)
    except (ValueError, OverflowError):
        return Timestamp(None, day.isoformat())
    return Timestamp(at, day.isoformat(), zone.is_replaced and at is not None)


class _Zone(NamedTuple):
    zone: tzinfo | None
    is_standard: bool = False
    """Whether of two equal clock times the later one is meant."""
    is_replaced: bool = False


@lru_cache(maxsize=256)
def _find_zone(country: _Country, name: str) -> _Zone:
    """Return the zone of a time with the zone `name`, which can be empty.

    Raises:
        ValueError: it is an offset of a day or more.
    """
    local = ZoneInfo(country.zone) if country.zone else None
    if not name or name in country.standard + country.others:
        return _Zone(local, is_standard=name in country.standard)
    if offset := _OFFSET.fullmatch("+0" if name in _UTC else name):
        sign, hours, minutes = offset.groups(default="0")
        east = timedelta(hours=int(hours), minutes=int(minutes))
        return _Zone(timezone(-east if sign == "-" else east))
    if not _ABBREVIATION.fullmatch(name):
        return _Zone(None)
    hours_east = _COMMON_OFFSETS.get(name)
    is_possible = hours_east in country.offsets if country.offsets else name not in _AMBIGUOUS
    if hours_east is not None and is_possible:
        return _Zone(timezone(timedelta(hours=hours_east)))
    return _Zone(local, is_replaced=True)


def _to_utc(clock: datetime, zone: _Zone) -> str | None:
    if zone.zone is None:
        return None
    at = clock.replace(tzinfo=zone.zone)
    if zone.is_standard:
        later = at.replace(fold=1)
        # In an hour that the clock skips, `fold` means something else.
        if at.utcoffset() > later.utcoffset():  # type: ignore[operator]
            at = later
    return at.astimezone(timezone.utc).isoformat()


class TimeColumns(NamedTuple):
    """Transaction times of some rows, by columns."""

    at: list[str | None]
    """Instants in UTC."""

    day: list[str | None]
    """Dates as written."""

    written: list[str]
    """Times as written, as `normalize_time` returns them."""


class _HalfHour(NamedTuple):
    """Properties that all times of a half hour share."""

    utc_hour: str
    clocks: dict[str, str]
    """Minutes and seconds as written to those in UTC."""
    day: str
    written_hour: str


class _Cache(dict[tuple[str, ...], Any]):
    """Results of a function, but for long texts or more of them than in any report: files can be."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self._function = function

    def __missing__(self, texts: tuple[str, ...]) -> Any:  # noqa: ANN401
        result = self._function(*texts)
        if len(self) < _MAX_CACHED and len("".join(texts)) <= _MAX_LENGTH:
            self[texts] = result
        return result


class TimestampReader:
    """Reads the transaction times of one report, half hours at once, and counts what is odd."""

    def __init__(self) -> None:
        """Prepare to read."""
        self._half_hours = _Cache(_parse_half_hour)
        self._timestamps = _Cache(parse_timestamp)
        self.without_instant = 0
        """Times with a date that are not known in UTC."""
        self.without_date = 0
        """Times that are not known at all."""
        self.replaced_zones = 0
        """Times that were read in the marketplace's zone instead of the one in the cell."""
        self.example = ""
        """One of those that are not fully known."""
        self.replaced_example = ""
        """One of those whose zone was replaced."""

    def read(self, cells: Iterable[str], marketplaces: Iterable[str]) -> TimeColumns:
        """Return the times in cells of some rows, read as `parse_timestamp` does."""
        columns = TimeColumns([], [], [])
        add_at, add_day = columns.at.append, columns.day.append
        add_written = columns.written.append
        half_hours = self._half_hours
        for cell, marketplace in zip(cells, marketplaces, strict=True):
            # Most times differ from others only in minutes and seconds.
            hour, _, rest = cell.partition(":")
            clock, zone = rest[:5], rest[5:]
            if clock not in _CLOCKS:
                clock, zone = f"{rest[:2]}:00", rest[2:]
            half_hour = half_hours[hour, "00:00" if clock < "30" else "30:00", zone, marketplace]
            if half_hour and clock in _CLOCKS:
                utc_hour, clocks, day, written_hour = half_hour
                add_at(f"{utc_hour}:{clocks[clock]}+00:00")
                add_day(day)
                add_written(f"{written_hour}:{clock[:2]}")
            else:
                timestamp = self._read_one(cell, marketplace)
                add_at(timestamp.at)
                add_day(timestamp.day)
                add_written(normalize_time(cell))
        return columns

    def _read_one(self, cell: str, marketplace: str) -> Timestamp:
        timestamp: Timestamp = self._timestamps[cell, marketplace]
        if timestamp.at is None and cell:
            self.without_instant += timestamp.day is not None
            self.without_date += timestamp.day is None
            self.example = self.example or cell
        if timestamp.is_zone_replaced:
            self.replaced_zones += 1
            self.replaced_example = self.replaced_example or f"{cell} ({marketplace})"
        return timestamp


def _parse_half_hour(hour: str, clock: str, zone: str, marketplace: str) -> _HalfHour | None:
    """Read a half hour that begins at `clock`.

    Returns:
        None if the rest of the time depends on minutes and seconds, or is not fully known.
    """
    cell = f"{hour}:{clock}{zone}"
    timestamp = parse_timestamp(cell, marketplace)
    # A fraction of a second is valid only if there are seconds.
    if timestamp.at and timestamp.day and not timestamp.is_zone_replaced and zone[:1] != ".":
        for clocks in (_CLOCKS, _LATER_CLOCKS):
            rest = f":{clocks[clock]}+00:00"
            if timestamp.at.endswith(rest):
                utc_hour = timestamp.at.removesuffix(rest)
                written_hour = normalize_time(cell).removesuffix(f":{clock[:2]}")
                return _HalfHour(utc_hour, clocks, timestamp.day, written_hour)
    return None
