"""How a sample report is written, which changes from month to month."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import tzinfo


class Table(NamedTuple):
    """A report: header names by field, in the order of columns, and rows in the order of fields."""

    fields: tuple[str, ...]
    header: Mapping[str, str]
    rows: Iterator[list[str]]


@dataclass(frozen=True)
class Layout:
    """The form of one month's file. Any six months in a row have each form at least once."""

    observed: bool
    """Column names and dates as seen in real files, instead of as documented."""
    byte_order_mark: bool
    line_end: str
    quoted: bool
    parts: int
    streamed: bool

    @classmethod
    def of(cls, month: date) -> Layout:
        """Return the layout of a month's files."""
        number = month.year * 12 + month.month
        return cls(
            observed=number % 2 == 1,
            byte_order_mark=number % 3 == 0,
            line_end="\r\n" if number % 4 in (2, 3) else "\n",
            quoted=number % 5 in (0, 1),
            parts=3 if number % 3 == 1 else 1,
            streamed=number % 4 in (1, 2),
        )


def add_months(month: date, number: int) -> date:
    """Return the first day of the month that is so many months later."""
    years, index = divmod(month.year * 12 + month.month - 1 + number, 12)
    return date(years, index + 1, 1)


@lru_cache(maxsize=200)
def timestamp(day: date, zone: tzinfo) -> float:
    """Return the POSIX timestamp at which a day begins in a zone."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()


def documented_time(moment: datetime) -> str:
    """Format a time as documented: `05/21/18 14:39 PST`."""
    return f"{moment:%m/%d/%y %H:%M} {_zone(moment)}"


def observed_time(moment: datetime) -> str:
    """Format a time as observed: `2022-03-31 23:56:22 CEST`."""
    return f"{moment:%Y-%m-%d %H:%M:%S} {_zone(moment)}"


def _zone(moment: datetime) -> str:
    name = moment.tzname() or ""
    return _ZONES_WITHOUT_NAME.get(name, name)


# The time zone database no longer has these abbreviations; Amazon's reports do.
_ZONES_WITHOUT_NAME = {"-03": "BRT", "-02": "BRST"}
