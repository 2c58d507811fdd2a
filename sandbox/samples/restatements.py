"""How a sample report changes when it is restated."""

from __future__ import annotations

from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from sandbox.samples.layout import Table


class _Changes(NamedTuple):
    identity: tuple[str, ...]
    """What makes an added line another one."""
    text: str | None
    amount: str | None


_CHANGES = {
    "sales": _Changes(
        ("Invoice Id", "Transaction Id", "Digital Order ID"), "Title", "Estimated Earnings"
    ),
    "subscription": _Changes(("Vendor SKU", "ASIN"), "Subscription Title", None),
    "earnings": _Changes(("Invoice Group ID", "Invoice ID"), None, "Payment Amount"),
}
_TAKEN_BACK = {"Refund", "Chargeback", "Chargeback reversal"}
_STRETCH = 60
"""Some of so many rows change, in every stretch of a report."""


def restate(report: str, table: Table, random: Random, number: int) -> Table:
    """Withdraw, correct, add and reorder rows; `number` counts the restatements of a report."""
    return table._replace(rows=_restate(_CHANGES[report], table, random, number))


def _restate(changes: _Changes, table: Table, random: Random, number: int) -> Iterator[list[str]]:
    index = table.fields.index
    text = index(changes.text) if changes.text else None
    amount = index(changes.amount) if changes.amount else None
    while stretch := list(islice(table.rows, _STRETCH)):
        del stretch[random.randrange(len(stretch))]
        if text is not None:
            for row in _choose(random, [row for row in stretch if row[text]]):
                row[text] += " (HD)"
        if amount is not None:
            for row in _choose(random, [row for row in stretch if Decimal(row[amount])]):
                value = Decimal(row[amount])
                row[amount] = str(value + Decimal(1).scaleb(int(value.as_tuple().exponent)))
        # A refund has one transaction with its charge, so it gets no double.
        for row in _choose(random, [row for row in stretch if not _TAKEN_BACK & set(row)]):
            added = row.copy()
            for name in changes.identity:
                added[index(name)] = _count_up(row[index(name)], number)
            stretch.append(added)
        random.shuffle(stretch)
        yield from stretch


def _choose(random: Random, rows: list[list[str]]) -> list[list[str]]:
    return random.sample(rows, min(2, len(rows)))


def _count_up(identifier: str, number: int) -> str:
    """Make another identifier: the last digit of a transaction id leaves room for that."""
    head, last = identifier[:-1], identifier[-1]
    # Powers of two: whichever restatements have added to an identifier, the sums differ.
    added = 2 ** (number - 1)
    return f"{head}{int(last) + added}" if last.isdigit() else f"{identifier}{added}"
