"""What the cells of a report say: numbers, dates, times."""

from __future__ import annotations

import itertools
import json
import re
import time
from datetime import datetime, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tap_amazon_appstore.reading.values import (
    parse_boolean,
    parse_date,
    parse_integer,
    parse_number,
    parse_time,
)
from tests.data import sale
from tests.reading import (
    SUBSCRIPTIONS,
    anything,
    numberish,
    property_test,
    read_cell,
    read_rows,
    timeish,
)


@property_test
@given(
    st.sampled_from(["", "-", "+"]),
    st.from_regex(r"0|[1-9][0-9]{0,19}", fullmatch=True),
    st.from_regex(r"([.][0-9]{1,18})?", fullmatch=True),
)
def test_amounts_are_exact_digit_for_digit(sign: str, whole: str, fraction: str) -> None:
    value = read_cell("Sales Price", sign + whole + fraction)["sales_price"]

    assert type(value) is Decimal
    assert format(value, "f") == sign.replace("+", "") + whole + fraction


@pytest.mark.parametrize(
    ("cell", "value"),
    [(" 4.90 ", "4.90"), ("-.5", "-0.5"), ("007.50", "7.50"), ("12.", "12"), ("-0.00", "-0.00")],
)
def test_a_number_may_be_written_in_other_ways(cell: str, value: str) -> None:
    assert str(parse_number(cell)) == value


NO_NUMBERS = [
    *[" ", ".", "+", "-", "--1", "+-1", "1-", "1.2.3", "1 000", "1,000", "1,000.00", "4,99"],
    *["1_000", "1e3", "1E-3", "0x1F", "inf", "-Infinity", "nan", "sNaN", "NA", "None", "½", "²"],
    *[
        "٣",
        "\uff13",
        "\u22121",
        "(5)",
        "$5",
        "5 USD",
        "5%",
        "1\n",
        "\t1",
        "\u00a01",
        "9" * 21,
        "9" * 5000,
    ],
    *["0." + "1" * 19, "Yes"],
]


@pytest.mark.parametrize("cell", NO_NUMBERS)
def test_what_is_no_number_is_refused(cell: str) -> None:
    for parse in (parse_number, parse_integer):
        with pytest.raises(ValueError, match=re.escape(cell)):
            parse(cell)


@settings(property_test, max_examples=300)
@given(numberish)
def test_a_number_is_never_guessed(cell: str) -> None:
    """What is accepted is plain digits, and is what they say; what is refused is not plain."""
    plain = re.fullmatch(r" *([+-]?)(\d*)(?:(\.)(\d*))? *", cell, re.ASCII)
    try:
        value = parse_number(cell)
    except ValueError:
        assert not plain or not (plain[2] or plain[4]) or len(cell) > 18
    else:
        assert plain
        digits = int((plain[2] or "") + (plain[4] or ""))
        assert abs(value).scaleb(len(plain[4] or "")) == digits
        assert value.is_signed() == (plain[1] == "-")


@property_test
@given(st.integers(-(2**63), 2**63 - 1), st.sampled_from(["", ".", ".0", ".000"]))
def test_whole_numbers_of_64_bits_are_integers(number: int, fraction: str) -> None:
    value = read_cell("Units", f"{number}{fraction}")["units"]

    assert type(value) is int
    assert value == number


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("+7", 7),
        ("7.", 7),
        (" 7.000 ", 7),
    ],
)
def test_an_integer_may_be_written_in_other_ways(cell: str, number: int) -> None:
    assert parse_integer(cell) == number


@pytest.mark.parametrize("cell", ["1.5", "1.01", "9223372036854775808", "-9223372036854775809"])
def test_other_numbers_are_no_integers(cell: str) -> None:
    record = read_cell("Units", cell)

    assert record["units"] is None
    assert json.loads(record["_rescued_data"]) == {"Units": cell}


@pytest.mark.parametrize(
    "cell", ["Yes", "yes", "YES", " Yes ", "true", "True", "No", "NO", "false"]
)
def test_yes_and_no_are_booleans(cell: str) -> None:
    expected = cell.strip().lower() in {"yes", "true"}

    assert parse_boolean(cell) is expected
    assert read_cell("Adjustment", cell)["adjustment"] is expected


