"""What becomes of a report file: each row a typed record, nothing lost, and damage refused."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import json
import random
import re
import struct
import sys
import time
import tracemalloc
import zipfile
from collections import Counter, deque
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from importlib import resources
from typing import IO, TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from sandbox import make_csv, make_zip
from tap_amazon_appstore import schemas
from tap_amazon_appstore.archives import BrokenDownloadError, UnreadableReportError, check_zip
from tap_amazon_appstore.cells import (
    parse_boolean,
    parse_date,
    parse_integer,
    parse_number,
    parse_time,
)
from tap_amazon_appstore.reports import Layout, ReportReader, _Occurrences
from tap_amazon_appstore.streams import EarningsStream, SalesStream, SubscriptionsStream
from tests.data import EARNINGS, SALE, SUBSCRIPTION, sale, sales, subscription

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

Row = dict[str, str]
Record = dict[str, Any]

ADDED = {"report_month": "2024-03-01", "report_last_modified": "2024-04-03T12:30:00+00:00"}

property_test = settings(deadline=None, max_examples=50)

# --------------------------------------------------------------------------------------- helpers


def _layout(name: str, identity: tuple[str, ...]) -> Layout:
    schema = resources.files(schemas).joinpath(f"{name}.json").read_text(encoding="utf-8")
    return Layout(json.loads(schema), identity)


SALES = _layout("sales", SalesStream.identity)
SUBSCRIPTIONS = _layout("subscriptions", SubscriptionsStream.identity)
EARNED = _layout("earnings", EarningsStream.identity)
KINDS = [(SALES, SALE), (SUBSCRIPTIONS, SUBSCRIPTION), (EARNED, EARNINGS)]


@dataclass(frozen=True)
class Report:
    """What reading a file gave."""

    records: list[Record]
    warnings: list[str]

    @property
    def line_ids(self) -> list[str]:
        """The keys of the records, in order."""
        return [record["line_id"] for record in self.records]

    @property
    def rescued(self) -> list[dict[str, str]]:
        """What each record's `_rescued_data` holds."""
        return [json.loads(record["_rescued_data"] or "{}") for record in self.records]


def read_file(reader: ReportReader, file: IO[bytes]) -> Iterator[Record]:
    """Read an archive, each record by its columns' names."""
    return map(msgspec.structs.asdict, reader.read(file))


def read_zip(archive: bytes, layout: Layout = SALES) -> Report:
    """Check an archive and read it, as the tap does with a download."""
    file = io.BytesIO(archive)
    check_zip(file)
    reader = ReportReader(layout, ADDED)
    records = list(read_file(reader, file))
    return Report(records, list(reader.findings.warnings()))


def try_to_read_zip(archive: bytes, layout: Layout = SALES) -> Report | str:
    """Read an archive, or return the sentence with which it is refused."""
    try:
        return read_zip(archive, layout)
    except (BrokenDownloadError, UnreadableReportError) as refusal:
        return str(refusal)


def read_csv(content: str | bytes, layout: Layout = SALES) -> Report:
    """Read a report of one part."""
    return read_zip(make_zip({"sales-2024-03-00000.csv": content}), layout)


def read_rows(rows: Iterable[Mapping[str, str]], layout: Layout = SALES) -> Report:
    """Read a report of these rows."""
    return read_csv(make_csv(rows), layout)


def read_cell(header: str, cell: str, layout: Layout = SALES) -> Record:
    """Read a row with a cell under a header, and return its record."""
    row = next(row for other, row in KINDS if other is layout)
    (record,) = read_rows([{**row, header: cell}], layout).records
    return record


def write_csv(
    rows: Iterable[Sequence[str]], *, quoting: Literal[0, 1] = csv.QUOTE_MINIMAL, end: str = "\n"
) -> str:
    """Write rows, ragged ones too, as CSV."""
    lines = []
    for row in rows:
        line = io.StringIO(newline="")
        # Whatever the line end is, both of its characters are quoted in a cell.
        csv.writer(line, quoting=quoting, lineterminator="\r\n").writerow(row)
        lines.append(line.getvalue().removesuffix("\r\n") + end)
    return "".join(lines)


