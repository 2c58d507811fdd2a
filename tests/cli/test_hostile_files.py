"""Odd and harmful files: each is read or refused in one sentence, in bounded memory."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections import Counter
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sandbox import make_csv, make_zip
from tests.conftest import Run
from tests.data import MONTH, SALE, SUBSCRIPTION, sale, sales

if TYPE_CHECKING:
    from tests.conftest import Tap

pytestmark = [pytest.mark.usefixtures("sales_alone"), pytest.mark.unlimited]

ROWS = make_csv(sales(3))

HEADER = make_csv([SALE]).splitlines()[0]
NAME = "sales-2024-03-00000.csv"

# Megabytes.
MAX_MEMORY = 200

LOCAL, DIRECTORY, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"


def run_bounded(command: list[str]) -> Run:
    """Run a command; it must stay within its bounds of memory."""
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as stdout,
        tempfile.TemporaryFile("w+", encoding="utf-8") as stderr,
    ):
        process = subprocess.Popen(command, stdout=stdout, stderr=stderr)
        peak = 0.0
        watchdog = threading.Timer(120, process.kill)
        watchdog.start()
        while process.poll() is None:
            peak = max(peak, _peak_memory(process.pid))
            time.sleep(0.005)
        watchdog.cancel()
        stdout.seek(0)
        stderr.seek(0)
        run = Run(process.returncode, stdout.read(), stderr.read())
    assert peak < MAX_MEMORY, f"{peak:.0f} MB"
    return run


def _peak_memory(pid: int) -> float:
    """Return the peak memory of a process so far, in MB; 0 on other systems than Linux.

    `getrusage` would include the peak of this process, from which it was forked.
    """
    if sys.platform != "linux":
        return 0
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    lines = [line.split() for line in status.splitlines() if line.startswith("VmHWM")]
    return int(lines[0][1]) / 1024 if lines else 0


def set_field(archive: bytes, signature: bytes, place: int, value: bytes) -> bytes:
    """Change a field in the first header of a kind."""
    at = archive.index(signature) + place
    return archive[:at] + value + archive[at + len(value) :]


def bomb(content: bytes, times: int) -> bytes:
    """Return a ZIP whose member is `content` so many times, made without compressing it all."""
    packer = zlib.compressobj(9, wbits=-15)
    block = packer.compress(content) + packer.flush(zlib.Z_FULL_FLUSH)
    archive = make_zip({NAME: ""})
    packed = block * times + packer.flush()
    at = archive.index(DIRECTORY)
    start = archive.index(b".csv") + len(b".csv")
    archive = archive[:start] + packed + archive[at:]
    sizes = b"".join(number.to_bytes(4, "little") for number in (len(packed), len(content) * times))
    archive = set_field(archive, DIRECTORY, 20, sizes)
    return set_field(archive, END, 16, (start + len(packed)).to_bytes(4, "little"))


def with_directory(archive: bytes, times: int) -> bytes:
    """Return a ZIP with as many members, all of the same bytes."""
    start, end = archive.index(DIRECTORY), archive.index(END)
    entry = archive[start:end]
    count = min(times, 0xFFFF).to_bytes(2, "little")
    sizes = (len(entry) * times).to_bytes(4, "little")
    archive = set_field(archive, END, 8, count + count + sizes)
    return archive[:start] + entry * times + archive[start + len(entry) :]


MORE = {f"More {number}": "x" for number in range(10_000)}
ODD = sale(Units="two", Transaction_Time="01/30/24 24:00:00 PST")

# Content, number of line items, and the start of each warning.
READABLE: dict[str, tuple[bytes | str | dict[str, bytes | str], int, list[str]]] = {
    "gzip": (gzip.compress(ROWS.encode()), 3, []),
    "CSV": (ROWS.encode(), 3, []),
    "no rows": ({"a.csv": HEADER, "b.csv": ""}, 0, []),
    "other members": (
        {NAME: ROWS, "sales.txt": ROWS, "more.zip": make_zip({NAME: ROWS}), "__MACOSX/._x": "x"},
        3,
        ["'sales.txt' in the ZIP file is not", "'more.zip' in the ZIP file is not"],
    ),
    "names that lead elsewhere": (
        dict.fromkeys(["../../../escaped.csv", "/escaped.csv", "..\\escaped.csv"], ROWS),
        9,
        [],
    ),
    "no line items": (
        f"{ROWS}{HEADER}\n{',' * 22}\n{HEADER}\n",
        3,
        ["skipped 1 row without any value", "skipped 2 repetitions of the header line"],
    ),
    "ragged rows": (
        f"{ROWS}Amazon.com\n{ROWS.splitlines()[1]},surplus\n",
        5,
        ["1 row with too few cells", "1 row with too many cells"],
    ),
    "cells that do not fit": (
        make_csv([ODD]),
        1,
        ["'Units' is null in 1 row", "transaction times such as '01/30/24 24:00:00 PST'"],
    ),
    "two headers for a column": (
        make_csv([{"Sales Price (USD)": "1.00", **SALE}]),
        1,
        ["unknown column 'Sales Price (USD)'"],
    ),
    "Windows-1252": (
        {NAME: make_csv([sale(Title="Café")]).encode("cp1252")},
        1,
        [f"'{NAME}' is not UTF-8 and was read as Windows-1252"],
    ),
    "many columns": (make_csv([{**SALE, **MORE}] * 3), 3, [f"unknown column '{n}'" for n in MORE]),
    # Over a hundred times its size, but no more than large reports have.
    "many rows": ("\n".join([HEADER, *[ROWS.splitlines()[1]] * 50_000]), 50_000, []),
}


def test_odd_reports_are_read_with_one_warning_for_each_finding(tap: Tap) -> None:
    months = {f"2023-{number:02}": name for number, name in enumerate(READABLE, 1)}
    for month, name in months.items():
        tap.account.put_report("sales", date.fromisoformat(f"{month}-01"), READABLE[name][0])

    run = run_bounded(tap.command(start_date="2023-01-01", end_date=f"{max(months)}-01"))

    assert run.code == 0, run.stderr[-2000:]
    records = run.records()
    rows = Counter(record["report_month"][:7] for record in records)
    assert {name: rows[month] for month, name in months.items()} == {
        name: rows for name, (_, rows, _) in READABLE.items()
    }
    for month, name in months.items():
        start = f"sales {month}: "
        warnings = [text.removeprefix(start) for text in run.log("WARNING") if start in text]
        expected = READABLE[name][2]
        assert len(warnings) == len(expected), (name, warnings[:5])
        assert all(map(str.startswith, warnings, expected)), (name, warnings[:5])
    rescued = [json.loads(record["_rescued_data"] or "{}") for record in records]
    assert rescued.count(MORE) == 3
    assert {"Units": "two"} in rescued
    assert {record["title"] for record in records} >= {"Café"}
    assert not list(tap.directory.glob("**/*escaped*"))
    assert not Path("/escaped.csv").exists()


REFUSED: dict[str, tuple[bytes | str | dict[str, bytes | str], str]] = {
    "a bomb": (bomb(bytes(2**26), 48), "decompresses to more than 100 times its size"),
    "a bomb of rows": (
        bomb(ROWS.encode() * 2**15, 3 * 2**15 // len(ROWS) + 1),
        "decompresses to more than 100 times its size",
    ),
    "bzip2": (
        set_field(make_zip({NAME: ROWS}), DIRECTORY, 10, b"\x0c\0"),
        "unsupported compression method 12",
    ),
    "many members": (
        with_directory(make_zip({NAME: ROWS}), 500_000),
        "too many members",
    ),
    "an encrypted member": (
        set_field(make_zip({NAME: ROWS}), DIRECTORY, 8, b"\x01\0"),
        f"'{NAME}' is encrypted",
    ),
    "another report in a second part": (
        {NAME: ROWS, "z.csv": make_csv([SUBSCRIPTION])},
        "the header has 3 of the 23 documented columns (found: 'Date', 'Marketplace', ",
    ),
    "semicolons": (ROWS.replace(",", ";").encode(), "columns separated by semicolons"),
    "UTF-16": ({NAME: ROWS.encode("utf-16")}, "is in UTF-16 or UTF-32 instead of UTF-8"),
    "two headers for a column": (
        make_csv([{**SALE, "Sales Price (Marketplace Currency)": "1.00"}]),
        "more than one name for the same column: 'Sales Price' (column 18) and 'Sales Price (Mark",
    ),
    "a line without end": (f"{HEADER}\n" + "x" * 10**8, "a line of more than 2 MiB"),
    "a cell of lines": (f'{HEADER}\n"' + "a line\n" * 10**7, "is not valid CSV at line"),
    "a row of cells": (f"{HEADER}\n" + "a," * 10**6, "a row of 1,000,001 cells"),
    "a row of lines": (
        f'{HEADER}\n"' + 'ab\n","' * 10**7,
        "a row of more than 4 MiB",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_harmful_file_is_refused_in_one_sentence_before_its_first_row(
    tap: Tap, name: str
) -> None:
    content, reason = REFUSED[name]
    tap.account.put_report("sales", MONTH, content)

    run = run_bounded(tap.command())

    assert (run.code, run.records()) == (1, []), run.stderr
    (error,) = run.log("ERROR")
    assert error.startswith("sales 2024-03: ")
    assert reason in error
    assert "Download this report in the Developer Console" in error
    assert "Traceback" not in run.stderr
