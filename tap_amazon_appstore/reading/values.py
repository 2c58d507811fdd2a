"""What the cells of a report say: numbers, dates, times."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

from msgspec import Raw

_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,20}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})")
_INTEGER = re.compile(r"([+-]?[0-9]{1,19})(?:\.0*)?")
_INT64 = range(-(2**63), 2**63)
_BOOLEANS = {"yes": True, "no": False, "true": True, "false": False}

_TIME = re.compile(
    r"""
    (?: (?P<month>\d{1,2}) / (?P<day>\d{1,2}) / (?P<year>\d{4}|\d{2})
      | (?P<iso_year>\d{4}) - (?P<iso_month>\d{1,2}) - (?P<iso_day>\d{1,2}) )
    (?: [T\s]\s* (?P<hour>\d{1,2}) : (?P<minute>\d{2}) (?: : (?P<second>\d{2}) (?:\.\d+)? )?
        (?: \s* (?P<zone>[A-Za-z+-].*) )? )?
    """,
    re.VERBOSE | re.ASCII,
)
_OFFSET = re.compile(r"(?:GMT|UTC)?([+-])(\d{1,2})(?::?([0-5]\d))?", re.ASCII)

# Minutes and seconds as written, and what they are in UTC: the same, or half an hour later in a zone
# such as India's.
_MINUTES, _MINUTES_LATER = (
    {f"{m:02}:{s:02}": f"{(m + later) % 60:02}:{s:02}" for m in range(60) for s in range(60)}
    for later in (0, 30)
)

# Half hours that are kept with what they say, and the longest text of one.
_MAX_HALF_HOURS = 32768
_MAX_HALF_HOUR = 64

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


def parse_json_number(cell: str) -> Raw:
    """Return the number that a cell holds as `parse_number` does, but ready to be written as JSON.

    Raises:
        ValueError: it holds something else.
    """
    return Raw(str(parse_number(cell)).encode())


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
    _, day = parse_time(cell, "")
    if day is None:
        raise ValueError(cell)
    return day


def parse_time(cell: str, marketplace: str) -> tuple[str | None, str | None]:
    """Read a date and time as reports write them.

    Both `05/21/18 14:39 PST` (documented) and `2022-03-31 23:56:22 CEST` (seen) are read, with or
    without seconds and zone; a date alone counts as its first minute.

    Args:
        cell: the text.
        marketplace: whose zone counts where the text names none, such as `Amazon.de`.

    Returns:
        The time in UTC and the date as written, that is the marketplace's day, in ISO 8601; None
        for what cannot be told.
    """
    # Most cells share their half hour with others: only minutes and seconds have to be copied.
    hour, _, rest = cell.partition(":")
    minute, zone = rest[:5], rest[5:]
    if minute not in _MINUTES:
        minute, zone = f"{rest[:2]}:00", rest[2:]
    if minute in _MINUTES:
        half_hour = _half_hours[hour, minute < "30", zone, marketplace]
        if half_hour is not None:
            utc_hour, utc_minutes, day = half_hour
            return utc_hour and f"{utc_hour}:{utc_minutes[minute]}+00:00", day
    return _parse_time(cell, marketplace)


_HalfHour = tuple[str | None, dict[str, str], str | None]


class _HalfHours(dict[tuple[str, bool, str, str], _HalfHour | None]):
    """Half hours that have come up. A month has 1,488 of them, in each of its marketplaces."""

    def __missing__(self, key: tuple[str, bool, str, str]) -> _HalfHour | None:
        hour, _, zone, marketplace = key
        half_hour = _parse_half_hour(*key)
        if len(hour + zone + marketplace) <= _MAX_HALF_HOUR:
            if len(self) >= _MAX_HALF_HOURS:
                self.clear()
            self[key] = half_hour
        return half_hour


_half_hours = _HalfHours()


def _parse_half_hour(hour: str, is_first: bool, zone: str, marketplace: str) -> _HalfHour | None:  # noqa: FBT001
    """Read a time of which all but minutes and seconds is known.

    Returns:
        The hour in UTC, what its minutes are in UTC, and the date as written; None if these depend
        on the minutes.
    """
    if zone.startswith("."):
        return None
    minute = "00:00" if is_first else "30:00"
    at, day = _parse_time(f"{hour}:{minute}{zone}", marketplace)
    if at is None:
        return None, _MINUTES, day
    for minutes in (_MINUTES, _MINUTES_LATER):
        if at.endswith(rest := f":{minutes[minute]}+00:00"):
            return at.removesuffix(rest), minutes, day
    return None


def _parse_time(cell: str, marketplace: str) -> tuple[str | None, str | None]:
    match = _TIME.fullmatch(cell.strip())
    if match is None:
        return None, None
    part = match.groupdict()
    year = part["iso_year"] or part["year"]
    try:
        day = date(
            int(f"20{year}"[-4:]),
            int(part["iso_month"] or part["month"]),
            int(part["iso_day"] or part["day"]),
        )
        clock = time(int(part["hour"] or 0), int(part["minute"] or 0), int(part["second"] or 0))
    except ValueError:
        return None, None
    zone = _zone(part["zone"], marketplace)
    if zone is None:
        return None, day.isoformat()
    try:
        at = datetime.combine(day, clock, zone).astimezone(timezone.utc).isoformat()
    except OverflowError:
        return None, day.isoformat()
    return at, day.isoformat()


def _zone(name: str | None, marketplace: str) -> timezone | ZoneInfo | None:
    if not name:
        key = _ZONES.get(marketplace.strip().lower())
        return ZoneInfo(key) if key else None
    name = name.upper()
    if (hours := _ABBREVIATIONS.get(name)) is not None:
        return timezone(timedelta(hours=hours))
    if match := _OFFSET.fullmatch(name):
        offset = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
        if offset < timedelta(days=1):
            return timezone(-offset if match[1] == "-" else offset)
    return None