def snake(name: str) -> str:
    """Return the column of a documented header name."""
    return "_".join(re.findall("[a-z]+", name.lower()))


# CSV before Python 3.11 cannot hold a NUL.
anything = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
numberish = st.text("0123456789+-., _eE٣\u00a0", max_size=24)
timeish = st.text("0123456789/-: TZPSDX+\n", max_size=24)
cells = st.one_of(
    anything,
    numberish,
    timeish,
    st.sampled_from(["", " ", "1", "-4.90", "Yes", "no", "NA", "2024-03-01", 'a, "b"\r\nc']),
)

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


@settings(property_test, max_examples=25)
@given(
    st.integers(), st.integers(1, 5000), st.integers(1, 5000), st.sampled_from([0, 1, 1000, 4000])
)
@example(seed=0, kinds=3000, length=5000, expected=0)
@example(seed=0, kinds=3000, length=5000, expected=1000)
def test_occurrences_are_counted_however_many_were_expected(
    seed: int, kinds: int, length: int, expected: int
) -> None:
    occurrences, counter = _Occurrences(expected), Counter[int]()

    for kind in random.Random(seed).choices(range(kinds), k=length):  # noqa: S311
        counter[kind] += 1
        assert occurrences.count(kind.to_bytes(16, "little")) == counter[kind]


# ---------------------------------------------------------------------------------- broken files

PARTS = {
    "sales-2024-03-00000.csv": make_csv(sales(4)),
    "sales-2024-03-00001.csv": make_csv(sales(2)),
}


