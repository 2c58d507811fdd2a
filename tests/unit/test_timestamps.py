"""Transaction times: as written in a marketplace's time zone, and in UTC."""

from __future__ import annotations

import itertools
import time
from datetime import date, datetime, timedelta, timezone
from importlib import resources
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_amazon_appstore.months import FIRST_MONTH, months_between
from tap_amazon_appstore.reading.line_ids import normalize_time
from tap_amazon_appstore.reading.timestamps import (
    _COMMON_OFFSETS,
    _MARKETPLACES,
    TimestampReader,
    parse_timestamp,
)
from tests.data import sale
from tests.reading import NOT_DATES, anything, property_test, read_cell, read_rows, timeish

# Marketplace to time zone and the ways in which its times are written: English and local
# abbreviations, of which the last ones are never those of the season.
MARKETPLACES = {
    "Amazon.com": ("America/Los_Angeles", ["PST", "PDT", "PT"]),
    "Amazon.com.au": ("Australia/Sydney", ["AEST", "AEDT", "EST", "EDT", "AET"]),
    "Amazon.com.br": ("America/Sao_Paulo", ["BRT", "BRST"]),
    "Amazon.de": ("Europe/Paris", ["CET", "CEST", "MEZ", "MESZ", "MET", "MEST"]),
    "Amazon.es": ("Europe/Paris", ["CET", "CEST"]),
    "Amazon.fr": ("Europe/Paris", ["CET", "CEST"]),
    "Amazon.it": ("Europe/Paris", ["CET", "CEST"]),
    "Amazon.co.uk": ("Europe/London", ["GMT", "BST"]),
    "Amazon.in": ("Asia/Kolkata", ["IST"]),
    "Amazon.co.jp": ("Asia/Tokyo", ["JST"]),
}


@pytest.mark.parametrize(
    ("cell", "at", "day"),
    [
        ("05/21/18 14:39 PDT", "2018-05-21T21:39:00+00:00", "2018-05-21"),
        # Documented by Amazon: the wall clock, though summer time applied on that day.
        ("05/21/18 14:39 PST", "2018-05-21T21:39:00+00:00", "2018-05-21"),
        ("01/21/18 14:39:07 PST", "2018-01-21T22:39:07+00:00", "2018-01-21"),
        ("2022-03-31 23:56:22 CEST", "2022-03-31T21:56:22+00:00", "2022-03-31"),
        ("2024-01-15 12:00:00 UTC", "2024-01-15T12:00:00+00:00", "2024-01-15"),
        ("03/31/2022", "2022-03-31T07:00:00+00:00", "2022-03-31"),
        ("3/1/2022 4:05", "2022-03-01T12:05:00+00:00", "2022-03-01"),
        ("2024-01-15T12:00:00Z", "2024-01-15T12:00:00+00:00", "2024-01-15"),
        ("2024-01-15T12:00:00.250+01:00", "2024-01-15T11:00:00+00:00", "2024-01-15"),
        ("  2024-01-15  12:00:00  pst  ", "2024-01-15T20:00:00+00:00", "2024-01-15"),
        ("12/31/18 23:30 PST", "2019-01-01T07:30:00+00:00", "2018-12-31"),
    ],
)
def test_documented_and_observed_formats_are_read(cell: str, at: str, day: str) -> None:
    marketplace = "Amazon.de" if "CEST" in cell else "Amazon.com"
    (record,) = read_rows([sale(Transaction_Time=cell, Marketplace=marketplace)]).records

    assert record["transaction_time"] == cell
    assert record["transaction_at"] == at
    assert record["transaction_date"] == day


# -------------------------------------------------------------------------------- abbreviations


def test_common_offsets_are_those_of_the_time_zone_database() -> None:
    times = [
        datetime(2024, month, 1, tzinfo=ZoneInfo(name))
        for name in available_timezones()
        for month in (1, 7)
    ]
    known = {(time_.tzname(), time_.utcoffset()) for time_ in times}
    # Abbreviations that the database has dropped, or does in other versions.
    dropped = {"BRT": -3, "BRST": -2, "AMT": -4, "MET": 1, "MEST": 2}

    others = {
        name: hours
        for name, hours in _COMMON_OFFSETS.items()
        if (name, timedelta(hours=hours)) not in known
    }

    assert others.items() <= dropped.items()


