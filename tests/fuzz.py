"""A fuzzer: whatever the bytes of a report, it is read, or refused in a sentence of the contract.

Guided by coverage, it changes the bytes of valid reports. This runs it until it finds something or
for `-max_total_time` seconds (600 by default); whatever else libFuzzer understands can be added:

    uv run --isolated --python 3.12 --group fuzz python -m tests.fuzz

What it finds and learns is kept in `.fuzz`.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["tap_amazon_appstore", "zipfile"]):
    import zipfile

    from tap_amazon_appstore.reading.archive import (
        BrokenDownloadError,
        UnreadableReportError,
        check_zip,
    )
    from tap_amazon_appstore.reading.reader import Layout, ReportReader

import msgspec
from msgspec.json import encode as encode_json

from sandbox import make_csv, make_zip
from tap_amazon_appstore.tap import TapAmazonAppstore
from tests.data import EARNINGS, SALE, SUBSCRIPTION, sale, sales

FOUND = Path(".fuzz")

LAYOUTS: list[Layout] = [
    stream.layout
    for stream in TapAmazonAppstore(config={}, validate_config=False).discover_streams()
]
ROWS = [SALE, SUBSCRIPTION, EARNINGS]
ADDED = {"report_month": "2024-03-01", "report_last_modified": "2024-04-03T12:30:00+00:00"}

# What the first byte of an input says, after the layout: what the others are.
ARCHIVE, TABLE, ROWS_OF_TABLE, CELLS = range(4)


def packed(content: bytes) -> bytes:
    """Return a ZIP of one CSV; it is not compressed, for time is better spent on other inputs."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("sales.csv", content)
    return file.getvalue()


def archive_of(kind: int, layout: Layout, content: bytes) -> bytes:
    """Return the report that an input stands for."""
    header = ",".join(layout.columns).encode() + b"\n"
    if kind == ARCHIVE:
        return content
    if kind == TABLE:
        return packed(content)
    if kind == ROWS_OF_TABLE:
        return packed(header + content)
    # A line is a cell of each of the columns.
    lines = content.split(b"\n")
    return packed(header + b"\n".join(b",".join([line] * len(layout.columns)) for line in lines))


def read(data: bytes) -> None:
    """Read an input as the tap would.

    Raises:
        AssertionError: a report was read or refused in a way that the contract does not know.
    """
    if not data:
        return
    layout = LAYOUTS[data[0] % len(LAYOUTS)]
    file = io.BytesIO(archive_of(data[0] // len(LAYOUTS) % 4, layout, data[1:]))
    reader = ReportReader(layout, ADDED)
    keys = []
    said = []
    try:
        check_zip(file)
        for record in reader.read(file):
            encode_json(record)
            keys.append(msgspec.structs.asdict(record)["line_id"])
    except (BrokenDownloadError, UnreadableReportError) as refusal:
        said.append(str(refusal))
    assert len(set(keys)) == len(keys) == reader.rows, "each row has a key of its own"
    said += reader.findings.warnings()
    assert all("\n" not in sentence for sentence in said), "a sentence is one line"


def write_seeds(directory: Path) -> None:
    """Write valid reports to begin with."""
    directory.mkdir(parents=True, exist_ok=True)
    odd = sale(Units="1.50", Sales_Price="-0.99", Transaction_Time="2024-03-31 23:56:22 +05:30")
    for number, row in enumerate(ROWS):
        table = make_csv([row, {**row, **odd} if row is SALE else row, {**row, "New": 'a "b",\n'}])
        header, rows = table.split("\n", 1)
        parts: dict[str, bytes | str] = {"a.csv": table, "b.csv": header, "c/": "", "d.txt": "x"}
        inputs = [
            (ARCHIVE, make_zip(parts)),
            (ARCHIVE, make_zip(parts, streamed=True)),
            (ARCHIVE, packed(make_csv(sales(1) if row is SALE else [row]).encode())),
            (TABLE, table.encode()),
            (TABLE, table.encode("utf-8-sig").replace(b"A", b"\xe9")),
            (ROWS_OF_TABLE, rows.encode()),
            *((CELLS, cell.encode()) for cell in row.values()),
        ]
        for seed, (kind, content) in enumerate(inputs):
            first = kind * len(LAYOUTS) + number
            (directory / f"seed-{number}-{seed}").write_bytes(bytes([first]) + content)


def main() -> None:
    """Run the fuzzer with libFuzzer's arguments."""
    corpus = FOUND / "corpus"
    write_seeds(corpus)
    options = {"max_total_time": 600, "max_len": 8192, "timeout": 20, "rss_limit_mb": 1024}
    defaults = [f"-{name}={value}" for name, value in options.items()]
    arguments = [*defaults, f"-artifact_prefix={FOUND}/", *sys.argv[1:]]
    if not any(not argument.startswith("-") for argument in sys.argv[1:]):
        arguments.append(str(corpus))
    atheris.Setup([sys.argv[0], *arguments], read)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