@pytest.mark.parametrize(
    "cell", ["Y", "N", "1", "0", "Maybe", "NA", "Ja", "ye\u017f", " ", "Yes\n"]
)
def test_nothing_else_is_a_boolean(cell: str) -> None:
    with pytest.raises(ValueError, match=re.escape(cell)):
        parse_boolean(cell)


# ----------------------------------------------------------------------------------------- times

ZONES = {
    "Amazon.com": "America/Los_Angeles",
    "Amazon.com.au": "Australia/Sydney",
    "Amazon.com.br": "America/Sao_Paulo",
    "Amazon.de": "Europe/Paris",
    "Amazon.es": "Europe/Paris",
    "Amazon.fr": "Europe/Paris",
    "Amazon.it": "Europe/Paris",
    "Amazon.co.uk": "Europe/London",
    "Amazon.in": "Asia/Kolkata",
    "Amazon.co.jp": "Asia/Tokyo",
}


@pytest.mark.parametrize(
    ("cell", "at", "day"),
    [
        ("05/21/18 14:39 PST", "2018-05-21T22:39:00+00:00", "2018-05-21"),
        ("05/21/18 14:39:07 PST", "2018-05-21T22:39:07+00:00", "2018-05-21"),
        ("2022-03-31 23:56:22 CEST", "2022-03-31T21:56:22+00:00", "2022-03-31"),
        ("2024-01-15 12:00:00 UTC", "2024-01-15T12:00:00+00:00", "2024-01-15"),
        ("03/31/2022", "2022-03-31T07:00:00+00:00", "2022-03-31"),
        ("3/1/2022 4:05", "2022-03-01T12:05:00+00:00", "2022-03-01"),
        ("2024-01-15T12:00:00Z", "2024-01-15T12:00:00+00:00", "2024-01-15"),
        ("2024-01-15T12:00:00.250+01:00", "2024-01-15T11:00:00+00:00", "2024-01-15"),
        ("  2024-01-15  12:00:00  jst  ", "2024-01-15T03:00:00+00:00", "2024-01-15"),
        ("12/31/18 23:30 PST", "2019-01-01T07:30:00+00:00", "2018-12-31"),
    ],
)
def test_the_known_ways_to_write_a_time_are_read(cell: str, at: str, day: str) -> None:
    record = read_cell("Transaction Time", cell)

    assert record["transaction_time"] == cell
    assert record["transaction_at"] == at
    assert record["transaction_date"] == day


@pytest.mark.parametrize(
    ("zone", "hours"),
    [
        *[("PST", -8), ("PDT", -7), ("UTC", 0), ("GMT", 0), ("Z", 0), ("BST", 1), ("CET", 1)],
        *[("CEST", 2), ("IST", 5.5), ("JST", 9), ("AEST", 10), ("AEDT", 11), ("BRT", -3)],
        *[("BRST", -2), ("EST", -5), ("EDT", -4), ("+0530", 5.5), ("-08:00", -8), ("+9", 9)],
        *[("GMT+2", 2), ("UTC-03:30", -3.5), ("-00:00", 0), ("+23:59", 23 + 59 / 60)],
        *[("WET", 0), ("WEST", 1), ("MET", 1), ("MEST", 2), ("EET", 2), ("EEST", 3), ("cst", -6)],
        *[("CDT", -5), ("MST", -7), ("MDT", -6), ("AKST", -9), ("AKDT", -8), ("HST", -10)],
        *[("KST", 9), ("AWST", 8), ("ACST", 9.5), ("ACDT", 10.5), ("NZST", 12), ("NZDT", 13)],
    ],
)
def test_a_zone_means_its_own_offset_in_any_season_and_marketplace(zone: str, hours: float) -> None:
    for day, marketplace in itertools.product(("2024-01-10", "2024-07-10"), ("Amazon.de", "")):
        noon = datetime.fromisoformat(f"{day}T12:00:00+00:00").timestamp()

        at, _ = parse_time(f"{day} 12:00 {zone}", marketplace)

        assert at is not None
        assert datetime.fromisoformat(at).timestamp() == noon - hours * 3600


