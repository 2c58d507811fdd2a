"""A report file: a ZIP of CSV files, checked to its last byte before the first row goes out."""

from __future__ import annotations

import io
import re
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, NamedTuple, cast

from singer_sdk.exceptions import FatalSyncError, RetriableSyncError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Part(NamedTuple):
    """A CSV file of a report."""

    name: str
    file: io.BufferedReader
    line_end: str
    """What its lines end with: `"\\n"`, whether or not `"\\r"` is before it, or `"\\r"` alone."""


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


def _open_part(name: str, file: IO[bytes], rows_read: Callable[[], int]) -> Part:
    lines = _BoundedLines(file, rows_read)
    return Part(name, io.BufferedReader(lines, _CHUNK), lines.line_end.decode())


def _is_report_part(name: str) -> bool:
    # macOS puts a hidden twin beside each file it packs.
    return name.lower().endswith(".csv") and not name.startswith("__MACOSX/")


class _BoundedLines(io.RawIOBase):
    """Passes a file's bytes on until a line or a row of it is longer than any report's.

    A thread unpacks the next bytes while the last ones are read.
    """

    def __init__(self, file: IO[bytes], rows_read: Callable[[], int]) -> None:
        self._file = file
        self._unpacker = ThreadPoolExecutor(1, thread_name_prefix="unpack")
        self._length = 0
        self._rows_read = rows_read
        self._rows = 0
        self._without_row = 0
        self._chunk = file.read(_CHUNK)
        self._next = self._unpacker.submit(file.read, _CHUNK)
        first_end = re.search(rb"\r?\n|\r", self._chunk)
        self.line_end = b"\r" if first_end and first_end[0] == b"\r" else b"\n"

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401
        chunk = self._chunk[: len(buffer)]
        buffer[: len(chunk)] = chunk
        self._chunk = self._chunk[len(chunk) :] or self._unpack()
        end = chunk.rfind(self.line_end)
        self._length = len(chunk) - end - 1 if end >= 0 else self._length + len(chunk)
        if self._length > _MAX_LINE:
            message = f"it has a line of more than {_MAX_LINE // 1024**2} MiB"
            raise UnreadableReportError(message)
        rows = self._rows_read()
        self._without_row = self._without_row + len(chunk) if rows == self._rows else 0
        self._rows = rows
        if self._without_row > _MAX_ROW:
            message = f"it has {_MAX_ROW // 1024**2} MiB without the end of a row"
            raise UnreadableReportError(message)
        return len(chunk)

    def close(self) -> None:
        self._unpacker.shutdown(wait=False)
        super().close()

    def _unpack(self) -> bytes:
        """Return the next bytes, and begin with those that follow them."""
        chunk = self._next.result()
        if chunk:
            self._next = self._unpacker.submit(self._file.read, _CHUNK)
        return chunk
