"""Values of cells: numbers, booleans and dates."""

from __future__ import annotations

import json
import re
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_amazon_appstore.reading.values import (
    ParsedCells,
    parse_boolean,
    parse_date,
    parse_decimal,
    parse_decimal_text,
    parse_integer,
    parse_json_number,
)
from tests.reading import NOT_DATES, SUBSCRIPTIONS, numberish, property_test, read_cell


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
def test_numbers_in_other_spellings_are_read(cell: str, value: str) -> None:
    assert str(parse_decimal(cell)) == value
    assert bytes(parse_json_number(cell)) == value.encode()
    assert parse_decimal_text(cell) == value


@pytest.mark.parametrize("cell", ["0.0000001", "-0.000000000000000001", "0.00000000"])
def test_small_amounts_as_text_have_no_exponent(cell: str) -> None:
    assert parse_decimal_text(cell) == cell
    assert Decimal(bytes(parse_json_number(cell)).decode()) == Decimal(cell)


NOT_NUMBERS = [
    *[" ", ".", "+", "-", "--1", "+-1", "1-", "1.2.3", "1 000", "1,000", "1,499.00", "1.499,00"],
    *["4,99", "(4.99)", "$4.99", "5 USD", "5%", "1_000", "1e3", "1E-3", "0x1F", "inf", "-Infinity"],
    *["nan", "sNaN", "NA", "None", "Yes", "½", "²", "٣", "\uff13", "\u22121", "1\n", "\t1"],
    *["\u00a01", "9" * 21, "9" * 5000, "0." + "1" * 19],
]


@pytest.mark.parametrize("cell", NOT_NUMBERS)
def test_other_text_is_not_a_number(cell: str) -> None:
    for parse in (parse_decimal, parse_integer, parse_json_number, parse_decimal_text):
        with pytest.raises(ValueError, match=re.escape(cell)):
            parse(cell)


@settings(property_test, max_examples=300)
@given(numberish)
def test_a_number_is_never_guessed(cell: str) -> None:
    """Plain digits are read digit for digit; other text is refused."""
    plain = re.fullmatch(r" *([+-]?)(\d*)(?:(\.)(\d*))? *", cell, re.ASCII)
    try:
        value = parse_decimal(cell)
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
def test_integers_in_other_spellings_are_read(cell: str, number: int) -> None:
    assert parse_integer(cell) == number


@pytest.mark.parametrize("cell", ["1.5", "1.01", "9223372036854775808", "-9223372036854775809"])
def test_other_numbers_are_not_integers(cell: str) -> None:
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
def test_other_text_is_not_a_boolean(cell: str) -> None:
    with pytest.raises(ValueError, match=re.escape(cell)):
        parse_boolean(cell)


@pytest.mark.parametrize(
    ("cell", "day"),
    [
        ("12/29/18", "2018-12-29"),
        ("2018-12-29", "2018-12-29"),
        ("2022-03-31 00:00:00 CEST", "2022-03-31"),
        ("2022-03-31 24:00:00", "2022-03-31"),
        # Two digits of a year are of this century, four are the whole year.
        ("01/02/00", "2000-01-02"),
        ("01/02/99", "2099-01-02"),
        ("01/02/0018", "0018-01-02"),
        ("0099-01-02", "0099-01-02"),
    ],
)
def test_dates_are_read_as_written(cell: str, day: str) -> None:
    assert parse_date(cell) == day
    assert read_cell("Date", cell, SUBSCRIPTIONS)["date"] == day


@pytest.mark.parametrize("cell", NOT_DATES)
def test_other_text_is_not_a_date(cell: str) -> None:
    with pytest.raises(ValueError, match=re.escape(cell)):
        parse_date(cell)
    record = read_cell("Date", cell, SUBSCRIPTIONS)
    assert record["date"] is None
    assert json.loads(record["_rescued_data"]) == {"Date": cell}


def test_cells_that_repeat_are_parsed_once_and_failures_counted_each_time() -> None:
    parsed: list[str] = []

    def parse(cell: str) -> int:
        parsed.append(cell)
        return int(cell)

    cells = ParsedCells(parse)

    assert [cells[cell] for cell in ["", "1", "x", "1", "x", "2"]] == [None, 1, None, 1, None, 2]
    assert parsed.count("1") == 1
    assert cells.failures == 2


def test_what_is_kept_of_parsed_cells_is_bounded() -> None:
    cells = ParsedCells(len)

    for number in range(20_000):
        assert cells[f"{number:05}"] == 5
    assert cells["x" * 1000] == 1000

    assert len(cells) <= 8192
    assert max(map(len, cells)) == 5
