"""A report file: CSV in a ZIP, in gzip or as it is, checked to its last byte before the first row.

The checks and bounds are against damaged downloads, and against files made to fill memory, disk or
time (decompression bombs).
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import zipfile
import zlib
from dataclasses import dataclass, field
from operator import attrgetter
from typing import IO, TYPE_CHECKING, Literal, cast

from tap_amazon_appstore.errors import is_out_of_resources
from tap_amazon_appstore.reading.errors import (
    BrokenDownloadError,
    UnreadableReportError,
    WrongHeaderError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_amazon_appstore.reading.header import Layout

# Bytes of a line. No report has a longer one: a file without line ends must not fill the memory.
_MAX_LINE = 2 * 1024**2

# Bytes without the end of a row: quoted cells can contain any number of lines.
_MAX_ROW = 2 * _MAX_LINE

_CHUNK = 256 * 1024

# Compression methods of ZIP members. Python decompresses others without a bound: a few hundred
# bytes of bzip2 can become gigabytes, all in memory.
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})

# How much a file may decompress to: so many times its size, and this much in any case. The ids of
# line items do not compress to a hundredth; more is a bomb that would keep the tap busy for hours.
_MAX_RATIO = 100
_ALWAYS_ALLOWED = 1024**3

# Bytes of a ZIP that are read at a time. Its directory is read at once: a longer one than this has
# more members than any report, and each would take many times its size in memory.
_MAX_READ = 1024**2

# The bit of a ZIP member's flags for encryption.
_ENCRYPTED = 1

# Bytes before a ZIP member: its header without name and extra fields.
_MEMBER_HEADER = 30

# Characters of a name or a reason that a sentence quotes, and names.
_MAX_QUOTED = 200
_MAX_NAMES = 10

# The longest end record of a ZIP, and its count of members if that does not fit.
_MAX_ZIP_END = 22 + 0xFFFF
_ZIP64_COUNT = 0xFFFF

_CSV_ERROR = "tap_amazon_appstore.undefined_bytes"

_CONTROL = re.compile(rb"[\0-\x08\x0e-\x1f]")

# Column separators of spreadsheets' exports, in which no report has been seen.
_OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}


@dataclass(frozen=True)
class PartFormat:
    """How to read one CSV file of a report."""

    name: str
    """What errors and warnings call it."""

    encoding: str
    member: zipfile.ZipInfo | None = None
    """Its entry in the ZIP's directory."""


@dataclass(frozen=True)
class FileFormat:
    """How to read a report file, found by `check_file`."""

    container: Literal["zip", "gzip", "csv"]
    parts: list[PartFormat]
    size: int
    """Bytes of the CSV files."""

    other_members: list[str] = field(default_factory=list)
    """Members of the ZIP that are not CSV."""


class Part(io.BufferedIOBase):
    """One CSV file of a report, decompressed while it is read.

    `TextIOWrapper` asks for 8 KiB at a time but accepts whole pieces, which saves a third of its
    time.
    """

    def __init__(self, part: PartFormat, file: IO[bytes]) -> None:
        """Prepare to read `file`."""
        self.name = part.name
        self.encoding = part.encoding
        self.rows = 0
        """How many rows the caller has read from it."""
        self.size = 0
        """How many bytes have been read from it."""
        self.has_nul = False
        """Whether there were NUL characters in these."""
        self._file = file
        self._first = file.read(_CHUNK).removeprefix(codecs.BOM_UTF8)
        self._in_line = self._in_row = self._rows_before = 0
        # A line end in quotes is text.
        unquoted = re.sub(rb'"[^"]*"?', b"", self._first)
        match = re.search(rb"\r?\n|\r", unquoted)
        self.line_end = match[0][-1:].decode() if match else "\n"
        r"""The end of its lines: `"\n"`, whether or not `"\r"` is before it, or `"\r"` alone."""

    def readable(self) -> bool:
        """Return that it can be read."""
        return True

    def read1(self, size: int = -1) -> bytes:  # noqa: ARG002
        """Return the next piece, however large it is; no bytes at the end.

        Raises:
            UnreadableReportError: a line or a row is longer than in any report.
        """
        piece, self._first = self._first or self._file.read(_CHUNK), b""
        self._check_rows(piece)
        self.size += len(piece)
        self.has_nul = self.has_nul or b"\0" in piece
        return piece

    def text(self) -> io.TextIOWrapper:
        """Return the text of the file."""
        return io.TextIOWrapper(self, self.encoding, _CSV_ERROR, newline=self.line_end)

    def _check_rows(self, piece: bytes) -> None:
        end = piece.rfind(self.line_end.encode())
        self._in_line = len(piece) - end - 1 if end >= 0 else self._in_line + len(piece)
        if self._in_line > _MAX_LINE:
            message = f"{self.name} has a line of more than {_MAX_LINE // 1024**2} MiB"
            raise UnreadableReportError(message)
        self._in_row = self._in_row + len(piece) if self.rows == self._rows_before else 0
        self._rows_before = self.rows
        if self._in_row > _MAX_ROW:
            message = f"{self.name} has a row of more than {_MAX_ROW // 1024**2} MiB"
            raise UnreadableReportError(message)