def test_offsets_of_a_country_are_those_of_its_clocks_since_2018() -> None:
    table = resources.files("tzdata.zoneinfo").joinpath("zone.tab").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in table.splitlines() if not line.startswith("#")]
    months = list(months_between(FIRST_MONTH, date(2026, 12, 1)))
    codes = {"amazon.com": "US", "amazon.co.uk": "GB"}

    for marketplace, country in _MARKETPLACES.items():
        code = codes.get(marketplace, marketplace.rpartition(".")[2].upper())
        zones = [ZoneInfo(row[2]) for row in rows if row[0] == code]
        clocks = [datetime(m.year, m.month, 15, tzinfo=zone) for zone in zones for m in months]
        hours = {
            offset / timedelta(hours=1) for c in clocks if (offset := c.utcoffset()) is not None
        }
        assert {*country.offsets} == hours, marketplace


@st.composite
def written_times(draw: st.DrawFn) -> tuple[datetime, str, str]:
    """Draw an instant, and how a report of a marketplace contains it."""
    instant = draw(st.datetimes(datetime(2018, 1, 1), datetime(2037, 12, 31)))  # noqa: DTZ001
    marketplace = draw(st.sampled_from(sorted(MARKETPLACES)))
    zone_name, abbreviations = MARKETPLACES[marketplace]
    has_seconds = draw(st.booleans())
    instant = instant.replace(
        second=instant.second * has_seconds, microsecond=0, tzinfo=timezone.utc
    )
    local = instant.astimezone(ZoneInfo(zone_name))
    day = draw(
        st.sampled_from(
            [f"{local:%m/%d/%y}", f"{local:%Y-%m-%d}", f"{local.month}/{local.day}/{local.year}"]
        )
    )
    offset = draw(st.sampled_from([f"{local:%z}", local.isoformat()[-6:]]))
    zones = [offset, f" {offset}", f" UTC{offset}"]
    if local.replace(fold=0).utcoffset() == local.replace(fold=1).utcoffset():
        # Not in a repeated hour: the wall clock, whatever the letters.
        zones += ["", *(f" {name}" for name in abbreviations)]
    zone = draw(st.sampled_from(zones))
    return instant, f"{day} {local:%H:%M}{f':{local:%S}' * has_seconds}{zone}", marketplace


@settings(property_test, max_examples=300)
@given(written_times())
def test_times_as_written_in_a_marketplace_are_read_back(
    written: tuple[datetime, str, str],
) -> None:
    instant, cell, marketplace = written

    timestamp = parse_timestamp(cell, marketplace)

    assert timestamp.at == instant.isoformat()
    zone = ZoneInfo(MARKETPLACES[marketplace][0])
    assert timestamp.day == f"{instant.astimezone(zone):%Y-%m-%d}"
    assert not timestamp.is_zone_replaced


@pytest.mark.parametrize(
    ("cell", "marketplace", "at"),
    [
        # A repeated hour: the letters decide; without any, the first pass.
        ("2024-11-03 01:30 PDT", "Amazon.com", "2024-11-03T08:30:00+00:00"),
        ("2024-11-03 01:30 PST", "Amazon.com", "2024-11-03T09:30:00+00:00"),
        ("2024-11-03 01:30 PT", "Amazon.com", "2024-11-03T08:30:00+00:00"),
        ("2024-11-03 01:30", "Amazon.com", "2024-11-03T08:30:00+00:00"),
        ("2024-10-27 02:30 CEST", "Amazon.de", "2024-10-27T00:30:00+00:00"),
        ("2024-10-27 02:30 CET", "Amazon.de", "2024-10-27T01:30:00+00:00"),
        ("2024-10-27 02:30 MEZ", "Amazon.de", "2024-10-27T01:30:00+00:00"),
        ("2024-10-27 01:30 BST", "Amazon.co.uk", "2024-10-27T00:30:00+00:00"),
        ("2024-10-27 01:30 GMT", "Amazon.co.uk", "2024-10-27T01:30:00+00:00"),
        ("2024-04-07 02:30 EDT", "Amazon.com.au", "2024-04-06T15:30:00+00:00"),
        ("2024-04-07 02:30 EST", "Amazon.com.au", "2024-04-06T16:30:00+00:00"),
        ("2018-02-17 23:30 BRST", "Amazon.com.br", "2018-02-18T01:30:00+00:00"),
        ("2018-02-17 23:30 BRT", "Amazon.com.br", "2018-02-18T02:30:00+00:00"),
        # An hour that the clock skips.
        ("2024-03-10 01:59", "Amazon.com", "2024-03-10T09:59:00+00:00"),
        ("2024-03-10 02:30", "Amazon.com", "2024-03-10T10:30:00+00:00"),
        ("2024-03-10 02:30 PST", "Amazon.com", "2024-03-10T10:30:00+00:00"),
        ("2024-03-10 03:00", "Amazon.com", "2024-03-10T10:00:00+00:00"),
        ("2018-11-04 00:30", "Amazon.com.br", "2018-11-04T03:30:00+00:00"),
        ("2018-11-04 01:30", "Amazon.com.br", "2018-11-04T03:30:00+00:00"),
        # Dates.
        ("2024-03-31", "Amazon.co.uk", "2024-03-31T00:00:00+00:00"),
        ("2024-04-01", "Amazon.co.uk", "2024-03-31T23:00:00+00:00"),
        ("05/21/18", "Amazon.in", "2018-05-20T18:30:00+00:00"),
        ("05/21/18", " AMAZON.DE ", "2018-05-20T22:00:00+00:00"),
    ],
)
def test_the_marketplaces_clock_applies(cell: str, marketplace: str, at: str) -> None:
    assert parse_timestamp(cell, marketplace).at == at


