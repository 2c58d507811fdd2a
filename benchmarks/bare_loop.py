"""The least that Python can do: `csv.reader` to dict to JSON to standard output, nothing typed."""

from __future__ import annotations

import csv
import io
import sys
import zipfile

import msgspec


def main(path: str) -> None:
    """Write the rows of a ZIP's CSV files as RECORD messages."""
    encode = msgspec.json.Encoder().encode
    write = sys.stdout.buffer.write
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            with archive.open(name) as member:
                lines = csv.reader(io.TextIOWrapper(member, "utf-8-sig", newline=""))
                header = next(lines)
                for row in lines:
                    record = dict(zip(header, row, strict=True))
                    write(encode({"type": "RECORD", "stream": "sales", "record": record}))
                    write(b"\n")


if __name__ == "__main__":
    main(sys.argv[1])
