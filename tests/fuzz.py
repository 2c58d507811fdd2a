"""A fuzzer: any bytes are read as a report, or refused in one sentence.

Guided by coverage, it changes the bytes of valid reports. This runs it until it finds a failure, or
for `-max_total_time` seconds (600 by default); other options of libFuzzer can be added:

    uv run --isolated --python 3.12 --group fuzz python -m tests.fuzz

Its findings and its corpus are kept in `.fuzz`.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import atheris

with atheris.instrument_imports(include=["tap_amazon_appstore", "zipfile"]):
    import zipfile

    from tap_amazon_appstore.reading.errors import BrokenDownloadError, UnreadableReportError
    from tap_amazon_appstore.reading.reader import ReportReader

import gzip

from msgspec.json import encode as encode_json

from sandbox import make_csv, make_zip
from tests.data import SALE, sale, sales
from tests.reading import ADDED, KINDS, read_file

if TYPE_CHECKING:
    from tap_amazon_appstore.reading.header import Layout

FOUND = Path(".fuzz")

LAYOUTS = [layout for layout, _ in KINDS]

# What an input is, by its first byte (with the layout).
FILE, TABLE, ROWS, CELLS = range(4)


def pack(content: bytes) -> bytes:
    """Return a ZIP of one CSV, not compressed, which leaves more time for other inputs."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("sales.csv", content)
    return file.getvalue()


def make_file(kind: int, layout: Layout, content: bytes) -> bytes:
    """Return the report file of an input."""
    header = ",".join(layout.columns).encode() + b"\n"
    if kind == FILE:
        return content
    if kind == TABLE:
        return pack(content)
    if kind == ROWS:
        return pack(header + content)
    # A line is a cell of each of the columns.
    lines = content.split(b"\n")
    return pack(header + b"\n".join(b",".join([line] * len(layout.columns)) for line in lines))


def read(data: bytes) -> None:
    """Read an input as the tap would.

    Raises:
        AssertionError: keys are not unique, or a sentence has more than one line.
    """
    if not data:
        return
    layout = LAYOUTS[data[0] % len(LAYOUTS)]
    file = io.BytesIO(make_file(data[0] // len(LAYOUTS) % 4, layout, data[1:]))
    reader = ReportReader(layout, ADDED)
    keys = []
    sentences = []
    try:
        for record in read_file(reader, file):
            encode_json(record)
            keys.append(record["line_id"])
    except (BrokenDownloadError, UnreadableReportError) as refusal:
        sentences.append(str(refusal))
    assert len({*keys}) == len(keys), "each row has another key"
    sentences += reader.findings.warnings()
    assert all("\n" not in sentence for sentence in sentences), "a sentence is one line"


def write_seeds(directory: Path) -> None:
    """Write valid reports to begin with."""
    directory.mkdir(parents=True, exist_ok=True)
    odd = sale(Units="1.50", Sales_Price="-0.99", Transaction_Time="2024-03-31 23:56:22 +05:30")
    for number, (_, row) in enumerate(KINDS):
        table = make_csv([row, {**row, **odd} if row is SALE else row, {**row, "New": 'a "b",\n'}])
        header, rows = table.split("\n", 1)
        parts: dict[str, bytes | str] = {"a.csv": table, "b.csv": header, "c/": "", "d.txt": "x"}
        inputs = [
            (FILE, make_zip(parts)),
            (FILE, make_zip(parts, streamed=True)),
            (FILE, table.encode()),
            (FILE, gzip.compress(table.encode())),
            (FILE, pack(make_csv(sales(1) if row is SALE else [row]).encode())),
            (TABLE, table.encode()),
            (TABLE, table.encode("utf-8-sig").replace(b"A", b"\xe9")),
            (ROWS, rows.encode()),
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
