"""A report file: a ZIP of CSV files, checked to its last byte before the first row goes out."""

from __future__ import annotations

import io
import itertools
import re
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, cast

from singer_sdk.exceptions import FatalSyncError, RetriableSyncError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


class Part(io.BufferedIOBase):
    """A CSV file of a report.

    `TextIOWrapper` asks for 8 KiB at a time but takes whole pieces, which saves a third of its time.
    """

    def __init__(self, name: str, line_end: str, pieces: Iterator[bytes]) -> None:
        r"""Make a file of the bytes that `pieces` yields.

        Args:
            name: its name within the ZIP.
            line_end: what its lines end with: `"\n"`, whether or not `"\r"` is before it, or `"\r"`
                alone.
            pieces: its bytes.
        """
        self.name = name
        self.line_end = line_end
        self._pieces = pieces

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def read1(self, size: int = -1) -> bytes:  # noqa: ARG002
        """Return the next piece, however large it is; no bytes at the end."""
        return next(self._pieces, b"")


# Bytes of a line. A longer one is no report's: a file without line ends must not fill the memory.
_MAX_LINE = 2 * 1024**2

# Bytes without the end of a row: quoted cells can hold any number of lines.
_MAX_ROW = 2 * _MAX_LINE

_CHUNK = 256 * 1024

# How a ZIP may be packed. Python unpacks other ways without a bound: a few hundred bytes of bzip2
# can become gigabytes, all in memory.
_PACKINGS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})

# How much a file may unpack to: so many times its size, and this anyway. Line items differ in their
# ids, which no packing makes a hundredth of; more is a bomb that would keep the tap busy for hours.
_MAX_RATIO = 100
_ALWAYS_UNPACKED = 1024**3

# Bytes that are read of a ZIP at a time. Its directory is read at once: a longer one than this has
# more members than any report, and each would take many times its place in memory.
_MAX_READ = 1024**2

# The bit of a member's flags that says so.
_ENCRYPTED = 1

# Bytes before a member: its header without name and extra fields.
_MEMBER_HEADER = 30

# Characters of a name or a reason that a sentence quotes.
_MAX_QUOTED = 200

# How far from its end a ZIP says how many members it has, and what it says if they are too many.
_MAX_ZIP_END = 22 + 0xFFFF
_ZIP64_COUNT = 0xFFFF


class UnreadableReportError(FatalSyncError):
    """The file is whole but is no report of this kind: reading it again cannot help."""

    def __init__(self, problem: str) -> None:
        """Say what is wrong with the file, and what to do about it."""
        super().__init__(
            f"{problem}; download it in the Developer Console and compare, and open an issue with "
            "this sentence"
        )


class BrokenDownloadError(RetriableSyncError):
    """The file is not what Amazon stored: a fresh download can help."""


class _BoundedReads:
    """A file of which no more is read at a time than a report needs."""

    def __init__(self, file: IO[bytes], length: int) -> None:
        self._file = file
        self._length = length
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        if _MAX_READ < size <= self._length:
            message = "it has more members than any report"
            raise UnreadableReportError(message)
        return self._file.read(min(size, _MAX_READ))


def _read_through(file: IO[bytes]) -> None:
    length = file.seek(0, io.SEEK_END)
    most = max(length * _MAX_RATIO, _ALWAYS_UNPACKED)
    with zipfile.ZipFile(cast("IO[bytes]", _BoundedReads(file, length))) as archive:
        members = archive.infolist()
        _check_packing(members)
        # `testzip` would read the last one alone of members that share a name.
        for info in members:
            with archive.open(info) as member:
                while chunk := member.read(_CHUNK):
                    # Counted, not believed: what a damaged ZIP says of its sizes is no bomb.
                    most -= len(chunk)
                    if most < 0:
                        message = f"it unpacks to more than {_MAX_RATIO} times its size"
                        raise UnreadableReportError(message)
    # A damaged length in the directory can hide the members that follow, unnoticed by `zipfile`.
    file.seek(max(file.seek(0, io.SEEK_END) - _MAX_ZIP_END, 0))
    end = file.read().rpartition(b"PK\x05\x06")[2]
    if int.from_bytes(end[6:8], "little") not in {len(members), _ZIP64_COUNT}:
        message = "members are missing"
        raise zipfile.BadZipFile(message)