def _packed(method: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in PARTS.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return buffer.getvalue()


ARCHIVES = {
    "deflated": make_zip(PARTS),
    "streamed": make_zip(PARTS, streamed=True),
    "stored": _packed(zipfile.ZIP_STORED),
}
archives = st.sampled_from(sorted(ARCHIVES)).map(ARCHIVES.__getitem__)


@pytest.mark.parametrize("packing", ARCHIVES)
def test_a_zip_may_be_packed_in_any_usual_way(packing: str) -> None:
    report = read_zip(ARCHIVES[packing])

    assert [record["transaction_id"] for record in report.records] == list("123412")
    assert report.warnings == []


@pytest.mark.parametrize(
    "content",
    [b"", b"PK", b"<!DOCTYPE html>", b"PK\x03\x04" + bytes(100), make_csv(sales(1)).encode()],
)
def test_what_is_no_zip_is_a_broken_download(content: bytes) -> None:
    with pytest.raises(BrokenDownloadError, match="not a whole ZIP"):
        check_zip(io.BytesIO(content))


@settings(property_test, max_examples=200)
@given(archives, st.floats(0, 1, exclude_max=True))
def test_a_zip_cut_short_anywhere_is_a_broken_download(archive: bytes, share: float) -> None:
    with pytest.raises(BrokenDownloadError):
        check_zip(io.BytesIO(archive[: int(share * len(archive))]))


@settings(property_test, max_examples=300)
@given(archives, st.floats(0, 1, exclude_max=True), st.integers(1, 255))
def test_a_zip_with_a_changed_byte_is_refused_or_holds_the_very_same_records(
    archive: bytes, share: float, change: int
) -> None:
    damaged = bytearray(archive)
    damaged[int(share * len(archive))] ^= change

    outcome = try_to_read_zip(bytes(damaged))

    if isinstance(outcome, str):
        assert "\n" not in outcome
        assert "()" not in outcome
    else:
        assert outcome == read_zip(archive)


@settings(property_test, max_examples=300)
@given(
    archives,
    st.lists(
        st.tuples(
            st.floats(0, 1),
            st.integers(0, 40),
            st.one_of(
                st.binary(max_size=12),
                st.sampled_from([b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06"]),
                st.sampled_from([b"\xff" * 4, b"\xff" * 8, bytes(8), b"\x01\0\x08\0"]),
            ),
        ),
        max_size=4,
    ),
)
def test_whatever_the_bytes_of_a_zip_nothing_but_a_refusal_comes_out(
    archive: bytes, edits: list[tuple[float, int, bytes]]
) -> None:
    damaged = archive
    for share, length, replacement in edits:
        at = int(share * len(damaged))
        damaged = damaged[:at] + replacement + damaged[at + length :]

    outcome = try_to_read_zip(damaged)

    if isinstance(outcome, Report):
        assert len(set(outcome.line_ids)) == len(outcome.records)


def test_a_wrong_checksum_is_a_broken_download() -> None:
    archive = bytearray(ARCHIVES["stored"])
    archive[archive.index(b"Smashemup")] ^= 1

    with pytest.raises(BrokenDownloadError, match=r"sales-2024-03-00000\.csv"):
        check_zip(io.BytesIO(archive))


def test_every_one_of_members_with_one_name_is_checked_and_read() -> None:
    archive = ARCHIVES["stored"].replace(b"-00001.csv", b"-00000.csv")
    assert len(read_zip(archive).records) == 6
    damaged = archive.replace(b"Smashemup", b"Smashedup", 1)

    with pytest.raises(BrokenDownloadError):
        check_zip(io.BytesIO(damaged))


def _with_field(archive: bytes, local: int, central: int, value: bytes) -> bytes:
    """Set a field of all members' headers; a place of 0 leaves that header alone."""
    changed = bytearray(archive)
    for signature, place in ((b"PK\x03\x04", local), (b"PK\x01\x02", central)):
        start = changed.find(signature) if place else -1
        while start >= 0:
            changed[start + place : start + place + len(value)] = value
            start = changed.find(signature, start + 1)
    return bytes(changed)


@pytest.mark.parametrize(
    ("local", "central", "value", "reason"),
    [
        (6, 8, b"\x01\0", "encrypted"),
        (6, 8, b"\x41\0", "encrypt"),
        (8, 10, b"\x63\0", "compression"),
        (8, 10, b"\x01\0", "compression"),
        # What Python would unpack, but at once, however much it becomes.
        (8, 10, b"\x0c\0", "compression"),
        (8, 10, b"\x0e\0", "compression"),
        (8, 10, b"\x5d\0", "compression"),
    ],
    ids=[
        "encrypted",
        "strongly encrypted",
        "an unknown compression",
        "shrunk",
        "bzip2",
        "lzma",
        "zstandard",
    ],
)
def test_a_whole_zip_that_cannot_be_unpacked_is_unreadable(
    local: int, central: int, value: bytes, reason: str
) -> None:
    archive = _with_field(ARCHIVES["stored"], local, central, value)

    with pytest.raises(UnreadableReportError, match=reason):
        check_zip(io.BytesIO(archive))


def test_members_that_overlap_are_a_broken_download() -> None:
    """Each row would come as often as members claim it."""
    archive = make_zip({"sales.csv": make_csv(sales(2))})
    start, end = archive.index(b"PK\x01\x02"), archive.index(b"PK\x05\x06")
    entry, tail = archive[start:end], bytearray(archive[end:])
    tail[8:16] = struct.pack("<HHI", 2, 2, 2 * len(entry))

    with pytest.raises(BrokenDownloadError, match="members overlap"):
        check_zip(io.BytesIO(archive[:start] + 2 * entry + tail))


def _with_directory(archive: bytes, times: int, size: int | None = None) -> bytes:
    """Repeat a ZIP's directory, and say how long it is."""
    start, end = archive.index(b"PK\x01\x02"), archive.index(b"PK\x05\x06")
    directory = archive[start:end] * times
    tail = bytearray(archive[end:])
    tail[12:16] = (len(directory) if size is None else size).to_bytes(4, "little")
    return archive[:start] + directory + tail


def test_more_members_than_any_report_has_are_unreadable() -> None:
    archive = make_zip({"sales.csv": make_csv(sales(1))})

    with pytest.raises(UnreadableReportError, match="more members than any report"):
        check_zip(io.BytesIO(_with_directory(archive, 30_000)))


@pytest.mark.parametrize("size", [2**20, 2**24, 2**32 - 2])
def test_a_directory_longer_than_the_file_is_a_broken_download(size: int) -> None:
    with pytest.raises(BrokenDownloadError, match="not a whole ZIP"):
        check_zip(io.BytesIO(_with_directory(ARCHIVES["stored"], 1, size)))


def test_a_member_beyond_all_bounds_is_a_broken_download() -> None:
    buffer = io.BytesIO()
    info = zipfile.ZipInfo("sales.csv")
    info.extra = struct.pack("<HHQ", 1, 8, 2**64 - 1)
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(info, make_csv(sales(1)))

    with pytest.raises(BrokenDownloadError):
        check_zip(io.BytesIO(_with_field(buffer.getvalue(), 0, 42, b"\xff" * 4)))


def test_a_member_longer_than_the_file_is_a_broken_download_with_a_reason() -> None:
    sizes = 2 * (10_000_000).to_bytes(4, "little")

    with pytest.raises(BrokenDownloadError, match=r"ZIP \(.+\)"):
        check_zip(io.BytesIO(_with_field(ARCHIVES["stored"], 0, 20, sizes)))


@pytest.mark.parametrize(
    ("members", "found"),
    [
        ({}, "nothing"),
        ({"read me.txt": "x", "sales.csv.bak": "x"}, "'read me.txt', 'sales.csv.bak'"),
        ({"sales.csv/": ""}, "nothing"),
        ({"__MACOSX/._sales.csv": "x"}, r"'__MACOSX/\._sales\.csv'"),
    ],
)
def test_a_zip_without_csv_is_unreadable_and_what_it_holds_is_told(
    members: dict[str, str], found: str
) -> None:
    with pytest.raises(UnreadableReportError, match=rf"no CSV file \(found: {found}\)"):
        read_zip(make_zip(members))


def test_a_report_may_have_hundreds_of_parts() -> None:
    part = make_csv(sales(1))

    assert len(read_zip(make_zip({f"{number}.csv": part for number in range(300)})).records) == 300


def test_a_zip_may_leave_the_number_of_its_members_to_its_longer_form() -> None:
    archive = ARCHIVES["deflated"]
    at = archive.index(b"PK\x05\x06")
    longer = archive[: at + 8] + b"\xff\xff\xff\xff" + archive[at + 12 :]

    assert len(read_zip(longer).records) == 6


def test_other_files_folders_and_hidden_twins_are_passed_over() -> None:
    members: dict[str, bytes | str] = {
        "2024/": "",
        "2024/03/Sales.CSV": make_csv(sales(2)),
        "__MACOSX/2024/03/._Sales.CSV": b"\0\x05\x16\x07",
        "license.txt": "x",
    }

    assert len(read_zip(make_zip(members)).records) == 2


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

    tracemalloc.start()
    try:
        with pytest.raises(UnreadableReportError, match=r" [24] MiB|no valid CSV at line"):
            deque(ReportReader(SALES, ADDED).read(buffer), maxlen=0)
        assert tracemalloc.get_traced_memory()[1] < 48 * 2**20
    finally:
        tracemalloc.stop()


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

    tracemalloc.start()
    try:
        deque(ReportReader(SALES, ADDED).read(buffer), maxlen=0)
        assert tracemalloc.get_traced_memory()[1] < 16 * 2**20
    finally:
        tracemalloc.stop()


def test_ten_thousand_columns_are_read_and_more_than_any_sheet_has_are_refused() -> None:
    more = {f"More {number}": str(number) for number in range(10_000)}

    (rescued,) = read_rows([{**SALE, **more}]).rescued

    assert rescued == more
    header, row = make_csv([SALE]).splitlines()
    for lines in ([header + ",x" * 20_000, row], [header, row + ",x" * 20_000]):
        with pytest.raises(UnreadableReportError, match="a row of 20,023 cells"):
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