@pytest.mark.parametrize(
    ("zone", "marketplace", "hours"),
    [
        # Abbreviations that the marketplace's zone does not have, but the country.
        *[("EST", "Amazon.com", -5), ("EDT", "Amazon.com", -4), ("CST", "Amazon.com", -6)],
        *[("MDT", "Amazon.com", -6), ("HST", "Amazon.com", -10), ("AKDT", "Amazon.com", -8)],
        *[("ACST", "Amazon.com.au", 9.5), ("AWST", "Amazon.com.au", 8)],
        *[("AMT", "Amazon.com.br", -4), ("WET", "Amazon.es", 0), ("WEST", "Amazon.es", 1)],
        # Countries whose marketplace has no documented zone.
        *[("PST", "Amazon.ca", -8), ("EDT", "Amazon.ca", -4), ("NST", "Amazon.ca", -3.5)],
        *[("CST", "Amazon.com.mx", -6), ("MST", "Amazon.com.mx", -7)],
        # UTC and offsets are the same everywhere.
        *[("UTC", place, 0) for place in (*MARKETPLACES, "Amazon.ca", "")],
        *[("GMT", "Amazon.de", 0), ("Z", "Amazon.com", 0), ("UT", "", 0), ("utc", "", 0)],
        *[("+0530", "Amazon.com", 5.5), ("-08:00", "Amazon.de", -8), ("+9", "", 9)],
        *[("GMT+2", "Amazon.com", 2), ("UTC-03:30", "", -3.5), ("-00:00", "Amazon.in", 0)],
        *[("+23:59", "", 23 + 59 / 60)],
        # In an unknown marketplace only those that mean one offset.
        *[("CET", "Amazon.example", 1), ("CEST", "", 2), ("JST", "", 9), ("AEDT", "", 11)],
        *[("PDT", "", -7), ("NZDT", "", 13), ("BRT", "", -3), ("AKST", "", -9)],
    ],
)
def test_zones_with_an_offset_of_their_own(zone: str, marketplace: str, hours: float) -> None:
    for day in ("2024-01-10", "2024-07-10"):
        noon = datetime.fromisoformat(f"{day}T12:00:00+00:00").timestamp()

        timestamp = parse_timestamp(f"{day} 12:00 {zone}", marketplace)

        assert timestamp.at is not None
        assert datetime.fromisoformat(timestamp.at).timestamp() == noon - hours * 3600
        assert not timestamp.is_zone_replaced


