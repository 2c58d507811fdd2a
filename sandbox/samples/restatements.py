"""How a sales report changes when it is restated."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from itertools import islice
from random import Random

from sandbox.archive import extract_csv

_STRETCH = 60
"""Some of so many rows change, in every stretch of a report."""


def restate(content: bytes) -> str:
    """Withdraw, correct, add and reorder rows of a ZIP; returns the new report as one CSV.

    The same content is always changed in the same way.
    """
    random = Random(content)
    text = extract_csv(content).decode("utf-8-sig")
    rows = csv.DictReader(io.StringIO(text, newline=""))
    restated = io.StringIO(newline="")
    writer = csv.DictWriter(restated, rows.fieldnames or ())
    writer.writeheader()
    while stretch := list(islice(rows, _STRETCH)):
        writer.writerows(_restate(stretch, random))
    return restated.getvalue()


def _restate(rows: list[dict[str, str]], random: Random) -> list[dict[str, str]]:
    (earnings,) = (name for name in rows[0] if name.startswith("Estimated Earnings"))
    identity = [n for n in rows[0] if n.lower().endswith(("invoice id", "transaction id"))]
    del rows[random.randrange(len(rows))]
    for row in _choose(random, [row for row in rows if row["Title"]]):
        row["Title"] += " (HD)"
    for row in _choose(random, [row for row in rows if Decimal(row[earnings])]):
        row[earnings] = str(Decimal(row[earnings]) * 2)
    # A refund has one transaction with its charge, so it gets no double.
    charges = [row for row in rows if row["Transaction Type"] == "Charge"]
    rows += [
        {**row, **{name: f"{random.getrandbits(50)}" for name in identity}}
        for row in _choose(random, charges)
    ]
    random.shuffle(rows)
    return rows


def _choose(random: Random, rows: list[dict[str, str]]) -> list[dict[str, str]]:
    return random.sample(rows, min(2, len(rows)))
