"""Calendar months."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from tap_amazon_appstore.months import (
    FIRST_MONTH,
    add_months,
    current_month,
    first_day,
    look_back,
    months_between,
    parse_month,
)

JANUARY, FEBRUARY, MARCH, APRIL = (date(2024, number, 1) for number in range(1, 5))


@pytest.mark.parametrize(
    "text",
    [
        "2024-03-01",
        "2024-03-31",
        "2024-03-15T23:59:59",
        "2024-03-15 23:59",
        "2024-03-15T00:00:00Z",
        "2024-03-31T23:59:59.999999-11:00",
    ],
)
def test_the_month_of_a_date_or_time_is_the_one_written(text: str) -> None:
    assert parse_month(text) == MARCH


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2024",
        "2024-03",
        "2024-13-01",
        "2024-02-30",
        "2024-03-01T",
        "2024-03-01T25:00",
        "2024-03-011",
        "2024-03-01 or so",
    ],
)
def test_what_is_no_date_has_no_month(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse_month(text)


@pytest.mark.parametrize(
    ("period", "day"), [("2024-03", MARCH), ("2024-01", JANUARY), ("2024", JANUARY)]
)
def test_a_period_begins_on_the_first_day_of_its_month_or_year(period: str, day: date) -> None:
    assert first_day(period) == day


@pytest.mark.parametrize(
    ("month", "count", "other"),
    [
        (MARCH, 0, MARCH),
        (MARCH, 1, APRIL),
        (date(2023, 12, 1), 1, JANUARY),
        (JANUARY, -1, date(2023, 12, 1)),
        (JANUARY, 25, date(2026, 2, 1)),
        (MARCH, -24, date(2022, 3, 1)),
        (date(2018, 1, 1), -1, date(2017, 12, 1)),
    ],
)
def test_months_are_counted_over_the_ends_of_years(month: date, count: int, other: date) -> None:
    assert add_months(month, count) == other


@pytest.mark.parametrize(
    ("month", "count", "other"),
    [
        (MARCH, 0, MARCH),
        (MARCH, 3, date(2023, 12, 1)),
        (date(2018, 2, 1), 1, date(2018, 1, 1)),
        (date(2018, 2, 1), 2, date(2018, 1, 1)),
        (MARCH, 10**12, date(2018, 1, 1)),
        (date(1, 1, 1), 2, date(2018, 1, 1)),
    ],
)
def test_no_look_back_goes_beyond_the_first_month_that_has_reports(
    month: date, count: int, other: date
) -> None:
    assert look_back(month, count) == other


def test_reports_begin_in_january_2018() -> None:
    assert date(2018, 1, 1) == FIRST_MONTH


def test_months_between_are_all_of_them_both_ends_included() -> None:
    assert list(months_between(JANUARY, MARCH)) == [JANUARY, FEBRUARY, MARCH]
    assert list(months_between(MARCH, MARCH)) == [MARCH]
    assert list(months_between(MARCH, FEBRUARY)) == []


def test_the_current_month_is_the_one_that_sydney_is_in() -> None:
    sydney = ZoneInfo("Australia/Sydney")
    before = datetime.now(sydney)

    month = current_month()

    assert month in {before.date().replace(day=1), datetime.now(sydney).date().replace(day=1)}
