"""Calendar months, each as its first day, and periods: what a report file covers.

A period is a month such as `2024-03` or, for earnings, a year such as `2024`.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Iterator

_DATE = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")

FIRST_MONTH = date(2018, 1, 1)
"""The first month that Amazon has reports of, by its Reporting API page."""


def parse_month(text: str) -> date:
    """Return the month of an ISO 8601 date or date-time.

    Raises:
        ValueError: the text is neither.
    """
    day, time = text[:10], text[10:]
    # Python reads more forms of ISO 8601 from 3.11 on; a setting means the same to all versions.
    if not _DATE.fullmatch(day):
        raise ValueError(text)
    if time:
        datetime.fromisoformat(text.replace("Z", "+00:00"))
    return date.fromisoformat(day).replace(day=1)


def period_name(month: date) -> str:
    """Return the period of one month, such as `2024-03`."""
    return f"{month:%Y-%m}"


def first_day(period: str) -> date:
    """Return the first day of a period."""
    year, _, month = period.partition("-")
    return date(int(year), int(month or 1), 1)


def add_months(month: date, count: int) -> date:
    """Return the month that lies `count` months later, or earlier if that is negative."""
    years, index = divmod(month.month - 1 + count, 12)
    return date(month.year + years, index + 1, 1)


def look_back(month: date, count: int) -> date:
    """Return the month `count` months earlier, at least the first one that has reports."""
    years, months = month.year - FIRST_MONTH.year, month.month - FIRST_MONTH.month
    return add_months(month, -min(count, 12 * years + months))


def months_between(first: date, last: date) -> Iterator[date]:
    """Yield the months from `first` to `last`, both included."""
    while first <= last:
        yield first
        first = add_months(first, 1)


def current_month() -> date:
    """Return the current month of the marketplace that enters a month first, Amazon.com.au."""
    return datetime.now(ZoneInfo("Australia/Sydney")).date().replace(day=1)
