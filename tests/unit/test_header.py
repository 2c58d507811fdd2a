"""Header lines: which column is where, and which files are another report."""

from __future__ import annotations

import itertools
import re
import time
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_amazon_appstore.reading.errors import UnreadableReportError, WrongHeaderError
from tap_amazon_appstore.reading.header import Layout
from tests.data import EARNINGS, SALE, SUBSCRIPTION, sale
from tests.reading import (
    EARNED,
    KINDS,
    SALES,
    STREAM_NAMES,
    SUBSCRIPTIONS,
    Row,
    anything,
    property_test,
    read_csv,
    read_rows,
    snake,
    write_csv,
)


@pytest.mark.parametrize(("layout", "row"), KINDS, ids=STREAM_NAMES)
def test_every_documented_header_name_finds_its_column(layout: Layout, row: Row) -> None:
    found = layout.match(list(row))

    assert found == {snake(name): position for position, name in enumerate(row)}
    assert found.keys() == layout.documented


@pytest.mark.parametrize(
    ("documented", "seen"),
    [
        ("Country/Region Code", "Country/Region code"),
        ("Invoice Id", "Invoice ID"),
        ("Transaction Time", "TRANSACTION TIME"),
        ("Vendor SKU", "vendor_sku"),
        ("In-App Subscription Term", "In App Subscription Term"),
        ("In-App Subscription Status", "In-App Subscription Status (Trial / Paid)"),
        ("Usage Time", "Usage Time for Underground Apps (seconds)"),
        ("Usage Time", "Usage Time for Underground Apps"),
        ("Usage Time", "Usage Time (seconds)"),
        ("Sales Price", "Sales Price (Marketplace Currency)"),
        ("Sales Price", "Sales Price (never closed"),
        ("Estimated Earnings", "Estimated Earnings (Marketplace Currency)"),
        ("Receipt ID", " Receipt ID "),
        ("Digital Order ID", "DigitalOrderID"),
        ("Device Type", "\ufeffDevice Type"),
    ],
)
def test_other_spellings_of_a_header_name_find_the_same_column(documented: str, seen: str) -> None:
    header = list(SALE)
    position = header.index(documented)

    assert SALES.match([*header[:position], seen, *header[position + 1 :]]) == SALES.match(header)


def test_columns_that_were_added_later_are_found() -> None:
    found = SALES.match([*SALE, "Sales Channel", "Device OS"])

    assert (found["sales_channel"], found["device_os"]) == (len(SALE), len(SALE) + 1)


@pytest.mark.parametrize(("layout", "row"), KINDS, ids=STREAM_NAMES)
def test_every_column_that_is_not_documented_is_found(layout: Layout, row: Row) -> None:
    added = [column for column in layout.columns if column not in layout.documented]

    found = layout.match([*row, *(column.replace("_", " ").title() for column in added)])

    assert [found[column] - len(row) for column in added] == list(range(len(added)))


@st.composite
def spellings(draw: st.DrawFn, name: str) -> str:
    """Draw a way to write a header name."""
    words = re.findall("[A-Za-z]+", name)
    separators = draw(st.lists(st.sampled_from(" -_/."), min_size=len(words), max_size=len(words)))
    text = "".join(itertools.chain(*zip(words, separators, strict=True)))
    text = "".join(map(str.upper if draw(st.booleans()) else str.lower, text))
    remark = draw(st.none() | anything)
    return text if remark is None else f"{text}({remark.replace(')', '')})"


@settings(property_test, max_examples=25)
@given(st.data())
def test_columns_are_found_in_any_order_and_spelling(data: st.DataObject) -> None:
    names = data.draw(st.permutations(list(SALE)))
    header = [data.draw(spellings(name)) for name in names]

    assert SALES.match(header) == {snake(name): position for position, name in enumerate(names)}


@pytest.mark.parametrize("missing", ["Marketplace", "Transaction Time", "Adjustment"])
def test_a_missing_column_is_null(missing: str) -> None:
    (record,) = read_rows([{k: v for k, v in SALE.items() if k != missing}]).records

    assert record[snake(missing)] is None
    assert record["asin"] == SALE["ASIN"]
    assert record["_rescued_data"] is None


def test_an_unknown_column_is_rescued_under_its_header_with_one_warning() -> None:
    report = read_rows([{"Größe, in 頁": "7", **sale(), "": "8"}, {"Größe, in 頁": "", **sale()}])

    assert report.rescued == [{"Größe, in 頁": "7", "column 25": "8"}, {}]
    assert report.records[1]["_rescued_data"] is None
    assert report.warnings == [
        "unknown column 'Größe, in 頁'. Its cells are kept in _rescued_data.",
        "unknown column 'column 25'. Its cells are kept in _rescued_data.",
    ]


@pytest.mark.parametrize("name", sorted({*SALES.schema["properties"]} - {*SALES.columns}))
def test_no_header_fills_a_column_that_the_tap_adds(name: str) -> None:
    report = read_rows([{**SALE, name: "Amazon's"}])

    assert report.rescued == [{name: "Amazon's"}]
    assert report.records[0][name] != "Amazon's"