@pytest.mark.parametrize("seconds", ["", ":00", ":59"])
@pytest.mark.parametrize(
    ("zone", "minute", "utc"),
    [
        *[("IST", "00", "06:30"), ("IST", "29", "06:59"), ("IST", "30", "07:00")],
        *[("IST", "45", "07:15"), ("IST", "59", "07:29"), ("JST", "30", "03:30")],
        *[("+05:45", "00", "06:15"), ("+05:45", "29", "06:44"), ("+05:45", "59", "07:14")],
    ],
)
def test_minutes_are_reckoned_in_every_half_hour(
    zone: str, minute: str, utc: str, seconds: str
) -> None:
    at, _ = parse_time(f"2024-01-15 12:{minute}{seconds} {zone}", "")

    assert at == f"2024-01-15T{utc}{seconds or ':00'}+00:00"


@st.composite
def written_times(draw: st.DrawFn) -> tuple[datetime, str, str]:
    """Draw an instant, and how a report of a marketplace writes it."""
    instant = draw(st.datetimes(datetime(2018, 1, 1), datetime(2037, 12, 31)))  # noqa: DTZ001
    marketplace = draw(st.sampled_from(sorted(ZONES)))
    seconds = draw(st.booleans())
    instant = instant.replace(second=instant.second * seconds, microsecond=0, tzinfo=timezone.utc)
    local = instant.astimezone(ZoneInfo(ZONES[marketplace]))
    day = draw(
        st.sampled_from(
            [f"{local:%m/%d/%y}", f"{local:%Y-%m-%d}", f"{local.month}/{local.day}/{local.year}"]
        )
    )
    offset = draw(st.sampled_from([f"{local:%z}", local.isoformat()[-6:]]))
    zone = draw(st.sampled_from(["", f" {local:%Z}", offset, f" {offset}", f" UTC{offset}"]))
    # Written without a zone, the second of two equal hours cannot be told from the first.
    assume(zone or not local.fold)
    return instant, f"{day} {local:%H:%M}{f':{local:%S}' * seconds}{zone}", marketplace


@settings(property_test, max_examples=300)
@given(written_times())
def test_an_instant_that_a_marketplace_wrote_is_read_back(
    written: tuple[datetime, str, str],
) -> None:
    instant, cell, marketplace = written

    at, day = parse_time(cell, marketplace)

    assert at == instant.isoformat()
    assert day == f"{instant.astimezone(ZoneInfo(ZONES[marketplace])):%Y-%m-%d}"


@pytest.mark.parametrize(
    ("cell", "marketplace", "at"),
    [
        ("2024-03-10 01:59", "Amazon.com", "2024-03-10T09:59:00+00:00"),
        ("2024-03-10 02:30", "Amazon.com", "2024-03-10T10:30:00+00:00"),  # skipped by the clock
        ("2024-03-10 03:00", "Amazon.com", "2024-03-10T10:00:00+00:00"),
        ("2024-11-03 01:30", "Amazon.com", "2024-11-03T08:30:00+00:00"),  # the first of two
        ("2024-11-03 01:30 PST", "Amazon.com", "2024-11-03T09:30:00+00:00"),
        ("2024-03-31", "Amazon.co.uk", "2024-03-31T00:00:00+00:00"),
        ("2024-04-01", "Amazon.co.uk", "2024-03-31T23:00:00+00:00"),
        ("2018-11-04 00:30", "Amazon.com.br", "2018-11-04T03:30:00+00:00"),
        ("2018-11-04 01:30", "Amazon.com.br", "2018-11-04T03:30:00+00:00"),
        ("05/21/18", "Amazon.in", "2018-05-20T18:30:00+00:00"),
        ("05/21/18", " AMAZON.DE ", "2018-05-20T22:00:00+00:00"),
    ],
)
def test_without_a_zone_the_marketplaces_clock_counts(cell: str, marketplace: str, at: str) -> None:
    assert parse_time(cell, marketplace)[0] == at


