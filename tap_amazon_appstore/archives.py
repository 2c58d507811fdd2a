"""A report file: a ZIP of CSV files, checked to its last byte before the first row goes out."""

from __future__ import annotations

import io
import re
import zipfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from singer_sdk.exceptions import FatalSyncError, RetriableSyncError

if TYPE_CHECKING:
    from collections.abc import Iterator


class Part(NamedTuple):
    """A CSV file of a report."""

    name: str
    file: io.BufferedReader
    line_end: str
    """What its lines end with: `"\\n"`, whether or not `"\\r"` is before it, or `"\\r"` alone."""


# Bytes of a line. A longer one is no report's: a file without line ends must not fill the memory.
_MAX_LINE = 4 * 1024 * 1024

_CHUNK = 256 * 1024

# How far from its end a ZIP says how many members it has, and what it says if they are too many.
_MAX_ZIP_END = 22 + 0xFFFF
_ZIP64_COUNT = 0xFFFF


class UnreadableReportError(FatalSyncError):
    """The file is whole but is no report of this kind: reading it again cannot help."""


class BrokenDownloadError(RetriableSyncError):
    """The file is not what Amazon stored: a fresh download can help."""


def _read_through(file: IO[bytes]) -> None:
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        # `testzip` would read the last one alone of members that share a name.
        for info in members:
            with archive.open(info) as member:
                while member.read(_CHUNK):
                    pass
    # A damaged length in the directory can hide the members that follow, unnoticed by `zipfile`.
    file.seek(max(file.seek(0, io.SEEK_END) - _MAX_ZIP_END, 0))
    end = file.read().rpartition(b"PK\x05\x06")[2]
    if int.from_bytes(end[6:8], "little") not in {len(members), _ZIP64_COUNT}:
        message = "members are missing"
        raise zipfile.BadZipFile(message)


def check_zip(file: IO[bytes]) -> None:
    """Make sure that a download is a whole ZIP before the first of its rows goes out.

    Raises:
        BrokenDownloadError: it is no ZIP, cut short or damaged.
        UnreadableReportError: it is a ZIP, but encrypted or packed in an unknown way.
    """
    try:
        _read_through(file)
    except (NotImplementedError, RuntimeError) as error:
        message = f"the ZIP cannot be unpacked ({error})"
        raise UnreadableReportError(message) from None
    except Exception as error:  # noqa: BLE001 - each way of packing has errors of its own
        message = f"the download is not a whole ZIP ({str(error) or type(error).__name__})"
        raise BrokenDownloadError(message) from None


@contextmanager
def open_parts(file: IO[bytes]) -> Iterator[tuple[Iterator[Part], int]]:
    """Open the CSV files of a report, one after the other in the order of their names.

    Yields:
        The files, and how many bytes they have together.

    Raises:
        UnreadableReportError: there is none, or one has a line that no report has.
    """
    with zipfile.ZipFile(file) as archive:
        files = [info for info in archive.infolist() if not info.is_dir()]
        parts = [info for info in files if _is_report_part(info.filename)]
        if not parts:
            names = ", ".join(repr(info.filename) for info in files[:10]) or "nothing"
            message = f"the ZIP holds no CSV file (found: {names})"
            raise UnreadableReportError(message)
        parts.sort(key=lambda info: info.filename)
        yield (
            (_open_part(info.filename, archive.open(info)) for info in parts),
            sum(info.file_size for info in parts),
        )


def _open_part(name: str, file: IO[bytes]) -> Part:
    lines = _BoundedLines(file)
    return Part(name, io.BufferedReader(lines, _CHUNK), lines.line_end.decode())


def _is_report_part(name: str) -> bool:
    # macOS puts a hidden twin beside each file it packs.
    return name.lower().endswith(".csv") and not name.startswith("__MACOSX/")


class _BoundedLines(io.RawIOBase):
    """Passes a file's bytes on until a line of it is longer than any report's.

    A thread unpacks the next bytes while the last ones are read.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._unpacker = ThreadPoolExecutor(1, thread_name_prefix="unpack")
        self._length = 0
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