@pytest.mark.parametrize(
    ("zone", "marketplace", "at"),
    [
        ("CST", "Amazon.de", "2024-07-10T10:00:00+00:00"),
        ("PST", "Amazon.com.au", "2024-07-10T02:00:00+00:00"),
        ("CST", "Amazon.com.au", "2024-07-10T02:00:00+00:00"),
        ("IST", "Amazon.co.uk", "2024-07-10T11:00:00+00:00"),
        ("CEST", "Amazon.com", "2024-07-10T19:00:00+00:00"),
        ("EDT", "Amazon.co.jp", "2024-07-10T03:00:00+00:00"),
        ("XST", "Amazon.com", "2024-07-10T19:00:00+00:00"),
    ],
)
def test_a_zone_that_the_country_does_not_have_is_replaced_with_a_warning(
    zone: str, marketplace: str, at: str
) -> None:
    cell = f"2024-07-10 12:00 {zone}"
    rows = [sale(Transaction_Time=cell, Marketplace=marketplace)] * 2

    report = read_rows(rows)

    assert [record["transaction_at"] for record in report.records] == [at] * 2
    (warning,) = report.warnings
    assert warning == (
        f"transaction times such as '{cell} ({marketplace})' have a time zone that does not "
        "exist in the marketplace's country: the marketplace's own was used in 2 rows."
    )


# --------------------------------------------------------------------------------- unknown times


@pytest.mark.parametrize(
    ("cell", "marketplace"),
    [
        ("2024-03-21 14:39", "Amazon.ca"),
        ("2024-03-21 14:39", "Amazon.example"),
        ("2024-03-21", ""),
        ("03/21/24 14:39 CST", "Amazon.example"),
        ("03/21/24 14:39 XST", ""),
        ("03/21/24 14:39 CEST", "Amazon.ca"),
        ("03/21/24 14:39 +24:00", "Amazon.com"),
        ("03/21/24 14:39 +25:00", "Amazon.com"),
        ("03/21/24 14:39 +05:99", "Amazon.com"),
        ("03/21/24 02:39 PM", "Amazon.com"),
        ("03/21/24 02:39 PM PST", "Amazon.com"),
        ("2024-03-21 14:39:00 Europe/Paris", "Amazon.de"),
        ("2024-03-21 14:39:00 Pacific Standard Time", "Amazon.com"),
        ("03/21/24 24:00:00 PST", "Amazon.com"),
        ("2024-03-21 24:00", "Amazon.com"),
        ("2024-03-21 12:39:60 CET", "Amazon.de"),
        ("2024-03-21 12:60:00 CET", "Amazon.de"),
    ],
)
def test_without_an_instant_the_date_as_written_is_kept(cell: str, marketplace: str) -> None:
    report = read_rows([sale(Transaction_Time=cell, Marketplace=marketplace)])

    (record,) = report.records
    assert record["transaction_time"] == cell
    assert record["transaction_at"] is None
    assert record["transaction_date"] == "2024-03-21"
    assert record["_rescued_data"] is None
    (warning,) = report.warnings
    assert warning == (
        f"transaction times such as {cell!r} could not be converted to UTC: "
        "transaction_at is null in 1 row. transaction_time has them as written."
    )


@pytest.mark.parametrize("cell", NOT_DATES)
def test_other_text_is_kept_and_the_warning_names_both_columns(cell: str) -> None:
    report = read_rows([sale(Transaction_Time=cell), sale(Transaction_Time="03/21/24 24:00 PST")])

    record, _ = report.records
    assert record["transaction_time"] == cell
    assert (record["transaction_at"], record["transaction_date"]) == (None, None)
    (warning,) = report.warnings
    assert warning == (
        f"transaction times such as {cell!r} could not be converted to UTC: transaction_at is null "
        "in 2 rows, transaction_date in 1 of them. transaction_time has them as written."
    )


@pytest.mark.parametrize(
    ("cell", "day"),
    [("12/31/9999 23:59 PST", "9999-12-31"), ("0001-01-01 00:00:00 +09:00", "0001-01-01")],
)
def test_a_time_beyond_the_calendar_has_no_instant(cell: str, day: str) -> None:
    assert parse_timestamp(cell, "Amazon.com")[:2] == (None, day)


def test_empty_times_are_null_without_a_warning() -> None:
    record = read_cell("Transaction Time", "")

    assert {record[f"transaction_{name}"] for name in ("time", "at", "date")} == {None}
    assert read_rows([sale(Transaction_Time="")]).warnings == []