@pytest.mark.parametrize(
    ("cell", "marketplace"),
    [
        ("2024-03-21 14:39", "Amazon.ca"),
        ("2024-03-21 14:39", "Amazon.example"),
        ("2024-03-21", ""),
        ("03/21/24 14:39 XST", "Amazon.com"),
        ("03/21/24 14:39 +24:00", "Amazon.com"),
        ("03/21/24 14:39 +25:00", "Amazon.com"),
        ("03/21/24 14:39 +05:99", "Amazon.com"),
        ("03/21/24 02:39 PM", "Amazon.com"),
        ("03/21/24 02:39 PM PST", "Amazon.com"),
        ("2024-03-21 14:39:00 Europe/Paris", "Amazon.de"),
        ("2024-03-21 14:39:00 Pacific Standard Time", "Amazon.com"),
    ],
)
def test_of_a_time_in_an_unknown_zone_the_day_as_written_is_known(
    cell: str, marketplace: str
) -> None:
    report = read_rows([sale(Transaction_Time=cell, Marketplace=marketplace)])

    (record,) = report.records
    assert record["transaction_time"] == cell
    assert record["transaction_at"] is None
    assert record["transaction_date"] == "2024-03-21"
    assert record["_rescued_data"] is None
    assert len(report.warnings) == 1


NO_DATES = [
    *["NA", " ", "-", "2024", "1711000000", "20240301", "2024/03/01", "01.03.2024", "May 1, 2024"],
    *["13/45/24", "31/03/24", "02/30/24", "2023-02-29", "2024-00-10", "2024-13-01", "0000-01-01"],
    *["03/21/024", "03/21/1", "٠٣/٢١/٢٤", "2024-03-01 24:00", "2024-03-01 12:60", "2024-03-01 1"],
    *["2024-03-01 12:00:00 2024", "2024-03-01 12:00 CET\nx", "2024-03-01 12:00:07:00"],
    *["2024-03-01 12:00:07:00 CET", "2024-03-01 :00:00", "2024-03-01:00"],
    *["2024-03-01 12:39:60 CET", "2024-03-01 12:60:00 CET", "2024-03-01 12:39.5 CET"],
]


@pytest.mark.parametrize("cell", NO_DATES)
def test_what_is_no_time_is_kept_as_text_alone(cell: str) -> None:
    report = read_rows([sale(Transaction_Time=cell)])

    (record,) = report.records
    assert record["transaction_time"] == cell
    assert (record["transaction_at"], record["transaction_date"]) == (None, None)
    assert len(report.warnings) == 1


@pytest.mark.parametrize("cell", NO_DATES)
def test_what_is_no_date_is_rescued(cell: str) -> None:
    with pytest.raises(ValueError, match=re.escape(cell)):
        parse_date(cell)
    record = read_cell("Date", cell, SUBSCRIPTIONS)
    assert record["date"] is None
    assert json.loads(record["_rescued_data"]) == {"Date": cell}


def test_two_digits_of_a_year_are_of_this_century_and_four_are_all_of_it() -> None:
    assert parse_date("01/02/00") == "2000-01-02"
    assert parse_date("01/02/99") == "2099-01-02"
    assert parse_date("01/02/0018") == "0018-01-02"
    assert parse_date("0099-01-02") == "0099-01-02"


@settings(property_test, max_examples=200)
@given(
    st.datetimes().map("{:%m/%d/%Y %H:%M:%S}".format) | timeish | anything,
    st.sampled_from(["", " CET", " +23:59", " -2359", " JST"]),
    st.sampled_from([*ZONES, "Amazon.ca", ""]),
)
def test_any_text_is_a_time_or_none(text: str, zone: str, marketplace: str) -> None:
    at, day = parse_time(text + zone, marketplace)

    assert at is None or datetime.fromisoformat(at).utcoffset() is not None
    assert day is None or datetime.fromisoformat(day)
    assert day or not at


@pytest.mark.parametrize(
    "cell",
    ["03/21/24 14:39" + " " * 50_000 + "!", "03/21/24 14:39 +" + " " * 50_000 + "\n!"],
    ids=["spaces", "an offset of spaces"],
)
def test_a_senseless_time_is_refused_at_once(cell: str) -> None:
    started = time.process_time()

    assert parse_time(cell, "Amazon.com")[0] is None
    assert time.process_time() - started < 1


@pytest.mark.parametrize(
    ("cell", "day"),
    [("12/31/9999 23:59 PST", "9999-12-31"), ("0001-01-01 00:00:00 JST", "0001-01-01")],
)
def test_a_time_beyond_the_calendar_is_not_told_in_utc(cell: str, day: str) -> None:
    assert parse_time(cell, "Amazon.com") == (None, day)
