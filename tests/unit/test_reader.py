"""Rows and cells of a report: each line item a typed record with a key, nothing lost."""

from __future__ import annotations

import csv
import io
import itertools
import sys
import zipfile
from collections import deque
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox import make_csv, make_zip
from tap_amazon_appstore.reading import reader as reader_module
from tap_amazon_appstore.reading.errors import UnreadableReportError
from tap_amazon_appstore.reading.reader import ReportReader
from tap_amazon_appstore.reading.values import parse_decimal_text, parse_json_number
from tests.conftest import memory_below
from tests.data import EARNINGS, SALE, SUBSCRIPTION, sale, sales
from tests.reading import (
    ADDED,
    EARNED,
    KINDS,
    SALES,
    STREAM_NAMES,
    SUBSCRIPTIONS,
    Report,
    Row,
    anything,
    cells,
    check,
    property_test,
    read_body,
    read_cell,
    read_csv,
    read_file,
    read_rows,
    snake,
    write_csv,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_amazon_appstore.reading.header import Layout

HEADER = ",".join(SALE)

# --------------------------------------------------------- any table: no row, no cell is ever lost

SALES_COLUMNS = {**{name: snake(name) for name in SALE}, "Sales Channel": "sales_channel"}
TYPED = {name for name, kind in SALES.kinds.items() if kind != "text"}


@dataclass(frozen=True)
class Table:
    """A sales report: which column each header stands for, if any, and rows of any width."""

    header: dict[str, str | None]
    rows: list[list[str]]

    def write(self, *, quoting: Literal[0, 1] = csv.QUOTE_MINIMAL, end: str = "\n") -> str:
        """Return the table as CSV."""
        return write_csv([list(self.header), *self.rows], quoting=quoting, end=end)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """Draw a table that is a sales report, with any cells and some repetitions of its header."""
    known = draw(st.permutations(list(SALES_COLUMNS)))[: draw(st.integers(13, len(SALES_COLUMNS)))]
    unknown = draw(st.lists(anything.map("X-{}".format), max_size=3, unique=True))
    names = draw(st.permutations([*known, *unknown]))
    cell = cells | st.sampled_from(names)
    full = st.lists(cell, min_size=len(names), max_size=len(names))
    ragged = st.lists(cell, min_size=1, max_size=len(names) + 3)
    rows = draw(st.lists(full | ragged | st.just(list(names)), max_size=6))
    return Table({name: SALES_COLUMNS.get(name) for name in names}, rows)


@settings(property_test, max_examples=100)
@given(
    tables(),
    st.sampled_from(["", "\ufeff"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.sampled_from(["\r\n", "\n", "\r", "\n\n", "\r\n\r\n"]),
)
def test_each_line_item_is_a_record_and_each_cell_in_its_column_or_rescued(
    table: Table, bom: str, quoting: Literal[0, 1], end: str
) -> None:
    width = len(table.header)
    places = [*table.header, *(f"column {width + surplus}" for surplus in (1, 2, 3))]
    items = [row for row in table.rows if any(row) and row != list(table.header)]

    report = read_csv(bom + table.write(quoting=quoting, end=end))

    assert len(set(report.line_ids)) == len(report.records) == len(items)
    for row, record, rescued in zip(items, report.records, report.rescued, strict=True):
        assert list(record) == list(SALES.schema["properties"])
        assert record["report_month"] == ADDED["report_month"]
        for header, cell in itertools.zip_longest(places, row, fillvalue=""):
            column = table.header.get(header)
            if column and column not in TYPED:
                assert record[column] == (cell or None)
            elif not column or record[column] is None:
                assert rescued.pop(header, "") == cell
            else:
                assert cell
                assert type(record[column]) in {int, Decimal, bool}
        assert rescued == {}
    unfit = {name for name in itertools.chain(*report.rescued) if table.header.get(name)}
    assert sum("do not have the column's type" in text for text in report.warnings) == len(unfit)


@settings(property_test, max_examples=30)
@given(tables(), st.integers(1, 4), st.integers(0, 6))
def test_size_of_chunks_and_number_of_parts_change_nothing(
    table: Table, chunk: int, at: int
) -> None:
    head, tail = Table(table.header, table.rows[:at]), Table(table.header, table.rows[at:])
    parts = {"1.csv": head.write(), "2.csv": "", "3.csv": tail.write()}
    reports = [read_csv(table.write()), read_body(make_zip(parts))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader_module, "_CHUNK", chunk)
        reports.append(read_csv(table.write()))

    for report in reports[1:]:
        assert report.records == reports[0].records
        # Their order and the example depend on which cell of the chunk is read first.
        assert {w.partition(", such as")[0] for w in report.warnings} == {
            w.partition(", such as")[0] for w in reports[0].warnings
        }


@pytest.mark.parametrize("at", range(2**18 - 9, 2**18 + 1))
def test_characters_quotes_and_line_ends_can_cross_pieces_of_the_file(at: int) -> None:
    title = 'é"\r\n漢'
    before = make_csv([sale(Title="")]) + make_csv([sale(Title="é")]).partition("\n")[2]
    filler = "x" * (at - before.encode().index("é".encode()) - 1)

    report = read_rows([sale(Title=filler), sale(Title=title), sale(Title=title)])

    assert [record["title"] for record in report.records] == [filler, title, title]
    assert report.warnings == []


def test_chunks_have_the_columns_that_are_asked_for() -> None:
    archive = make_zip({"sales.csv": make_csv([{**sale(Units="two"), "New": "x"}])})
    everything = read_body(archive)
    columns = ["line_id", "report_month", "transaction_at", "title", "units"]
    reader = ReportReader(SALES, ADDED, columns)

    (record,) = read_file(reader, io.BytesIO(archive))

    assert list(record) == columns
    assert record.items() <= everything.records[0].items()
    assert list(reader.findings.warnings()) == everything.warnings


@pytest.mark.parametrize("parse", [parse_json_number, parse_decimal_text])
def test_numbers_are_parsed_as_asked_for(parse: Callable[[str], object]) -> None:
    reader = ReportReader(SALES, ADDED, ["sales_price", "units", "line_id"], parse)

    (record,) = read_file(reader, io.BytesIO(make_csv([SALE]).encode()))

    assert record == {
        "sales_price": parse("4.99"),
        "units": 1,
        "line_id": read_rows([SALE]).line_ids[0],
    }


@pytest.mark.parametrize(
    ("layout", "header", "cell", "value"),
    [
        (SALES, "Usage Time", "0.5", Decimal("0.5")),
        (SUBSCRIPTIONS, "Date", "12/29/18", "2018-12-29"),
        (SUBSCRIPTIONS, "Refunded", "7261", 7261),
        (EARNED, "Payment Issue Date", "2022-03-31 00:00:00 CEST", "2022-03-31"),
        (EARNED, "Exchange Rate", "1.08710000", Decimal("1.08710000")),
        (EARNED, "Payment No.", "0017", "0017"),
        (SALES, "Transaction Id", "99999999999999999999999", "99999999999999999999999"),
    ],
)
def test_cells_have_their_columns_type(
    layout: Layout, header: str, cell: str, value: object
) -> None:
    record = read_cell(header, cell, layout)

    assert repr(record[snake(header)]) == repr(value)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="the csv module cannot read NUL")
def test_a_nul_is_text_with_a_warning() -> None:
    report = read_rows([sale(Title="a\0b"), sale(Title="\0\0"), sale()])

    assert [record["title"] for record in report.records] == ["a\0b", "\0\0", SALE["Title"]]
    (warning,) = report.warnings
    assert warning.startswith("NUL characters in 2 cells of 'Title', which PostgreSQL does not")


# ------------------------------------------------------------------------------------------ rows


def test_short_and_long_rows_are_kept() -> None:
    header, row = list(SALE), list(SALE.values())

    report = read_csv(
        write_csv([header, row[:1], row[:15], row, [*row, "a", "", "b"], [*row, "", ""]])
    )

    assert [record["units"] for record in report.records] == [None, 1, 1, 1, 1]
    assert [record["device_type"] for record in report.records] == [None, None] + ["Fire TV"] * 3
    assert report.rescued == [{}, {}, {}, {"column 24": "a", "column 26": "b"}, {}]
    assert report.warnings == [
        "2 rows with too few cells: the missing ones are null.",
        "1 row with too many cells: the surplus is kept in _rescued_data.",
    ]


def test_repeated_headers_and_rows_without_a_value_are_skipped_with_a_warning() -> None:
    first, second = make_csv(sales(2)).splitlines()[1:]
    lines = [
        *["", HEADER, "", first, "," * 22, "", ",", '""', HEADER],
        # Spelt in other ways, as parts of a report can be.
        *["\ufeff" + HEADER, HEADER.replace("Units", "Units (pieces)") + ",,", second, HEADER, ""],
        *[HEADER.upper(), "\ufeff" + write_csv([list(SALE)], quoting=csv.QUOTE_ALL)],
        "\ufeff".encode().decode("cp1252") + HEADER,
    ]

    report = read_csv("\n".join(lines))

    assert [record["transaction_id"] for record in report.records] == ["1", "2"]
    assert report.warnings == [
        "skipped 3 rows without any value.",
        "skipped 7 repetitions of the header line.",
    ]


def test_a_line_item_with_some_of_the_headers_names_is_kept() -> None:
    rows = [sale(Marketplace="Marketplace"), sale(Marketplace="Units", Title="Title")]

    report = read_csv(make_csv(rows) + "Marketplace\n , \n")

    assert [record["marketplace"] for record in report.records] == [
        "Marketplace",
        "Units",
        "Marketplace",
        " ",
    ]


SWAPPED = [{"Units": "Title", "Title": "Units"}.get(name, name) for name in SALE]


@pytest.mark.parametrize(
    "other",
    [
        list(reversed(SALE)),
        ["Invoice Date", *SALE],
        ["marketplace", *SWAPPED[1:]],
        ["\ufeff" + SWAPPED[0], *SWAPPED[1:]],
        [name.upper() for name in SWAPPED],
        [name for name in SALE if name not in {"Units", "Sales Price", "Estimated Earnings"}],
        [*SALE, "New"],
        [name for column in SALE for name in (["", column] if column == "Units" else [column])],
    ],
    ids=["reversed", "new", "another case", "BOM", "upper case", "fewer", "one more", "no name"],
)
def test_a_header_line_with_other_columns_amid_the_rows_is_refused(other: list[str]) -> None:
    with pytest.raises(UnreadableReportError, match="second header line has other columns"):
        read_csv(make_csv(sales(2)) + write_csv([other]))


def test_a_second_header_line_is_found_where_a_report_has_no_numbers() -> None:
    names = [name for name in SALE if SALES.kinds[SALES_COLUMNS[name]] not in {"integer", "number"}]
    rows = [[SALE[name] for name in names]] * 2

    assert len(read_csv(write_csv([names, *rows, names])).records) == 2
    with pytest.raises(UnreadableReportError, match="second header line has other columns"):
        read_csv(write_csv([names, *rows, [names[1], names[0], *names[2:]]]))


def test_each_part_is_read_by_its_own_header() -> None:
    first, second, third = sales(3)
    backwards = dict(reversed([*second.items(), ("New", "x")]))

    report = read_body(
        make_zip(
            {
                "3.csv": "\ufeff" + make_csv([third]),
                "2.csv": make_csv([backwards]).lower(),
                "1.csv": make_csv([first]),
            }
        )
    )

    assert [(r["transaction_id"], r["units"]) for r in report.records] == [
        ("1", 1),
        ("2", 1),
        ("3", 1),
    ]
    assert report.rescued == [{}, {"new": "x"}, {}]


@pytest.mark.parametrize("content", ["", "\r\n", "\n\n\n", "\ufeff", HEADER, f"\n{HEADER}\n"])
def test_a_csv_without_rows_is_a_report_without_rows(content: str) -> None:
    assert read_csv(content) == Report([], [])


@pytest.mark.parametrize("char", "\v\f\x1c\x1d\x1e\x85\u2028\u2029")
def test_nothing_but_line_ends_ends_a_row(char: str) -> None:
    assert read_cell("Title", f"a{char}b")["title"] == f"a{char}b"


# -------------------------------------------------------------------------------------- identity

VARIANTS = {
    "Invoice Id": ["i1", "i2"],
    "Transaction Id": ["1", "2"],
    "Transaction Type": ["Charge", "Chargeback"],
    "Transaction Time": ["03/21/24 14:39 PDT", "03/21/24 14:40 PDT", "NA"],
    "Adjustment": ["Yes", "No", "odd"],
}
sale_rows = st.fixed_dictionaries(
    {name: st.sampled_from(VARIANTS.get(name, [cell])) for name, cell in SALE.items()}
)

# What Amazon corrects when it restates a month, and what the tap may learn to read in another way.
RESTATEMENTS: dict[str, Callable[[Row], Row]] = {
    "text": lambda row: {**row, "Title": "Renamed", "Item Name": "", "Device Type": "Fire OS"},
    "amounts": lambda row: {**row, "Units": "7", "Sales Price": "0.01", "Estimated Earnings": "-1"},
    "currency": lambda row: {**row, "Marketplace Currency": "CAN"},
    "cells that do not fit": lambda row: {**row, "Units": "many", "Usage Time": "long"},
    "columns added": lambda row: {"New": "x", **row, "Sales Channel": "Web"},
    "columns dropped": lambda row: {k: v for k, v in row.items() if k not in {"Title", "Units"}},
    "headers renamed": lambda row: {
        {"Transaction Id": "Transaction ID", "Invoice Id": "INVOICE_ID (remark)"}.get(k, k): v
        for k, v in row.items()
    },
    "booleans": lambda row: {**row, "Adjustment": row["Adjustment"].lower()},
    "white space in times": lambda row: _with_time(row, " ", "  "),
    "seconds": lambda row: _with_time(row, " PDT", ":59 PDT"),
    "date format": lambda row: _with_time(row, "03/21/24", "2024-03-21"),
    "zone": lambda row: _with_time(row, "PDT", "America/Los_Angeles"),
    "without zone": lambda row: _with_time(row, " PDT", ""),
}


def _with_time(row: Row, old: str, new: str) -> Row:
    return {**row, "Transaction Time": row["Transaction Time"].replace(old, new)}


@property_test
@given(
    st.data(),
    st.lists(sale_rows, max_size=12),
    st.lists(st.sampled_from(sorted(RESTATEMENTS)), max_size=4),
)
def test_keys_are_unique_and_stay_the_same_when_a_report_is_restated(
    data: st.DataObject, rows: list[Row], names: list[str]
) -> None:
    restated: list[Row] = data.draw(st.permutations(rows))
    for name in sorted(names, key="headers renamed".__eq__):
        restated = [RESTATEMENTS[name](row) for row in restated]
    header = data.draw(st.permutations(list(restated[0]) if rows else list(SALE)))

    before = read_rows(rows).line_ids
    after = read_csv(
        write_csv([header, *([row[name] for name in header] for row in restated)])
    ).line_ids

    assert len(set(before)) == len(rows)
    assert sorted(before) == sorted(after)


@pytest.mark.parametrize("name", RESTATEMENTS)
def test_each_restatement_changes_the_report(name: str) -> None:
    row = sale(Adjustment="No")

    assert RESTATEMENTS[name](row) != row
    assert read_rows([RESTATEMENTS[name](row)]).line_ids == read_rows([row]).line_ids


@pytest.mark.parametrize(("layout", "row"), KINDS, ids=STREAM_NAMES)
def test_each_identifying_cell_distinguishes_line_items_and_no_other(
    layout: Layout, row: Row
) -> None:
    dates = {name: "2024-02-28" for name in row if "Date" in name or "Time" in name}
    others = {name: dates.get(name, "No" if cell == "Yes" else "Yes") for name, cell in row.items()}
    key = read_rows([row], layout).line_ids
    assert key == [key[0].partition("-")[0] + "-1"]

    for name, cell in others.items():
        changed = read_rows([{**row, name: cell}], layout).line_ids
        is_identity = snake(name) in {*layout.identity, "transaction_time"}
        assert (changed != key) == is_identity, name
        missing = read_rows([{k: v for k, v in row.items() if k != name}], layout)
        assert missing == read_rows([{**row, name: ""}], layout)


def test_a_line_item_in_another_report_has_the_same_key() -> None:
    april = ReportReader(SALES, {"report_month": "2024-04-01", "report_last_modified": "x"})

    keys = [
        record["line_id"]
        for record in read_file(april, io.BytesIO(make_zip({"a.csv": make_csv(sales(3))})))
    ]

    assert keys == read_rows(sales(3)).line_ids


def test_keys_stay_the_same_from_version_to_version() -> None:
    """Another key would load every row of every warehouse once more."""
    keys = [key for layout, row in KINDS for key in read_rows([row], layout).line_ids]

    assert dict(zip(STREAM_NAMES, keys, strict=True)) == {
        "sales": "93c5221fb20c42f651cc1306d70cc2c4-1",
        "subscriptions": "87598a114d5d4ce76d79c70461e95c1a-1",
        "earnings": "5b33f7c93b0438b7b7ca06de0b6b2009-1",
    }


def test_identical_line_items_are_numbered_across_parts() -> None:
    part = make_csv(sales(2))

    keys = read_body(make_zip({"1.csv": part, "2.csv": part})).line_ids

    assert [key.split("-")[1] for key in keys] == ["1", "1", "2", "2"]


def test_cells_that_cannot_be_parsed_distinguish_line_items() -> None:
    first, second = read_rows([sale(Adjustment="odd"), sale(Adjustment="even")]).line_ids

    assert first.split("-")[0] != second.split("-")[0]


def test_identical_line_items_are_numbered() -> None:
    digests, numbers = zip(
        *(key.split("-") for key in read_rows(sales(2) * 3).line_ids), strict=True
    )

    assert len(set(digests)) == 2
    assert numbers == ("1", "1", "2", "2", "3", "3")


# ---------------------------------------------------------------------------- bounds, broken CSV


@property_test
@given(st.integers(1, 20), st.data())
def test_a_quote_that_is_never_closed_swallows_no_rows(count: int, data: st.DataObject) -> None:
    rows = [list(row.values()) for row in sales(count)]
    at = data.draw(st.integers(0, count - 1))
    column = data.draw(st.integers(0, len(SALE) - 1))
    rows[at][column] = '"' + rows[at][column]
    content = "".join(",".join(row) + "\n" for row in [list(SALE), *rows])

    with pytest.raises(UnreadableReportError, match=r"'sales-.*\.csv' is not valid CSV at line \d"):
        read_csv(content)


@pytest.mark.parametrize(
    ("start", "block"),
    [
        (HEADER + "\n", "x" * 2**20),
        (HEADER + "\n", "," * 2**20),
        (HEADER + '\n"', "x,\n" * 2**18),
        (HEADER + '\n"', "\r" * 2**20),
        (HEADER + '\n"', '\n","' * 2**18),
        (HEADER + "," * 2**17 + '\n"', '\n","' * 2**18),
    ],
    ids=["cell", "cells", "quoted lines", "quoted line ends", "quoted cells of lines", "wide"],
)
def test_a_row_without_end_is_refused_in_bounded_memory(start: str, block: str) -> None:
    buffer = _write_archive(start, [block] * 64)

    refused = pytest.raises(
        UnreadableReportError, match=r" [24] MiB|not valid CSV at line|a row of 131,095 cells"
    )
    with memory_below(48 * 2**20), refused:
        deque(read_file(ReportReader(SALES, ADDED), buffer), maxlen=0)


def test_long_cells_that_have_been_read_do_not_fill_the_memory() -> None:
    """Neither numbers nor times, though the values of short ones are cached."""
    header, row = make_csv([sale(Units="@", Transaction_Time="03/21/24 14:39 @")]).splitlines()
    rows = [row.replace("@", f"{' ' * 200_000}{number}") + "\n" for number in range(80)]
    buffer = _write_archive(f"{header}\n", rows)

    with memory_below(16 * 2**20):
        deque(read_file(ReportReader(SALES, ADDED), buffer), maxlen=0)


def _write_archive(start: str, blocks: list[str]) -> io.BytesIO:
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("sales.csv", "w") as member,
    ):
        for block in [start, *blocks]:
            member.write(block.encode())
    check(buffer)
    return buffer


def test_a_cell_has_a_mebibyte_at_most() -> None:
    header, row = make_csv([sale(Title="@")]).splitlines()

    (record,) = read_csv(f"{header}\n{row.replace('@', 'x' * 2**20)}").records

    assert len(record["title"]) == 2**20
    with pytest.raises(UnreadableReportError, match=r"field limit \(1048576\)"):
        read_csv(f"{header}\n{row.replace('@', 'x' * (2**20 + 1))}")


def test_a_row_has_more_cells_than_any_spreadsheet_at_most() -> None:
    header, row = make_csv([SALE]).splitlines()
    most = 16_384 - len(SALE)

    assert len(read_csv("\n".join([header + ",x" * most, row + ",x" * most])).rescued[0]) == most
    for lines in ([header + ",x" * (most + 1), row], [header, row + ",x" * (most + 1)]):
        with pytest.raises(UnreadableReportError, match="a row of 16,385 cells"):
            read_csv("\n".join(lines))


def test_sentences_quote_names_in_one_line() -> None:
    for members in ({"a\nb.csv": "x\n"}, {"a\nb.csv": HEADER + '\n"'}, {"a\nb": "x" * 60_000}):
        with pytest.raises(UnreadableReportError) as refusal:
            read_body(make_zip(members))
        assert "\n" not in str(refusal.value)
        assert len(str(refusal.value)) < 1000


# -------------------------------------------------------------------------------------- findings


def test_each_finding_is_one_warning_for_all_parts() -> None:
    header = [*SALE, "New", "Newer"]
    odd = sale(Units="two", Sales_Price="4,99", Transaction_Time="yesterday")
    rows = [[*odd.values(), "x", "y", "surplus"]] * 300 + [[*sale().values()]] * 200
    part = write_csv([header, *rows])

    warnings = read_body(make_zip({"a.csv": part, "b.csv": part})).warnings

    beginnings = [
        "unknown column 'New'.",
        "unknown column 'Newer'.",
        "'Units' is null in 600 rows:",
        "'Sales Price' is null in 600 rows:",
        "600 of 2,000 amounts could not be read, such as '4,99' in 'Sales Price'.",
        "transaction times such as 'yesterday' could not be converted to UTC:",
        "400 rows with too few cells:",
        "600 rows with too many cells:",
    ]
    assert len(warnings) == len(beginnings)
    assert all(map(str.startswith, warnings, beginnings))


@pytest.mark.parametrize(("count", "is_doubtful"), [(2, False), (3, True)])
def test_more_than_a_hundredth_of_the_amounts_unread_is_a_warning(
    count: int, *, is_doubtful: bool
) -> None:
    """Empty cells are no amounts."""
    rows = [sale(Sales_Price="(4.99)")] * count + [sale()] * (100 - count)

    warnings = read_rows([*rows, sale(Sales_Price="", Estimated_Earnings="")]).warnings

    beginning = f"{count} of 200 amounts could not be read, such as '(4.99)' in 'Sales Price'."
    assert [text.startswith(beginning) for text in warnings if "amounts" in text] == (
        [True] * is_doubtful
    )


def test_an_ordinary_report_has_no_findings() -> None:
    assert read_rows([*sales(3), {**SALE, "Transaction Time": ""}]).warnings == []
    assert read_rows([SUBSCRIPTION], SUBSCRIPTIONS).warnings == []
    assert read_rows([EARNINGS], EARNED).warnings == []