@settings(property_test, max_examples=200)
@given(
    st.datetimes().map("{:%m/%d/%Y %H:%M:%S}".format) | timeish | anything,
    st.sampled_from(["", " CET", " +23:59", " -2359", " JST"]),
    st.sampled_from([*MARKETPLACES, "Amazon.ca", ""]),
)
def test_any_text_is_a_time_or_none(text: str, zone: str, marketplace: str) -> None:
    at, day, _ = parse_timestamp(text + zone, marketplace)

    assert at is None or datetime.fromisoformat(at).utcoffset() is not None
    assert day is None or datetime.fromisoformat(day)
    assert day or not at


@pytest.mark.parametrize(
    "cell",
    ["03/21/24 14:39" + " " * 50_000 + "!", "03/21/24 14:39 +" + " " * 50_000 + "\n!"],
    ids=["spaces", "an offset of spaces"],
)
def test_a_long_time_is_refused_at_once(cell: str) -> None:
    started = time.process_time()

    assert parse_timestamp(cell, "Amazon.com").at is None
    assert time.process_time() - started < 1


# ----------------------------------------------------------------------------- half hours at once

digits = st.integers(0, 65).map("{:02}".format)
clocks = st.tuples(digits, digits).map(":".join) | digits
odd_times = st.builds(
    "{}{}{}:{}{}".format,
    st.sampled_from(["", " "]),
    st.sampled_from(["03/10/24 ", "2024-11-03 ", "2024-11-03T", "2024-04-07  ", "02/30/24 ", "x"]),
    st.sampled_from(["01", "1", "02", "14", "24", ""]),
    clocks,
    st.sampled_from(
        ["", " PST", " EST", "Z", "+05:30", " +05:45", " XST", ".5", ".5Z", ":7", "  "]
    ),
)


@settings(property_test, max_examples=200)
@given(st.lists(st.tuples(odd_times | timeish, st.sampled_from([*MARKETPLACES, ""])), max_size=30))
def test_a_report_of_times_is_read_as_each_time_is(times: list[tuple[str, str]]) -> None:
    single = [parse_timestamp(*time) for time in times]
    reader = TimestampReader()

    columns = reader.read(*([list(part) for part in zip(*times, strict=True)] or [[], []]))

    assert columns.at == [timestamp.at for timestamp in single]
    assert columns.day == [timestamp.day for timestamp in single]
    assert columns.written == [normalize_time(cell) for cell, _ in times]
    assert reader.replaced_zones == sum(timestamp.is_zone_replaced for timestamp in single)
    unknown = [timestamp.day for (cell, _), timestamp in zip(times, single, strict=True) if cell]
    assert reader.without_instant + reader.without_date == sum(
        timestamp.at is None for (cell, _), timestamp in zip(times, single, strict=True) if cell
    )
    assert reader.without_date == unknown.count(None)


@pytest.mark.parametrize("seconds", [["00", "01", "59"], []], ids=["seconds", "minutes"])
@pytest.mark.parametrize(
    ("zone", "by_half_hour"),
    [
        *((zone, True) for zone in ("", " PST", "Z", " +05:30", "-03:30")),
        *((zone, False) for zone in (" +05:45", " EST5", " CEST", ".5")),
    ],
)
def test_every_minute_and_second_is_converted(
    zone: str, seconds: list[str], *, by_half_hour: bool
) -> None:
    clocks = [f"{minute:02}{':' * bool(seconds)}" for minute in range(60)]
    cells = [f"2024-01-15 12:{c}{s}{zone}" for c, s in itertools.product(clocks, seconds or [""])]
    single = [parse_timestamp(cell, "Amazon.com") for cell in cells]
    reader = TimestampReader()

    columns = reader.read(cells, ["Amazon.com"] * len(cells))

    assert columns.at == [timestamp.at for timestamp in single]
    assert columns.day == [timestamp.day for timestamp in single]
    assert columns.written == [normalize_time(cell) for cell in cells]
    assert len(reader._half_hours) == 2
    assert len(reader._timestamps) == (0 if by_half_hour else len(cells))


def test_what_is_kept_of_times_is_bounded() -> None:
    reader = TimestampReader()
    cells = [f"{number} 12:00" for number in range(40_000)]

    reader.read([*cells, "x" * 1000, f"03/21/24 14:00 {'x' * 1000}"], [""] * (len(cells) + 2))

    for cache in (reader._half_hours, reader._timestamps):
        assert len(cache) == 32_768
        assert all(len(str(key)) < 200 for key in cache)