def check_file(file: IO[bytes], *, layout: Layout, is_complete: bool) -> FileFormat:
    """Check that a download is a whole report before the first of its rows goes out.

    Args:
        file: the body of the response.
        layout: the report's columns.
        is_complete: whether the response proves that the body is complete. A ZIP proves it itself,
            and so does gzip, but for one of several members.

    Returns:
        How to read the file.

    Raises:
        BrokenDownloadError: it is not a report, incomplete or damaged.
        UnreadableReportError: it is complete, but not this report, encrypted, in an unknown format
            or encoding, or a bomb.
    """
    allowed = max(file.seek(0, io.SEEK_END) * _MAX_RATIO, _ALWAYS_ALLOWED)
    file.seek(0)
    signature = file.read(2)
    file.seek(0)
    if signature == b"PK":
        return _check_zip(file, layout, allowed)
    if signature == b"\x1f\x8b":
        return _check_gzip(file, layout, allowed, is_complete=is_complete)
    return _check_text(file, layout, allowed, is_complete=is_complete)


def open_parts(file: IO[bytes], file_format: FileFormat) -> Iterator[Part]:
    """Open the CSV files of a report, one after the other in the order of their names.

    Args:
        file: the report.
        file_format: what `check_file` returned for it.
    """
    file.seek(0)
    if file_format.container == "zip":
        with zipfile.ZipFile(file) as archive:
            for part in file_format.parts:
                yield Part(part, archive.open(part.member))  # type: ignore[arg-type]
    else:
        content = gzip.GzipFile(fileobj=file) if file_format.container == "gzip" else file
        yield Part(file_format.parts[0], content)  # type: ignore[arg-type]


# ---------------------------------------------------------------------------------------- formats


def _check_zip(file: IO[bytes], layout: Layout, allowed: int) -> FileFormat:
    try:
        return _read_zip(file, layout, allowed)
    except UnreadableReportError:
        raise
    except RuntimeError as error:
        message = f"the ZIP file cannot be decompressed ({str(error)[:_MAX_QUOTED]})"
        raise UnreadableReportError(message) from None
    except Exception as error:
        # Each compression method has other errors.
        if is_out_of_resources(error):
            raise
        reason = str(error)[:_MAX_QUOTED] or type(error).__name__
        message = f"the download is an incomplete or damaged ZIP file ({reason})"
        raise BrokenDownloadError(message) from None


