"""Files that were made to do harm: each is handled or refused in one sentence, in bounded memory."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sandbox import make_csv, make_zip
from tap_amazon_appstore.reading.archive import (
    BrokenDownloadError,
    UnreadableReportError,
    check_zip,
)
from tests.conftest import Run
from tests.data import MONTH, SALE, sales

if TYPE_CHECKING:
    from tests.conftest import Tap

ROWS = make_csv(sales(3))
pytestmark = pytest.mark.usefixtures("sales_alone")

HEADER = make_csv([SALE]).splitlines()[0]
NAME = "sales-2024-03-00000.csv"

# Megabytes that the whole process may take.
MOST_MEMORY = 200

LOCAL, DIRECTORY, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"


def read(tap: Tap, content: bytes | str | dict[str, bytes | str]) -> Run:
    """Run the command on a report; it must stay within its bounds of memory."""
    tap.account.put_report("sales", MONTH, content)
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as stdout,
        tempfile.TemporaryFile("w+", encoding="utf-8") as stderr,
    ):
        process = subprocess.Popen(tap.command(), stdout=stdout, stderr=stderr)
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
    assert peak < MOST_MEMORY, f"{peak:.0f} MB"
    return run


def _peak_memory(pid: int) -> float:
    """Return the most memory that a process has had so far, in MB; 0 where the system tells none.

    By Linux's `VmHWM`: what `getrusage` tells of a child begins with its parent's.
    """
    if sys.platform != "linux":
        return 0
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    lines = [line.split() for line in status.splitlines() if line.startswith("VmHWM")]
    return int(lines[0][1]) / 1024 if lines else 0


def refusal(run: Run) -> str:
    """Return the one sentence with which a run failed."""
    assert run.code == 1, run.stderr
    (said,) = run.log("ERROR")
    assert said.startswith("The sales report of 2024-03 could not be read: ")
    assert "Traceback" not in run.stderr
    return said


def set_field(archive: bytes, signature: bytes, place: int, value: bytes) -> bytes:
    """Change a field in the first header of a kind."""
    at = archive.index(signature) + place
    return archive[:at] + value + archive[at + len(value) :]


def bomb(content: bytes, times: int) -> bytes:
    """Return a ZIP of a member that holds `content` so many times, made without packing it all."""
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
    """Repeat a ZIP's directory: as many members that are all the same bytes of the file."""
    start, end = archive.index(DIRECTORY), archive.index(END)
    entry = archive[start:end]
    count = min(times, 0xFFFF).to_bytes(2, "little")
    sizes = (len(entry) * times).to_bytes(4, "little")
    archive = set_field(archive, END, 8, count + count + sizes)
    return archive[:start] + entry * times + archive[start + len(entry) :]


@pytest.mark.parametrize(
    "content",
    [bytes(2**26), ROWS.encode() * 2**15],
    ids=["zeros", "rows"],
)
def test_a_bomb_is_refused_before_its_first_row(tap: Tap, content: bytes) -> None:
    archive = bomb(content, 3 * 2**30 // len(content))
    assert len(archive) < 2**25

    run = read(tap, archive)

    assert "unpacks to more than 100 times its size" in refusal(run)
    assert run.records() == []


def test_a_gigabyte_is_no_bomb_yet() -> None:
    """It is read to its end, where the checksum, which is none here, is missed."""
    with pytest.raises(BrokenDownloadError, match="CRC"):
        check_zip(io.BytesIO(bomb(bytes(2**26), 16)))
    with pytest.raises(UnreadableReportError, match="100 times its size"):
        check_zip(io.BytesIO(bomb(bytes(2**26), 17)))


def test_a_report_that_packs_well_is_no_bomb(tap: Tap) -> None:
    """It has well over a hundred times its size, but no more than large reports have."""
    row = make_csv([SALE]).splitlines()[1]
    rows = "\n".join([HEADER, *[row] * 100_000])
    archive = make_zip({NAME: rows})
    assert len(rows) > 150 * len(archive)

    run = read(tap, archive)

    assert run.code == 0
    assert run.stdout.count('"type":"RECORD"') == 100_000


def test_members_without_number_are_refused(tap: Tap) -> None:
    run = read(tap, with_directory(make_zip({NAME: ROWS}), 500_000))

    assert "more members than any report" in refusal(run)


def test_a_bomb_that_only_bzip2_can_make_is_refused(tap: Tap) -> None:
    archive = make_zip({NAME: ROWS})

    run = read(tap, set_field(archive, DIRECTORY, 10, b"\x0c\0"))

    assert "compression method 12 is none that reports have" in refusal(run)


def test_an_encrypted_member_is_refused(tap: Tap) -> None:
    archive = set_field(make_zip({NAME: ROWS}), LOCAL, 6, b"\x01\0")

    run = read(tap, set_field(archive, DIRECTORY, 8, b"\x01\0"))

    assert f"'{NAME}' is encrypted" in refusal(run)


def test_a_zip_within_the_zip_is_no_report(tap: Tap) -> None:
    run = read(tap, {"sales.zip": make_zip({NAME: ROWS})})

    assert "no CSV file (found: 'sales.zip')" in refusal(run)


def test_a_zip_that_calls_itself_a_csv_is_no_report(tap: Tap) -> None:
    run = read(tap, {NAME: make_zip({NAME: ROWS})})

    # It has no header or, before Python 3.11, a NUL.
    assert re.search("its header has|is no valid CSV", refusal(run))


@pytest.mark.parametrize(
    "name",
    ["../../../../tmp/escaped.csv", "/tmp/escaped.csv", "C:\\escaped.csv", "..\\escaped.csv"],  # noqa: S108
)
def test_a_name_that_leads_elsewhere_leads_nowhere(tap: Tap, name: str) -> None:
    run = read(tap, {name: ROWS})

    assert len(run.records()) == 3
    assert not Path("/tmp/escaped.csv").exists()  # noqa: S108
    assert not list(Path().glob("*escaped*"))


def test_ten_thousand_columns_are_kept(tap: Tap) -> None:
    more = {f"More {number}": "x" for number in range(10_000)}

    run = read(tap, make_csv([{**SALE, **more}] * 3))

    assert [json.loads(record["_rescued_data"]) for record in run.records()] == [more] * 3
    assert len(run.log("WARNING")) == 10_000


@pytest.mark.parametrize(
    ("start", "block", "times", "words"),
    [
        (f"{HEADER}\n", "x", 10**8, "a line of more than 2 MiB"),
        ("", "x", 10**8, "a line of more than 2 MiB"),
        (f'{HEADER}\n"', "a word ", 10**7, "a line of more than 2 MiB"),
        (f'{HEADER}\n"', "a line\n", 10**7, "no valid CSV at line"),
        (f"{HEADER}\n", "a,", 10**7, "a line of more than 2 MiB"),
        (f"{HEADER}\n", "a,", 10**6, "a row of 1,000,001 cells"),
        ("", "a,", 10**6, "a row of 1,000,001 cells"),
        (f'{HEADER}\n"', 'ab\n","', 10**7, "4 MiB without the end of a row"),
    ],
    ids=[
        "a cell",
        "a header",
        "a quoted cell",
        "a cell of lines",
        "a line of cells",
        "a row of cells",
        "a header of cells",
        "a row of lines",
    ],
)
def test_what_has_no_end_is_refused(
    tap: Tap, start: str, block: str, times: int, words: str
) -> None:
    run = read(tap, start + block * times)

    assert words in refusal(run)
    assert run.records() == []