# ------------------------------------------------------------------ two headers for one column


@pytest.mark.parametrize("known", ["Sales Price", "Sales Price (Marketplace Currency)"])
@pytest.mark.parametrize("is_first", [True, False])
def test_of_two_headers_for_a_column_the_known_name_is_used(known: str, *, is_first: bool) -> None:
    other = {"Sales Price (USD)": "1.00"}
    row = {name: cell for name, cell in SALE.items() if name != "Sales Price"} | {known: "150"}

    report = read_rows([other | row if is_first else row | other])

    assert report.records[0]["sales_price"] == Decimal(150)
    assert report.rescued == [other]
    assert report.warnings == [
        "unknown column 'Sales Price (USD)'. Its cells are kept in _rescued_data."
    ]


@pytest.mark.parametrize(
    "names",
    [
        ["Sales Price", "Sales Price"],
        ["Sales Price", "Sales Price (Marketplace Currency)"],
        ["Sales Price (USD)", "Sales Price (EUR)"],
    ],
    ids=["twice the same", "both known", "none known"],
)
def test_two_headers_that_fit_a_column_equally_well_fail_and_are_named(names: list[str]) -> None:
    header = [*(name for name in SALE if name != "Sales Price"), *names]

    with pytest.raises(UnreadableReportError) as refusal:
        read_csv(write_csv([header, header]))

    assert not isinstance(refusal.value, WrongHeaderError)
    places = f"{names[0]!r} (column {len(SALE)}) and {names[1]!r} (column {len(SALE) + 1})"
    assert f"the header has more than one name for the same column: {places}." in str(refusal.value)


def test_no_cell_is_lost_if_unknown_headers_are_the_same() -> None:
    header = [*SALE, "New", "New", "", " "]

    report = read_csv(write_csv([header, [*SALE.values(), "a", "b", "c", "d"]]))

    names = ["New", "New (column 25)", "column 26", "column 27"]
    assert report.rescued == [dict(zip(names, "abcd", strict=True))]
    assert len(report.warnings) == len(names)


def test_a_header_with_the_name_of_a_surplus_cell_takes_nothing_from_it() -> None:
    """Surplus cells are rescued as `column 25`; a header could have that name."""
    report = read_csv(write_csv([["column 25", *SALE], ["a", *SALE.values(), "b"]]))

    assert sorted(report.rescued[0].values()) == ["a", "b"]


# ---------------------------------------------------------------------- which report a file is


@pytest.mark.parametrize(
    ("layout", "header", "count"),
    [
        (SALES, ["<!DOCTYPE html>"], "0 of the 23"),
        (SALES, list(SUBSCRIPTION), "3 of the 23"),
        (SALES, list(EARNINGS), "2 of the 23"),
        (SALES, list(SALE)[:11], "11 of the 23"),
        # Columns that are not documented do not count.
        (SALES, [*list(SALE)[:11], "Sales Channel", "Device OS"], "11 of the 23"),
        (SUBSCRIPTIONS, list(SALE), "3 of the 12"),
        (SUBSCRIPTIONS, list(SUBSCRIPTION)[:6], "6 of the 12"),
        (EARNED, list(SALE), "2 of the 23"),
    ],
)
def test_a_header_without_most_documented_columns_is_refused(
    layout: Layout, header: list[str], count: str
) -> None:
    with pytest.raises(WrongHeaderError) as refusal:
        read_csv(write_csv([header, header]), layout)

    assert all(repr(name[:40]) in str(refusal.value) for name in header)
    assert f"has {count} documented columns" in str(refusal.value)


def test_a_header_with_just_enough_documented_columns_is_accepted() -> None:
    assert len(SALES.match(list(SALE)[:12])) == 12
    assert len(SUBSCRIPTIONS.match(list(SUBSCRIPTION)[:7])) == 7


def test_columns_that_are_not_documented_never_raise_the_threshold() -> None:
    schema = {
        **SALES.schema,
        "properties": {**SALES.schema["properties"]}
        | {f"later_{number}": {"type": ["string", "null"]} for number in range(50)},
    }
    layout = Layout(schema, SALES.identity, SALES.documented)

    assert len(layout.match(list(SALE)[:12])) == 12
    assert len(layout.match([*list(SALE)[:12], "Later 1"])) == 13
    with pytest.raises(WrongHeaderError):
        layout.match([*list(SALE)[:11], *(f"Later {number}" for number in range(50))])


def test_an_error_quotes_a_bounded_part_of_the_header_in_one_line() -> None:
    with pytest.raises(WrongHeaderError) as refusal:
        SALES.match(["line\nbreak" * 100] * 1000)

    assert len(str(refusal.value)) < 2000
    assert "\n" not in str(refusal.value)


def test_a_header_of_parentheses_is_refused_at_once() -> None:
    started = time.process_time()

    with pytest.raises(WrongHeaderError):
        SALES.match(["(" * 50_000])
    assert time.process_time() - started < 1