def _read_zip(file: IO[bytes], layout: Layout, allowed: int) -> FileFormat:
    """Read a ZIP to its end; what is wrong with its CSV files counts only if the ZIP is whole."""
    parts, others = [], []
    size = 0
    problem = None
    with zipfile.ZipFile(cast("IO[bytes]", _BoundedReads(file))) as archive:
        members = archive.infolist()
        _check_members(members)
        # `testzip` would read only the last one of members that share a name.
        for info in members:
            with archive.open(info) as member:
                text = _TextCheck(repr(info.filename[:_MAX_QUOTED]), member, layout, allowed)
            allowed -= text.size
            if _is_hidden(info):
                continue
            if _is_csv(info, text):
                parts.append(PartFormat(text.name, text.encoding, info))
                size += text.size
                problem = problem or text.problem
            else:
                others.append(text.name)
    # A damaged length in the directory can hide the members that follow, unnoticed by `zipfile`.
    file.seek(max(file.seek(0, io.SEEK_END) - _MAX_ZIP_END, 0))
    end = file.read().rpartition(b"PK\x05\x06")[2]
    if int.from_bytes(end[6:8], "little") not in {len(members), _ZIP64_COUNT}:
        message = "members are missing"
        raise zipfile.BadZipFile(message)
    if problem is not None:
        raise problem
    if not parts:
        names = ", ".join(others[:_MAX_NAMES]) or "nothing"
        message = f"the ZIP file contains no CSV file (found: {names})"
        raise UnreadableReportError(message)
    parts.sort(key=attrgetter("member.filename"))
    return FileFormat("zip", parts, size, others)


def _is_hidden(info: zipfile.ZipInfo) -> bool:
    # macOS packs a hidden twin beside each file.
    name = info.filename
    return info.is_dir() or name.startswith("__MACOSX/") or name.split("/")[-1].startswith("._")


def _is_csv(info: zipfile.ZipInfo, text: _TextCheck) -> bool:
    """Return whether a member is a part of the report: by its name, or without one by its header."""
    name = info.filename.split("/")[-1]
    return name.lower().endswith(".csv") or ("." not in name and text.has_header)


def _check_members(members: list[zipfile.ZipInfo]) -> None:
    """Check that members can be decompressed within bounds, and that none is within another.

    Not every version of Python finds the latter, which would repeat the same rows.
    """
    end = 0
    for info in sorted(members, key=lambda info: info.header_offset):
        if info.header_offset < end:
            message = "its members overlap"
            raise zipfile.BadZipFile(message)
        if not end and info.header_offset:
            # Such as another ZIP, of which `zipfile` reads nothing.
            message = "it has data before its first member"
            raise zipfile.BadZipFile(message)
        end = info.header_offset + _MEMBER_HEADER + info.compress_size
        if info.flag_bits & _ENCRYPTED:
            message = f"{info.filename[:_MAX_QUOTED]!r} is encrypted"
            raise NotImplementedError(message)
        if info.compress_type not in _METHODS:
            message = f"unsupported compression method {info.compress_type}"
            raise NotImplementedError(message)


