"""Reading of report files in process, for tests."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import dataclass
from importlib import resources
from typing import IO, TYPE_CHECKING, Any, Literal

from hypothesis import settings
from hypothesis import strategies as st

from sandbox import make_csv, make_zip
from tap_amazon_appstore import schemas
from tap_amazon_appstore.output.stream_maps import rows as rows_of
from tap_amazon_appstore.reading.archive import FileFormat, check_file
from tap_amazon_appstore.reading.errors import BrokenDownloadError, UnreadableReportError
from tap_amazon_appstore.reading.header import Layout
from tap_amazon_appstore.reading.reader import ReportReader
from tap_amazon_appstore.tap import TapAmazonAppstore
from tests.data import ROWS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

Row = dict[str, str]
Record = dict[str, Any]

ADDED = {
    "report_month": "2024-03-01",
    "report_period": "2024-03",
    "report_last_modified": "2024-04-03T12:30:00+00:00",
}

property_test = settings(deadline=None, max_examples=50)


def _layout(name: str, identity: tuple[str, ...]) -> Layout:
    text = resources.files(schemas).joinpath(f"{name}.json").read_text(encoding="utf-8")
    schema = json.loads(text)
    return Layout(schema, identity, frozenset(schema["x-documented"]))


STREAMS = TapAmazonAppstore.stream_classes
STREAM_NAMES = [stream.name for stream in STREAMS]
KINDS = [(_layout(stream.name, stream.identity), ROWS[stream.report]) for stream in STREAMS]
"""The columns of each stream, and a row of its report."""

SALES, SUBSCRIPTIONS, EARNED = (layout for layout, _ in KINDS[:3])


@dataclass(frozen=True)
class Report:
    """Records and warnings of a report."""

    records: list[Record]
    warnings: list[str]

    @property
    def line_ids(self) -> list[str]:
        """The keys of the records, in order."""
        return [record["line_id"] for record in self.records]

    @property
    def rescued(self) -> list[dict[str, str]]:
        """The cells in each record's `_rescued_data`."""
        return [json.loads(record["_rescued_data"] or "{}") for record in self.records]


def check(file: IO[bytes], layout: Layout = SALES, *, is_complete: bool = False) -> FileFormat:
    """Check a download, as the tap does."""
    return check_file(file, layout=layout, is_complete=is_complete)


def read_file(reader: ReportReader, file: IO[bytes]) -> Iterator[Record]:
    """Check and read a download, each record by its columns' names."""
    for chunk in reader.read(file, check(file, reader.layout, is_complete=True)):
        assert all(len(column) == chunk.rows for column in chunk.columns)
        yield from rows_of(reader.columns, chunk.columns)


def read_body(body: bytes, layout: Layout = SALES) -> Report:
    """Check a download and read it, as the tap does."""
    reader = ReportReader(layout, ADDED)
    records = list(read_file(reader, io.BytesIO(body)))
    assert len(records) == reader.rows
    return Report(records, list(reader.findings.warnings()))


def try_to_read(body: bytes, layout: Layout = SALES) -> Report | str:
    """Read a download, or return the error's text if it is refused."""
    try:
        return read_body(body, layout)
    except (BrokenDownloadError, UnreadableReportError) as error:
        return str(error)


def read_csv(content: str | bytes, layout: Layout = SALES) -> Report:
    """Read a report of one part."""
    return read_body(make_zip({"sales-2024-03-00000.csv": content}), layout)


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

NOT_DATES = [
    *["NA", " ", "-", "2024", "1711000000", "20240301", "2024/03/01", "01.03.2024", "May 1, 2024"],
    *["13/45/24", "31/03/24", "02/30/24", "2023-02-29", "2024-00-10", "2024-13-01", "0000-01-01"],
    *["03/21/024", "03/21/1", "٠٣/٢١/٢٤", "2024-03-01 1", "2024-03-01 12:00:00 2024"],
    *["2024-03-01 12:00 CET\nx", "2024-03-01 12:00:07:00", "2024-03-01 12:00:07:00 CET"],
    *["2024-03-01 :00:00", "2024-03-01:00", "2024-03-01 12:39.5 CET"],
]
