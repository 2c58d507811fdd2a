"""Sample reports: made up, and the same every time.

What a report holds depends on which report it is, its month, how many rows it should have and how
often it was restated, and on nothing else.
"""

from __future__ import annotations

import csv
import io
from datetime import date, datetime, timezone
from itertools import islice
from typing import IO, TYPE_CHECKING

from sandbox.archive import member, member_name, open_archive
from sandbox.samples import earnings, sales, subscriptions
from sandbox.samples.layout import Layout
from sandbox.samples.months import following_month

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_TABLES = {
    "sales": sales.table,
    "subscription": subscriptions.table,
    "earnings": earnings.table,
}


def make_sample(report: str, month: date, rows: int, restatement: int = 0) -> bytes:
    """Make a sample report's ZIP; `restatement` counts how often it has been made again."""
    buffer = io.BytesIO()
    _write(buffer, report, month, rows, restatement)
    return buffer.getvalue()


def write_sample_zip(path: Path, report: str, month: date, rows: int) -> None:
    """Write a sample report's ZIP to a file; memory does not grow with the number of rows."""
    with path.open("wb") as file:
        _write(file, report, month, rows, restatement=0)


def months_until(today: date, months: int) -> list[date]:
    """List the last `months` months in ascending order, the one of `today` included."""
    current = today.year * 12 + today.month - 1
    return [date(i // 12, i % 12 + 1, 1) for i in range(current - months + 1, current + 1)]


def published_at(month: date, today: date) -> datetime:
    """Tell when a sample report was published: on the 3rd of the next month, or today."""
    third_of_next = following_month(month).replace(day=3)
    day = min(third_of_next, today)
    return datetime(day.year, day.month, day.day, tzinfo=timezone.utc)


def _write(target: IO[bytes], report: str, month: date, rows: int, restatement: int) -> None:
    month = month.replace(day=1)
    layout = Layout.of(month)
    header, lines = _TABLES[report](month, rows, restatement, observed=layout.observed)
    rows_in_part = -(-rows // layout.parts)
    with open_archive(target, streamed=layout.streamed) as archive:
        for part in range(layout.parts):
            # A restatement may have changed the number of rows; the last part takes the rest.
            end = rows_in_part if part < layout.parts - 1 else None
            with archive.open(member(member_name(report, month, part)), "w") as file:
                _write_csv(file, layout, header, islice(lines, end))


def _write_csv(
    file: IO[bytes], layout: Layout, header: Sequence[str], lines: Iterator[Sequence[str]]
) -> None:
    encoding = "utf-8-sig" if layout.byte_order_mark else "utf-8"
    with io.TextIOWrapper(file, encoding, newline="") as text:
        writer = csv.writer(
            text,
            lineterminator=layout.line_end,
            quoting=csv.QUOTE_ALL if layout.quoted else csv.QUOTE_MINIMAL,
        )
        writer.writerow(header)
        writer.writerows(lines)
