"""Sample reports: made up, and the same every time.

The contents of a report depend on the business (its size and seed), the report, its month and, in
the current month, the day; and on nothing else.
"""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta
from itertools import islice
from operator import itemgetter
from typing import IO, TYPE_CHECKING

from sandbox.archive import member, member_name, open_archive
from sandbox.samples import earnings, sales, subscriptions
from sandbox.samples.business import Business, level
from sandbox.samples.layout import Layout, add_months

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sandbox.reports import Period
    from sandbox.samples.layout import Table

MONTHLY = {"sales": sales.make_table, "subscription": subscriptions.make_table}
"""What makes the table of each report of which every month has one."""


def make_sample(report: str, month: date, business: Business, until: date = date.max) -> bytes:
    """Make the ZIP of one of the reports in `MONTHLY`.

    It is about what happened before the midnight (UTC) that begins `until`.
    """
    layout = Layout.of(month)
    table = MONTHLY[report](business, month, until, observed=layout.observed)
    return _pack(report, month, layout, table)


def make_earnings(period: Period, months: Sequence[date], business: Business) -> bytes:
    """Make the ZIP of an earnings report of a month, or of these months of a year."""
    return _pack("earnings", period, Layout.of(months[0]), earnings.make_table(business, months))


def write_sample_zip(path: Path, month: date, rows: int) -> None:
    """Write the ZIP of a sales report of so many line items to a file.

    Memory does not grow with the number of rows.
    """
    month, business = month.replace(day=1), Business(rows / level(month))
    layout = Layout.of(month)
    table = sales.make_table(business, month, date.max, observed=layout.observed, rows=rows)
    with path.open("wb") as file:
        _write(file, "sales", month, layout, table, rows=rows)


def list_months(today: date, months: int) -> list[date]:
    """List the last `months` months in ascending order, the one of `today` included."""
    return [add_months(today, i - months + 1) for i in range(months)]


def publication_day(report: str, month: date) -> date:
    """Return the day on which the final report of a month is published, at midnight UTC.

    It is the 3rd of the next month; for earnings, the day after they are paid.
    """
    if report == "earnings":
        return earnings.payment_day(month) + timedelta(days=1)
    return add_months(month, 1).replace(day=3)


def _pack(report: str, period: Period, layout: Layout, table: Table) -> bytes:
    rows = list(table.rows)
    buffer = io.BytesIO()
    _write(buffer, report, period, layout, table._replace(rows=iter(rows)), rows=len(rows))
    return buffer.getvalue()


def _write(  # noqa: PLR0913
    target: IO[bytes], report: str, period: Period, layout: Layout, table: Table, *, rows: int
) -> None:
    pick = itemgetter(*(table.fields.index(field) for field in table.header))
    in_part = -(-rows // layout.parts)
    encoding = "utf-8-sig" if layout.byte_order_mark else "utf-8"
    with open_archive(target, streamed=layout.streamed) as archive:
        for part in range(layout.parts):
            with (
                archive.open(member(member_name(report, period, part)), "w") as file,
                io.TextIOWrapper(file, encoding, newline="") as text,
            ):
                writer = csv.writer(
                    text,
                    lineterminator=layout.line_end,
                    quoting=csv.QUOTE_ALL if layout.quoted else csv.QUOTE_MINIMAL,
                )
                writer.writerow(table.header.values())
                writer.writerows(map(pick, islice(table.rows, in_part)))
