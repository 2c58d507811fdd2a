"""What the cells of a report say: numbers, dates, times."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

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

# Hours that have come up. A month has 744 of them, in each of its marketplaces. Only short ones are
# kept, with no more characters of time and marketplace than this.
_hours: dict[tuple[str, str, str], tuple[str | None, str | None]] = {}
_MOST_HOURS = 16384
_LONGEST_HOUR = 100

_MINUTES = frozenset(f"{minute:02}:{second:02}" for minute in range(60) for second in range(60))

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
    # Most cells share their hour with others: only minutes and seconds have to be copied.
    hour, _, rest = cell.partition(":")
    minute, zone = (rest[:5], rest[5:]) if rest[2:3] == ":" else (f"{rest[:2]}:00", rest[2:])
    if minute in _MINUTES:
        key = (hour, zone, marketplace)
        parsed = _hours.get(key)
        if parsed is None:
            parsed = _parse_hour(*key)
            if len(_hours) >= _MOST_HOURS:
                _hours.clear()
            if len(cell) + len(marketplace) <= _LONGEST_HOUR:
                _hours[key] = parsed
        utc_hour, day = parsed
        if utc_hour:
            return f"{utc_hour}:{minute}+00:00", day
    return _parse_time(cell, marketplace)


def _parse_hour(hour: str, zone: str, marketplace: str) -> tuple[str | None, str | None]:
    """Read a time without its minutes; (None, None) unless its minutes are the same in UTC."""
    if zone.startswith("."):
        return None, None
    at, day = _parse_time(f"{hour}:00:00{zone}", marketplace)
    if at is None or not at.endswith(":00:00+00:00"):
        return None, None
    return at.removesuffix(":00:00+00:00"), day


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
