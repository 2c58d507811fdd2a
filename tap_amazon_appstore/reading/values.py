"""Values of cells: numbers, booleans and dates."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from msgspec import Raw

from tap_amazon_appstore.reading.timestamps import parse_timestamp

if TYPE_CHECKING:
    from collections.abc import Callable

_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,20}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})")
_INTEGER = re.compile(r"([+-]?[0-9]{1,19})(?:\.0*)?")
_INT64 = range(-(2**63), 2**63)
_BOOLEANS = {"yes": True, "no": False, "true": True, "false": False}

# Cells of a column whose values are cached, and the longest one, in characters.
_MAX_CELLS = 8192
_MAX_CELL = 40


class ParsedCells(dict[str, Any]):
    """Values of a column's cells, each distinct one parsed once: prices and dates repeat.

    Empty cells, and those that cannot be parsed, are None.
    """

    def __init__(self, parse: Callable[[str], Any]) -> None:
        """Parse cells with `parse`, which raises ValueError for what it cannot parse."""
        super().__init__({"": None})
        self._parse = parse
        self.failures = 0
        """How many cells could not be parsed so far, each time it occurred."""

    def __missing__(self, cell: str) -> Any:  # noqa: ANN401
        """Parse a cell that is not cached."""
        try:
            value = self._parse(cell)
        except ValueError:
            self.failures += 1
            return None
        if len(self) < _MAX_CELLS and len(cell) <= _MAX_CELL:
            self[cell] = value
        return value


def parse_integer(cell: str) -> int:
    """Return the whole number of up to 64 bits in a cell.

    Raises:
        ValueError: it contains something else.
    """
    match = _INTEGER.fullmatch(cell.strip(" "))
    if match is None or (number := int(match[1])) not in _INT64:
        raise ValueError(cell)
    return number


def parse_decimal(cell: str) -> Decimal:
    """Return the number in a cell, digit for digit: `4.90` stays `4.90`.

    Up to 20 digits before the point and 18 after it, which every target's exact decimals can hold.
    Thousands separators, decimal commas, currency signs and parentheses are not guessed.

    Raises:
        ValueError: it contains something else.
    """
    digits = cell.strip(" ")
    if _NUMBER.fullmatch(digits) is None:
        raise ValueError(cell)
    return Decimal(digits)


def parse_json_number(cell: str) -> Raw:
    """Return the number in a cell as `parse_decimal` does, encoded as JSON.

    Raises:
        ValueError: it contains something else.
    """
    return Raw(str(parse_decimal(cell)).encode())


def parse_decimal_text(cell: str) -> str:
    """Return the number in a cell as `parse_decimal` does, as plain digits without an exponent.

    Raises:
        ValueError: it contains something else.
    """
    return format(parse_decimal(cell), "f")


def parse_boolean(cell: str) -> bool:
    """Return the value of `Yes` or `No`, in any case.

    Raises:
        ValueError: it contains something else.
    """
    try:
        return _BOOLEANS[cell.strip(" ").lower()]
    except KeyError:
        raise ValueError(cell) from None


def parse_date(cell: str) -> str:
    """Return the date at the start of a cell in ISO 8601, as written whatever its zone.

    Raises:
        ValueError: there is none.
    """
    day = parse_timestamp(cell, "").day
    if day is None:
        raise ValueError(cell)
    return day
