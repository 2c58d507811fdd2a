"""What becomes of a report: each row a typed record, nothing lost."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import random
import re
import sys
import time
import zipfile
from collections import Counter, deque
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox import make_csv, make_zip
from tap_amazon_appstore.reading.archive import UnreadableReportError, check_zip
from tap_amazon_appstore.reading.reader import Layout, ReportReader, _Occurrences
from tests.conftest import memory_below
from tests.data import EARNINGS, SALE, SUBSCRIPTION, sale, sales, subscription
from tests.reading import (
    ADDED,
    EARNED,
    KINDS,
    SALES,
    SUBSCRIPTIONS,
    Report,
    Row,
    anything,
    cells,
    property_test,
    read_cell,
    read_csv,
    read_file,
    read_rows,
    read_zip,
    snake,
    try_to_read_zip,
    write_csv,
)

if TYPE_CHECKING:
    from collections.abc import Callable

# --------------------------------------------------------------------------------------- headers


@pytest.mark.parametrize(("layout", "row"), KINDS, ids=["sales", "subscriptions", "earnings"])
def test_every_documented_header_name_finds_its_column(layout: Layout, row: Row) -> None:
    found = layout.match(list(row))

    assert found == {snake(name): position for position, name in enumerate(row)}
    assert set(layout.columns) - set(found) <= {"sales_channel", "device_os"}


@pytest.mark.parametrize(
    ("documented", "seen"),
    [
        ("Country/Region Code", "Country/Region code"),
        ("Invoice Id", "Invoice ID"),
        ("Transaction Id", "Transaction ID"),
        ("Transaction Time", "TRANSACTION TIME"),
        ("ASIN", "Asin"),
        ("Vendor SKU", "vendor_sku"),
        ("In-App Subscription Term", "In App Subscription Term"),
        ("In-App Subscription Status", "In-App Subscription Status (Trial / Paid)"),
        ("Usage Time", "Usage Time for Underground Apps (seconds)"),
        ("Usage Time", "Usage Time for Underground Apps"),
        ("Usage Time", "Usage Time (seconds)"),
        ("Sales Price", "Sales Price (Marketplace Currency)"),
        ("Estimated Earnings", "Estimated Earnings (Marketplace Currency)"),
        ("App User ID", "App User Id"),
        ("Receipt ID", " Receipt ID "),
        ("Digital Order ID", "DigitalOrderID"),
        ("Device Type", "\ufeffDevice Type"),
    ],
)
def test_other_spellings_of_a_header_name_find_the_same_column(documented: str, seen: str) -> None:
    header = list(SALE)
    position = header.index(documented)

    assert SALES.match([*header[:position], seen, *header[position + 1 :]]) == SALES.match(header)


def test_columns_that_came_later_are_found() -> None:
    found = SALES.match([*SALE, "Sales Channel", "Device OS"])

    assert (found["sales_channel"], found["device_os"]) == (len(SALE), len(SALE) + 1)


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


@pytest.mark.parametrize(
    "missing", ["Marketplace", "Transaction Time", "Adjustment", "Device Type"]
)
def test_a_missing_column_is_null(missing: str) -> None:
    (record,) = read_rows([{k: v for k, v in SALE.items() if k != missing}]).records

    assert record[snake(missing)] is None
    assert record["asin"] == SALE["ASIN"]
    assert record["_rescued_data"] is None


def test_an_unknown_column_is_rescued_under_its_header() -> None:
    report = read_rows([{"Größe, in 頁": "7", **sale(), "": "8"}, {"Größe, in 頁": "", **sale()}])

    assert report.rescued == [{"Größe, in 頁": "7", "column 25": "8"}, {}]
    assert report.records[1]["_rescued_data"] is None
    assert len(report.warnings) == 2


@pytest.mark.parametrize("name", sorted({*SALES.schema["properties"]} - {*SALES.columns}))
def test_no_header_fills_a_column_that_the_tap_adds(name: str) -> None:
    report = read_rows([{**SALE, name: "Amazon's"}])

    assert report.rescued == [{name: "Amazon's"}]
    assert report.records[0][name] != "Amazon's"


def test_of_two_headers_for_a_column_the_one_without_a_remark_counts() -> None:
    row = {"Sales Price (USD)": "5.49", **sale(Sales_Price="4.99"), "Sales Price (EUR)": "5.09"}

    report = read_rows([row])

    assert report.records[0]["sales_price"] == Decimal("4.99")
    assert report.rescued == [{"Sales Price (USD)": "5.49", "Sales Price (EUR)": "5.09"}]


def test_of_a_header_that_stands_twice_no_cell_is_lost() -> None:
    header = [*SALE, "Title", "New", "New", "", " "]
    row = [*SALE.values(), "second", "a", "b", "c", "d"]

    report = read_csv(write_csv([header, row]))

    assert report.records[0]["title"] == SALE["Title"]
    assert report.rescued[0] == {
        "Title (column 24)": "second",
        "New": "a",
        "New (column 26)": "b",
        "column 27": "c",
        "column 28": "d",
    }
    assert len(report.warnings) == 5


def test_a_header_that_looks_like_a_surplus_cells_name_takes_nothing_from_it() -> None:
    """Surplus cells are rescued as `column 25`; a header could be called that."""
    report = read_csv(write_csv([["column 25", *SALE], ["a", *SALE.values(), "b"]]))

    assert list(report.rescued[0].values()) in (["a", "b"], ["b", "a"])


@pytest.mark.parametrize(
    ("layout", "header"),
    [
        (SALES, ["<!DOCTYPE html>"]),
        (SALES, list(SUBSCRIPTION)),
        (SALES, list(EARNINGS)),
        (SALES, list(SALE)[:12]),
        (SUBSCRIPTIONS, list(SALE)),
        (SUBSCRIPTIONS, list(SUBSCRIPTION)[:6]),
        (EARNED, list(SALE)),
    ],
)
def test_a_header_without_most_of_the_columns_is_refused(layout: Layout, header: list[str]) -> None:
    with pytest.raises(UnreadableReportError) as refusal:
        read_csv(write_csv([header, header]), layout)

    assert all(repr(name[:40]) in str(refusal.value) for name in header)
    assert f"of the {len(layout.columns)} expected columns" in str(refusal.value)


def test_a_header_with_just_enough_of_the_columns_is_accepted() -> None:
    assert len(SALES.match(list(SALE)[:13])) == 13
    assert len(SUBSCRIPTIONS.match(list(SUBSCRIPTION)[:7])) == 7


def test_what_was_found_is_told_in_one_sentence_however_much_it_is() -> None:
    with pytest.raises(UnreadableReportError) as refusal:
        SALES.match(["line\nbreak" * 100] * 1000)

    assert len(str(refusal.value)) < 2000
    assert "\n" not in str(refusal.value)


# ----------------------------------------------------------------------------------------- cells


@property_test
@given(anything)
def test_text_passes_through_untouched(text: str) -> None:
    record = read_cell("Title", text)

    assert record["title"] == (text or None)
    assert record["_rescued_data"] is None


@pytest.mark.skipif(sys.version_info < (3, 11), reason="the csv module cannot read NUL")
def test_even_a_nul_is_text() -> None:
    assert read_cell("Title", "a\0b")["title"] == "a\0b"


def test_empty_cells_are_null() -> None:
    report = read_rows([dict.fromkeys(SALE, "")])

    (record,) = report.records
    assert {value for name, value in record.items() if name not in {"line_id", *ADDED}} == {None}
    assert report.warnings == []


def test_every_record_has_the_schemas_columns_in_order_and_what_was_added() -> None:
    for layout, row in KINDS:
        (record,) = read_rows([row], layout).records

        assert list(record) == list(layout.schema["properties"])
        assert ADDED.items() <= record.items()


def test_records_have_the_columns_that_are_asked_for() -> None:
    archive = make_zip({"sales.csv": make_csv([{**sale(Units="two"), "New": "x"}])})
    everything = read_zip(archive)
    columns = ["line_id", "report_month", "transaction_at", "title", "units"]
    reader = ReportReader(SALES, ADDED, columns)

    (record,) = read_file(reader, io.BytesIO(archive))

    assert list(record) == columns
    assert record.items() <= everything.records[0].items()
    assert list(reader.findings.warnings()) == everything.warnings


@pytest.mark.parametrize(
    ("layout", "header", "cell", "value"),
    [
        (SALES, "Usage Time", "1200", Decimal(1200)),
        (SALES, "Usage Time", "0.5", Decimal("0.5")),
        (SUBSCRIPTIONS, "Date", "12/29/18", "2018-12-29"),
        (SUBSCRIPTIONS, "Date", "2018-12-29", "2018-12-29"),
        (SUBSCRIPTIONS, "Active", "0", 0),
        (SUBSCRIPTIONS, "Refunded", "7261", 7261),
        (EARNED, "Payment Issue Date", "2022-03-31 00:00:00 CEST", "2022-03-31"),
        (EARNED, "Exchange Rate", "1.08710000", Decimal("1.08710000")),
        (EARNED, "Payment No.", "0017", "0017"),
        (SALES, "Transaction Id", "99999999999999999999999", "99999999999999999999999"),
        (SALES, "Transaction Id", "NA", "NA"),
    ],
)
def test_cells_are_of_their_columns_type(
    layout: Layout, header: str, cell: str, value: object
) -> None:
    record = read_cell(header, cell, layout)

    assert record[snake(header)] == value
    assert type(record[snake(header)]) is type(value)


# --------------------------------------------------------- any table: no row, no cell is ever lost

SALES_COLUMNS = {**{name: snake(name) for name in SALE}, "Sales Channel": "sales_channel"}
TYPED = {"adjustment", "units", "usage_time", "sales_price", "estimated_earnings"}


@dataclass(frozen=True)
class Table:
    """A sales report: which column each header stands for, if any, and rows of any width."""

    header: dict[str, str | None]
    rows: list[list[str]]


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """Draw a table that is a sales report, though an odd one."""
    known = draw(st.permutations(list(SALES_COLUMNS)))[: draw(st.integers(13, len(SALES_COLUMNS)))]
    unknown = draw(st.lists(anything.map("X-{}".format), max_size=3, unique=True))
    names = draw(st.permutations([*known, *unknown]))
    square = st.lists(cells, min_size=len(names), max_size=len(names))
    ragged = st.lists(cells, min_size=1, max_size=len(names) + 3)
    rows = draw(st.lists(square | ragged, max_size=4))
    return Table({name: SALES_COLUMNS.get(name) for name in names}, rows)


@property_test
@given(
    tables(),
    st.sampled_from([b"", codecs.BOM_UTF8]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.sampled_from(["\r\n", "\n", "\r", "\n\n", "\r\n\r\n"]),
)
def test_each_row_is_a_record_and_each_cell_in_its_column_or_rescued(
    table: Table, bom: bytes, quoting: Literal[0, 1], end: str
) -> None:
    content = write_csv([list(table.header), *table.rows], quoting=quoting, end=end)
    width = len(table.header)
    places = [*table.header, *(f"column {width + surplus}" for surplus in (1, 2, 3))]

    report = read_csv(bom + content.encode())

    assert len(set(report.line_ids)) == len(report.records) == len(table.rows)
    for row, record, rescued in zip(table.rows, report.records, report.rescued, strict=True):
        for header, cell in itertools.zip_longest(places, row, fillvalue=""):
            column = table.header.get(header)
            if column and column not in TYPED:
                assert record[column] == (cell or None)
            elif not column or record[column] is None:
                assert rescued.pop(header, "") == cell
            else:
                assert cell
        assert rescued == {}


@property_test
@given(st.sampled_from(["Adjustment", "Units", "Usage Time", "Sales Price"]), cells)
def test_a_cell_that_does_not_fit_is_null_and_rescued_as_it_stands(header: str, cell: str) -> None:
    report = read_rows([{**SALE, header: cell}])

    value = report.records[0][snake(header)]
    assert (value is None) == (not cell or report.rescued == [{header: cell}])
    assert len(report.warnings) == bool(report.rescued[0])
    assert type(value) is not float


# ------------------------------------------------------------------------------------------ rows


def test_short_rows_are_kept_and_their_missing_cells_are_null() -> None:
    header, row = list(SALE), list(SALE.values())

    report = read_csv(write_csv([header, row[:1], row[:15], row]))

    assert [record["marketplace"] for record in report.records] == ["Amazon.com"] * 3
    assert [record["units"] for record in report.records] == [None, 1, 1]
    assert [record["device_type"] for record in report.records] == [None, None, "Fire TV"]
    assert report.rescued == [{}, {}, {}]
    assert report.warnings == ["2 rows have too few cells; the missing ones are null"]


def test_long_rows_are_kept_and_their_surplus_cells_rescued() -> None:
    header, row = list(SALE), list(SALE.values())

    report = read_csv(write_csv([header, [*row, "a", "", "b"], [*row, "", ""], row]))

    assert [record["device_type"] for record in report.records] == ["Fire TV"] * 3
    assert report.rescued == [{"column 24": "a", "column 26": "b"}, {}, {}]
    assert len(report.warnings) == 1
    assert report.warnings[0].startswith("1 rows have too many cells")


def test_blank_lines_are_no_rows() -> None:
    header, first, second = make_csv(sales(2)).splitlines()

    report = read_csv(f"\n{header}\n\n{first}\n\n\n{second}\n\n")

    assert [record["transaction_id"] for record in report.records] == ["1", "2"]


def test_rows_of_empty_cells_are_rows() -> None:
    header = make_csv(sales(1)).splitlines()[0]

    report = read_csv(f'{header}\n{"," * 22}\n""\n , \n')

    assert len(report.records) == 3
    assert report.records[2]["marketplace"] == " "


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("after_the_last", [0, 1])
def test_any_line_end_ends_a_row(line_end: str, after_the_last: int) -> None:
    content = line_end.join(make_csv(sales(3)).splitlines()) + line_end * after_the_last

    assert [r["transaction_id"] for r in read_csv(content).records] == ["1", "2", "3"]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    "quoted", ["\r", "\n", "\r\n", '""\r'], ids=["CR", "LF", "CRLF", "quote and CR"]
)
def test_a_line_end_within_quotes_ends_no_row(line_end: str, quoted: str) -> None:
    header, *rows = make_csv(sales(2)).splitlines()

    report = read_csv(line_end.join([f'"{quoted}",{header}', *(f'"{quoted}",{r}' for r in rows)]))

    assert [record["transaction_id"] for record in report.records] == ["1", "2"]
    assert [list(rescued.values()) for rescued in report.rescued] == 2 * [
        [quoted.replace('""', '"')]
    ]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_a_report_may_be_far_longer_than_any_of_its_lines(line_end: str) -> None:
    title = "x" * 100_000

    report = read_csv(line_end.join(make_csv([sale(Title=title)] * 50).splitlines()))

    assert [record["title"] for record in report.records] == [title] * 50


@pytest.mark.parametrize("char", "\v\f\x1c\x1d\x1e\x85\u2028\u2029")
def test_nothing_else_ends_a_row(char: str) -> None:
    assert read_cell("Title", f"a{char}b")["title"] == f"a{char}b"


def test_a_quoted_cell_holds_anything() -> None:
    title = 'The "Best", of\r\nthe\nbest\r'

    assert read_cell("Title", title)["title"] == title


@pytest.mark.parametrize("at", range(2**18 - 9, 2**18 + 1))
def test_a_row_may_cross_the_limit_of_what_is_read_at_a_time(at: int) -> None:
    """No line end, quote or character is torn apart where a block ends."""
    title = 'é"\r\n漢'
    before = make_csv([sale(Title="")]) + make_csv([sale(Title="é")]).partition("\n")[2]
    filler = "x" * (at - before.encode().index("é".encode()) - 1)
    content = make_csv([sale(Title=filler), sale(Title=title), sale(Title=title)])
    assert content.encode().index("é".encode()) == at

    report = read_csv(content)

    assert [record["title"] for record in report.records] == [filler, title, title]
    assert report.warnings == []


@pytest.mark.parametrize("bom", [b"", codecs.BOM_UTF8])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_a_byte_order_mark_is_no_part_of_the_first_header(
    bom: bytes, quoting: Literal[0, 1]
) -> None:
    content = write_csv([list(SALE), list(SALE.values())], quoting=quoting)

    report = read_csv(bom + content.encode())

    assert report.records[0]["marketplace"] == "Amazon.com"
    assert report.warnings == []


@pytest.mark.parametrize("content", [b"", b"\r\n", b"\n\n\n", codecs.BOM_UTF8])
def test_an_empty_csv_has_no_rows(content: bytes) -> None:
    assert read_csv(content) == Report([], [])


def test_a_csv_of_a_header_has_no_rows() -> None:
    assert read_csv(",".join(SALE)) == Report([], [])


def test_parts_are_read_in_the_order_of_their_names_each_by_its_own_header() -> None:
    first, second, third, fourth = sales(4)
    backwards = dict(reversed([*third.items(), ("New", "x")]))
    parts: dict[str, bytes | str] = {
        "sales-2024-03-00003.csv": codecs.BOM_UTF8 + make_csv([fourth]).encode(),
        "sales-2024-03-00002.csv": make_csv([backwards]).lower(),
        "sales-2024-03-00001.csv": "",
        "sales-2024-03-00000.csv": make_csv([first, second]),
    }

    report = read_zip(make_zip(parts))

    assert [record["transaction_id"] for record in report.records] == ["1", "2", "3", "4"]
    assert [record["units"] for record in report.records] == [1] * 4
    assert report.rescued == [{}, {}, {"new": "x"}, {}]
    assert len(report.warnings) == 1


def test_a_part_that_is_another_report_is_refused() -> None:
    parts = {"a.csv": make_csv(sales(1)), "b.csv": make_csv([subscription()])}

    with pytest.raises(UnreadableReportError, match="'App Title'"):
        read_zip(make_zip(parts))


def test_a_report_without_times_has_none() -> None:
    header = [name for name in SALE if name != "Transaction Time"]

    report = read_csv(write_csv([header, [SALE[name] for name in header]]))

    assert report.records[0]["transaction_at"] is None
    assert report.warnings == []


# -------------------------------------------------------------------------------------- identity

VARIANTS = {
    "Invoice Id": ["i1", "i2"],
    "Transaction Id": ["1", "2"],
    "Transaction Type": ["Charge", "Chargeback"],
    "Transaction Time": ["03/21/24 14:39 PDT", "03/21/24 14:40 PDT", "NA"],
    "Adjustment": ["Yes", "No", "odd"],
    "Sales Price": ["4.99", "-4.99"],
    "Title": ["", "Ein Spiel"],
}
sale_rows = st.fixed_dictionaries(
    {name: st.sampled_from(VARIANTS.get(name, [cell])) for name, cell in SALE.items()}
)
reports = st.lists(sale_rows, max_size=12)


@property_test
@given(st.data(), reports)
def test_keys_are_unique_and_the_same_in_any_order_of_rows_and_columns(
    data: st.DataObject, rows: list[Row]
) -> None:
    shuffled = data.draw(st.permutations(rows))
    header = data.draw(st.permutations(list(SALE)))

    before = read_rows(rows).line_ids
    after = read_rows([{name: row[name] for name in header} for row in shuffled]).line_ids

    assert len(set(before)) == len(rows)
    assert sorted(before) == sorted(after)


@property_test
@given(reports, st.integers(0, 12))
def test_keys_are_the_same_however_a_report_is_split_into_parts(rows: list[Row], at: int) -> None:
    parts = {f"{n}.csv": make_csv(part) for n, part in enumerate([rows[:at], rows[at:]])}

    assert read_zip(make_zip(parts)).line_ids == read_rows(rows).line_ids


def _renamed(row: Row) -> Row:
    names = {
        "Transaction Id": "Transaction ID",
        "Invoice Id": "INVOICE_ID",
        "Sales Price": "Sales Price (Marketplace Currency)",
        "Usage Time": "Usage Time for Underground Apps (seconds)",
    }
    return {names.get(name, name): cell for name, cell in row.items()}


MENDED: dict[str, Callable[[Row], Row]] = {
    "title": lambda row: {**row, "Title": "Renamed", "Item Name": "Renamed too"},
    "units": lambda row: {**row, "Units": "7"},
    "amounts": lambda row: {**row, "Sales Price": "0.01", "Estimated Earnings": "-0.01"},
    "currency": lambda row: {**row, "Marketplace Currency": "CAN"},
    "device": lambda row: {**row, "Device Type": "", "Device OS": "Fire OS 8"},
    "cells that do not fit": lambda row: {**row, "Units": "many", "Usage Time": "long"},
    "columns added": lambda row: {"New": "x", **row, "Sales Channel": "Web"},
    "columns dropped": lambda row: {k: v for k, v in row.items() if k not in {"Title", "Units"}},
    "headers renamed": _renamed,
    "white space in times": lambda row: {
        **row,
        "Transaction Time": f" {row['Transaction Time']} ".replace(" ", "  "),
    },
    "seconds told": lambda row: {
        **row,
        "Transaction Time": row["Transaction Time"].replace(" PDT", ":59 PDT"),
    },
    "another format": lambda row: {
        **row,
        "Transaction Time": row["Transaction Time"].replace("03/21/24", "2024-03-21"),
    },
    "another zone": lambda row: {
        **row,
        "Transaction Time": row["Transaction Time"].replace(" 14:", " 21:").replace("PDT", "UTC"),
    },
}


@pytest.mark.parametrize("mended", MENDED)
def test_keys_are_the_same_when_a_report_is_restated_with_other(mended: str) -> None:
    rows = [
        sale(Transaction_Id=str(number // 2), Transaction_Type=kind)
        for number, kind in itertools.product(range(4), ["Charge", "Refund", "Chargeback"])
    ]
    restated = [MENDED[mended](row) for row in rows]
    assert restated != rows

    assert read_rows(restated).line_ids == read_rows(rows).line_ids


def test_keys_are_the_same_in_another_months_report() -> None:
    archive = make_zip({"sales.csv": make_csv(sales(3))})
    april = ReportReader(
        SALES, {"report_month": "2024-04-01", "report_last_modified": "2024-05-01"}
    )

    keys = [record["line_id"] for record in read_file(april, io.BytesIO(archive))]

    assert keys == read_zip(archive).line_ids


@pytest.mark.parametrize(("layout", "row"), KINDS, ids=["sales", "subscriptions", "earnings"])
def test_keys_are_the_same_whether_a_column_is_empty_or_missing(layout: Layout, row: Row) -> None:
    for name in row:
        empty = read_rows([{**row, name: ""}], layout)
        missing = read_rows([{other: row[other] for other in row if other != name}], layout)

        assert missing == empty


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("Transaction Type", "Chargeback"),
        ("Transaction Id", "2"),
        ("Transaction Time", "03/21/24 14:40 PDT"),
        ("Transaction Time", "03/21/24 14:39 PST"),
        ("Transaction Time", "NA"),
        ("Adjustment", "Yes"),
        ("Invoice Id", ""),
        ("Marketplace", "Amazon.de"),
        ("ASIN", "C00006M4PG"),
        ("Vendor SKU", "COM.GAMEVENDOR.FUNGAME"),
        ("Receipt ID", "r"),
        ("Digital Order ID", "d"),
    ],
)
def test_keys_of_different_line_items_differ(name: str, cell: str) -> None:
    first, second = read_rows([sale(), {**sale(), name: cell}]).line_ids

    assert first.partition("-")[0] != second.partition("-")[0]


def test_cells_of_neighbouring_columns_do_not_run_together() -> None:
    rows = [sale(ASIN="ab", Vendor_SKU="c"), sale(ASIN="a", Vendor_SKU="bc")]
    rows += [sale(ASIN="", Vendor_SKU="abc"), sale(ASIN='a","b', Vendor_SKU="c")]

    assert len({key.partition("-")[0] for key in read_rows(rows).line_ids}) == len(rows)


@pytest.mark.parametrize(
    ("layout", "row", "key"),
    [
        (SALES, SALE, "e04f454a49ac022b663453ed9dfc596b-1"),
        (SUBSCRIPTIONS, SUBSCRIPTION, "87598a114d5d4ce76d79c70461e95c1a-1"),
        (EARNED, EARNINGS, "5b33f7c93b0438b7b7ca06de0b6b2009-1"),
    ],
    ids=["sales", "subscriptions", "earnings"],
)
def test_keys_stay_the_same_from_version_to_version(layout: Layout, row: Row, key: str) -> None:
    # Another key would load every row of every warehouse once more.
    assert read_rows([row], layout).line_ids == [key]


def test_identical_line_items_are_numbered() -> None:
    keys = read_rows([*sales(2)] * 3).line_ids

    digests, numbers = zip(*(key.split("-") for key in keys), strict=True)
    assert len(set(digests)) == 2
    assert numbers == ("1", "1", "2", "2", "3", "3")


@pytest.mark.parametrize(
    ("layout", "row", "identity"),
    [
        (SUBSCRIPTIONS, SUBSCRIPTION, {"Date": "03/30/24", "Subscription Type": "trial"}),
        (EARNED, EARNINGS, {"Invoice ID": "INV-2", "Marketplace": "Amazon.fr"}),
    ],
    ids=["subscriptions", "earnings"],
)
def test_keys_of_the_other_reports_tell_their_line_items(
    layout: Layout, row: Row, identity: Row
) -> None:
    others = [{**row, name: cell} for name, cell in identity.items()]
    mended = {**row, "Active": "1", "Payment Status": "rejected", "App Title": "Renamed"}

    keys = read_rows([row, *others], layout).line_ids

    assert len({key.partition("-")[0] for key in keys}) == len(keys)
    assert read_rows([{name: mended[name] for name in row}], layout).line_ids == keys[:1]


def test_a_digest_whose_hash_is_nothing_is_counted_too() -> None:
    occurrences = _Occurrences()

    assert hash(b"") == 0
    assert [occurrences.count(b"") for _ in range(3)] == [1, 2, 3]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("kinds", "length", "expected"),
    [(1, 10, 0), (50, 5000, 50), (3000, 5000, 0), (3000, 5000, 1000), (10**9, 5000, 4000)],
)
def test_occurrences_are_counted_however_many_were_expected(
    kinds: int, length: int, expected: int, seed: int
) -> None:
    occurrences, counter = _Occurrences(expected), Counter[int]()

    for kind in random.Random(seed).choices(range(kinds), k=length):  # noqa: S311
        counter[kind] += 1
        assert occurrences.count(kind.to_bytes(16, "little")) == counter[kind]

    assert occurrences.total == length


# ------------------------------------------------------------------------------------ broken CSV


@property_test
@given(st.integers(1, 20), st.data())
def test_a_quote_that_is_never_closed_swallows_no_rows(count: int, data: st.DataObject) -> None:
    rows = [list(row.values()) for row in sales(count)]
    at = data.draw(st.integers(0, count - 1))
    column = data.draw(st.integers(0, len(SALE) - 1))
    rows[at][column] = '"' + rows[at][column]
    content = "".join(",".join(row) + "\n" for row in [list(SALE), *rows])
    reader = ReportReader(SALES, ADDED)
    records = read_file(reader, io.BytesIO(make_zip({"sales.csv": content})))

    assert [next(records)["transaction_id"] for _ in range(at)] == [str(n + 1) for n in range(at)]
    with pytest.raises(UnreadableReportError, match=r"'sales\.csv' is no valid CSV at line \d+"):
        next(records)


@pytest.mark.parametrize(
    ("start", "block"),
    [
        ("", "x" * 2**20),
        (",".join(SALE) + "\n", "x" * 2**20),
        (",".join(SALE) + "\n", "," * 2**20),
        (",".join(SALE) + '\n"', "x,\n" * 2**18),
        (",".join(SALE) + '\n"', "\r" * 2**20),
        (",".join(SALE) + '\n"', '\n","' * 2**18),
    ],
    ids=["header", "cell", "cells", "quoted lines", "quoted line ends", "quoted cells of lines"],
)
def test_a_line_or_cell_without_end_does_not_fill_the_memory(start: str, block: str) -> None:
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("sales.csv", "w") as member,
    ):
        member.write(start.encode())
        for _ in range(64):
            member.write(block.encode())
    check_zip(buffer)

    refused = pytest.raises(UnreadableReportError, match=r" [24] MiB|no valid CSV at line")
    with memory_below(48 * 2**20), refused:
        deque(ReportReader(SALES, ADDED).read(buffer), maxlen=0)


def test_a_cell_has_a_mebibyte_at_most() -> None:
    header, row = make_csv([sale(Title="@")]).splitlines()

    (record,) = read_csv(f"{header}\n{row.replace('@', 'x' * 2**20)}").records

    assert len(record["title"]) == 2**20
    with pytest.raises(UnreadableReportError, match=r"field limit \(1048576\)"):
        read_csv(f"{header}\n{row.replace('@', 'x' * (2**20 + 1))}")


def test_a_line_may_be_far_longer_than_what_is_read_at_a_time() -> None:
    long = sale(Title="x" * 1_000_000, Item_Name="y" * 1_000_000)

    records = read_rows([*sales(1000), long, *sales(1000)]).records

    assert len(records) == 2001
    assert records[1000]["title"] == long["Title"]


def test_long_cells_that_have_been_read_do_not_fill_the_memory() -> None:
    """Neither numbers nor times, though what short ones say is kept."""
    header, row = make_csv([sale(Units="@", Transaction_Time="03/21/24 14:39 @")]).splitlines()
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("sales.csv", "w") as member,
    ):
        member.write(f"{header}\n".encode())
        for number in range(80):
            member.write(row.replace("@", f"{' ' * 200_000}{number}").encode() + b"\n")
    check_zip(buffer)

    with memory_below(16 * 2**20):
        deque(ReportReader(SALES, ADDED).read(buffer), maxlen=0)


def test_ten_thousand_columns_are_read_and_more_than_any_sheet_has_are_refused() -> None:
    more = {f"More {number}": str(number) for number in range(10_000)}

    (rescued,) = read_rows([{**SALE, **more}]).rescued

    assert rescued == more
    header, row = make_csv([SALE]).splitlines()
    most = 16_384 - len(SALE)
    assert len(read_csv("\n".join([header + ",x" * most, row + ",x" * most])).rescued[0]) == most
    for lines in ([header + ",x" * (most + 1), row], [header, row + ",x" * (most + 1)]):
        with pytest.raises(UnreadableReportError, match="a row of 16,385 cells"):
            read_csv("\n".join(lines))


def test_a_name_of_many_lines_is_quoted_in_one() -> None:
    for members in ({"a\nb.csv": "x\n"}, {"a\nb.csv": ",".join(SALE) + '\n"'}, {"a\nb": "x"}):
        refusal = try_to_read_zip(make_zip(members))

        assert isinstance(refusal, str)
        assert "\n" not in refusal
    assert len(str(try_to_read_zip(make_zip({"a" * 60_000: "x"})))) < 1000


def test_a_header_of_parentheses_is_refused_at_once() -> None:
    started = time.process_time()

    with pytest.raises(UnreadableReportError):
        SALES.match(["(" * 50_000])
    assert time.process_time() - started < 1


def test_bytes_that_are_no_utf8_are_kept_readable_with_one_warning() -> None:
    content = make_csv([sale(Title="caf@"), sale(Title="@漢@"), sale(Title=r"\xff")]).encode()

    report = read_csv(content.replace(b"@", b"\xe9"))

    assert [record["title"] for record in report.records] == [r"caf\xe9", r"\xe9漢\xe9", r"\xff"]
    assert len(report.warnings) == 1
    assert report.warnings[0].startswith("3 byte sequences are not UTF-8")


@property_test
@given(st.binary(max_size=20).filter(lambda b: not set(b) & set(b'\0\r\n",')))
def test_no_byte_of_a_cell_is_lost(cell: bytes) -> None:
    head, tail = make_csv([sale(Title="@")]).encode().split(b"@")

    (record,) = read_csv(head + cell + tail).records

    assert record["title"] == (cell.decode("utf-8", "backslashreplace") or None)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_file_in_another_encoding_is_refused(encoding: str) -> None:
    """Not read as a report whose cells are full of NUL."""
    with pytest.raises(UnreadableReportError):
        read_csv(make_csv(sales(2)).encode(encoding))


@settings(property_test, max_examples=200)
@given(
    st.sampled_from([SALES, SUBSCRIPTIONS, EARNED]),
    st.sampled_from([0, 1]),
    st.one_of(
        st.binary(max_size=60),
        st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")),
        st.text('",\r\n\0 ab1/-:', max_size=200).map(str.encode),
    ),
)
def test_whatever_the_text_of_a_csv_nothing_but_a_refusal_comes_out(
    layout: Layout, headers: int, content: bytes
) -> None:
    header = (",".join(layout.columns) + "\n").encode() * headers

    outcome = try_to_read_zip(make_zip({"sales.csv": header + content}), layout)

    if isinstance(outcome, str):
        assert "\n" not in outcome
    else:
        assert len(set(outcome.line_ids)) == len(outcome.records)


# -------------------------------------------------------------------------------------- findings


def test_all_that_is_odd_is_told_once_with_how_often_it_was() -> None:
    header = [*SALE, "New", "Newer"]
    odd = sale(Units="two", Sales_Price="4,99", Transaction_Time="yesterday", Title="\udcff")
    rows = [[*odd.values(), "x", "y", "surplus"]] * 300 + [[*sale().values()]] * 200
    content = write_csv([header, *rows]).encode("utf-8", "surrogateescape")

    warnings = read_csv(content).warnings

    beginnings = [
        "the column 'New' is unknown",
        "the column 'Newer' is unknown",
        "300 cells of 'Units' are not",
        "300 cells of 'Sales Price' are not",
        "300 transaction times cannot",
        "200 rows have too few cells",
        "300 rows have too many cells",
        "300 byte sequences are not UTF-8",
    ]
    assert len(warnings) == len(beginnings)
    assert all(map(str.startswith, warnings, beginnings))


def test_the_findings_of_all_parts_are_told_together() -> None:
    part = make_csv([{**sale(Units="two"), "New": "x"}])

    warnings = read_zip(make_zip({"a.csv": part, "b.csv": part})).warnings

    assert [warning.partition(";")[0] for warning in warnings] == [
        "the column 'New' is unknown",
        "2 cells of 'Units' are not of the column's type",
    ]


def test_an_ordinary_report_has_no_findings() -> None:
    assert read_rows(sales(3)).warnings == []
    assert read_rows([SUBSCRIPTION], SUBSCRIPTIONS).warnings == []
    assert read_rows([EARNINGS], EARNED).warnings == []