class _BoundedReads:
    """A file of which no more is read at a time than a report needs."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        if size > _MAX_READ:
            message = "the ZIP file has too many members"
            raise UnreadableReportError(message)
        return self._file.read(size)


def _check_gzip(file: IO[bytes], layout: Layout, allowed: int, *, is_complete: bool) -> FileFormat:
    try:
        with gzip.GzipFile(fileobj=file) as member:
            text = _TextCheck("the gzip file", member, layout, allowed)  # type: ignore[arg-type]
    except (OSError, EOFError, zlib.error) as error:
        message = f"the download is an incomplete or damaged gzip file ({str(error)[:_MAX_QUOTED]})"
        raise BrokenDownloadError(message) from None
    file.seek(-4, io.SEEK_END)
    size_of_last = int.from_bytes(file.read(), "little")
    if text.size & 0xFFFFFFFF != size_of_last and not is_complete:
        # Each member has a checksum, but nothing tells which one is the last.
        message = "the download is a gzip file of several members and may be incomplete"
        raise BrokenDownloadError(message)
    text.expect_report("the gzip file contains")
    return FileFormat("gzip", [PartFormat(text.name, text.encoding)], text.size)


def _check_text(file: IO[bytes], layout: Layout, allowed: int, *, is_complete: bool) -> FileFormat:
    text = _TextCheck("the CSV file", file, layout, allowed)
    if _CONTROL.search(re.split(rb"[\r\n]", text.start.lstrip(), maxsplit=1)[0]):
        # Such as a ZIP without its signature, whose members are not compressed.
        text.has_header = False
    text.expect_report("the download is")
    if not is_complete:
        message = "the download is a CSV file and may be incomplete (no Content-Length)"
        raise BrokenDownloadError(message)
    return FileFormat("csv", [PartFormat(text.name, text.encoding)], text.size)


# ------------------------------------------------------------------------------------------- text


class _TextCheck:
    """A file that should be CSV, read to its end."""

    def __init__(self, name: str, file: IO[bytes], layout: Layout, allowed: int) -> None:
        """Read `file`, which may have `allowed` bytes: what a file claims is not to be trusted.

        Raises:
            UnreadableReportError: it has more.
        """
        self.name = name
        self.size = 0
        self.encoding = "utf-8"
        self.has_header = False
        """Whether its first line is the report's header."""
        self.problem: UnreadableReportError | None = None
        """What is wrong with its first line, if there is one."""
        self.start = piece = file.read(_CHUNK)
        try:
            self.has_header = _has_header(name, piece, layout)
        except UnreadableReportError as problem:
            self.problem = problem
        utf8 = codecs.getincrementaldecoder("utf-8")()
        while piece:
            self.size += len(piece)
            if self.size > allowed:
                message = f"the file decompresses to more than {_MAX_RATIO} times its size"
                raise UnreadableReportError(message)
            following = file.read(_CHUNK)
            try:
                utf8.decode(piece, final=not following)
            except UnicodeDecodeError:
                self.encoding = "cp1252"
            piece = following

    def expect_report(self, place: str) -> None:
        """Raise why a download is not a report, beginning with `place`."""
        if self.has_header:
            return
        if self.problem is not None and not isinstance(self.problem, WrongHeaderError):
            raise self.problem
        message = f"{place} {_describe(self.start)} instead of this report"
        raise BrokenDownloadError(message)


def _has_header(name: str, start: bytes, layout: Layout) -> bool:
    """Return whether a file begins with a report's header, or False if it has no row.

    Raises:
        UnreadableReportError: its first row is another one, or in another format or encoding.
    """
    sample = start[:1000]
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or (
        sample.count(0) * 4 > len(sample)
    ):
        message = f"{name} is in UTF-16 or UTF-32 instead of UTF-8"
        raise UnreadableReportError(message)
    text = start.removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace")
    header = _first_row(text, ",")
    if not layout.is_header(header):
        for separator, plural in _OTHER_SEPARATORS.items():
            if layout.is_header(_first_row(text, separator)):
                message = f"{name} has columns separated by {plural} instead of commas"
                raise UnreadableReportError(message)
    if header:
        layout.match(header)
    return bool(header)


def _first_row(text: str, separator: str) -> list[str]:
    """Return the first row with any text; none if there is no such row, or if it is not CSV."""
    try:
        return next(filter(any, csv.reader(io.StringIO(text, ""), delimiter=separator)), [])
    except csv.Error:
        return []


def _describe(start: bytes) -> str:
    """Return what kind of file begins with these bytes. None of them is quoted: they can be secret."""
    start = start.removeprefix(codecs.BOM_UTF8).lstrip().lower()
    if not start:
        return "an empty file"
    if re.match(rb"<!doctype html|<html", start):
        return "HTML"
    if start.startswith(b"<"):
        return "XML"
    if start.startswith((b"{", b"[")):
        return "JSON"
    return "another file"


def _keep_undefined_byte(error: UnicodeDecodeError) -> tuple[str, int]:
    """Read the five bytes that Windows-1252 does not define as the control characters they are."""
    return error.object[error.start : error.end].decode("latin-1"), error.end


codecs.register_error(_CSV_ERROR, _keep_undefined_byte)  # type: ignore[arg-type]