def _check_packing(members: list[zipfile.ZipInfo]) -> None:
    """Make sure that members can be unpacked within bounds, and that none lies within another.

    Not every version of Python finds the latter, which lets the same rows come again and again.
    """
    end = 0
    for info in sorted(members, key=lambda info: info.header_offset):
        if info.header_offset < end:
            message = "its members overlap"
            raise zipfile.BadZipFile(message)
        end = info.header_offset + _MEMBER_HEADER + info.compress_size
        if info.flag_bits & _ENCRYPTED:
            message = f"{info.filename!r} is encrypted"
            raise NotImplementedError(message)
        if info.compress_type not in _PACKINGS:
            message = f"its compression method {info.compress_type} is none that reports have"
            raise NotImplementedError(message)


def check_zip(file: IO[bytes]) -> None:
    """Make sure that a download is a whole ZIP before the first of its rows goes out.

    Raises:
        BrokenDownloadError: it is no ZIP, cut short or damaged.
        UnreadableReportError: it is a ZIP, but encrypted, packed in an unknown way, or a bomb.
    """
    try:
        _read_through(file)
    except UnreadableReportError:
        raise
    except (NotImplementedError, RuntimeError) as error:
        message = f"the ZIP cannot be unpacked ({str(error)[:_MAX_QUOTED]})"
        raise UnreadableReportError(message) from None
    except Exception as error:  # noqa: BLE001 - each way of packing has errors of its own
        reason = str(error)[:_MAX_QUOTED] or type(error).__name__
        message = f"the download is not a whole ZIP ({reason})"
        raise BrokenDownloadError(message) from None


@contextmanager
def open_parts(
    file: IO[bytes], rows_read: Callable[[], int]
) -> Iterator[tuple[Iterator[Part], int]]:
    """Open the CSV files of a report, one after the other in the order of their names.

    Args:
        file: the ZIP.
        rows_read: how many rows the caller has read so far.

    Yields:
        The files, and how many bytes they have together.

    Raises:
        UnreadableReportError: there is none, or one has a line or a row that no report has.
    """
    with zipfile.ZipFile(file) as archive:
        files = [info for info in archive.infolist() if not info.is_dir()]
        parts = [info for info in files if _is_report_part(info.filename)]
        if not parts:
            names = ", ".join(repr(info.filename[:_MAX_QUOTED]) for info in files[:10]) or "nothing"
            message = f"the ZIP holds no CSV file (found: {names})"
            raise UnreadableReportError(message)
        parts.sort(key=lambda info: info.filename)
        yield (
            (_open_part(info.filename, archive.open(info), rows_read) for info in parts),
            sum(info.file_size for info in parts),
        )


def _is_report_part(name: str) -> bool:
    # macOS puts a hidden twin beside each file it packs.
    return name.lower().endswith(".csv") and not name.startswith("__MACOSX/")


def _open_part(name: str, file: IO[bytes], rows_read: Callable[[], int]) -> Part:
    pieces = _unpack_ahead(file)
    first = next(pieces, b"")
    # What stands in quotes is text, and ends no line.
    unquoted = re.sub(rb'"[^"]*"?', b"", first)
    line_end = match[0][-1:] if (match := re.search(rb"\r?\n|\r", unquoted)) else b"\n"
    pieces = _bounded(itertools.chain([first], pieces), line_end, rows_read)
    return Part(name, line_end.decode(), pieces)


def _unpack_ahead(file: IO[bytes]) -> Iterator[bytes]:
    """Yield a file's bytes, a piece at a time; a thread unpacks the next one meanwhile."""
    with ThreadPoolExecutor(1, thread_name_prefix="unpack") as thread:
        unpacking = thread.submit(file.read, _CHUNK)
        while piece := unpacking.result():
            unpacking = thread.submit(file.read, _CHUNK)
            yield piece


def _bounded(
    pieces: Iterable[bytes], line_end: bytes, rows_read: Callable[[], int]
) -> Iterator[bytes]:
    """Pass a file's bytes on until a line or a row of it is longer than any report's."""
    in_line = in_row = rows = 0
    for piece in pieces:
        end = piece.rfind(line_end)
        in_line = len(piece) - end - 1 if end >= 0 else in_line + len(piece)
        if in_line > _MAX_LINE:
            message = f"it has a line of more than {_MAX_LINE // 1024**2} MiB"
            raise UnreadableReportError(message)
        rows_before, rows = rows, rows_read()
        in_row = in_row + len(piece) if rows == rows_before else 0
        if in_row > _MAX_ROW:
            message = f"it has {_MAX_ROW // 1024**2} MiB without the end of a row"
            raise UnreadableReportError(message)
        yield piece
