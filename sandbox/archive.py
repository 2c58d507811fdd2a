"""The files of the Reporting API: ZIP archives that hold CSV."""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import date
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sandbox.reports import Period

# Without a fixed time the same members would make another file, with another ETag, every time.
_MEMBER_TIME = (2020, 1, 1, 0, 0, 0)


def make_csv(rows: Iterable[Mapping[str, object]]) -> str:
    """Write rows as CSV: a header of all their keys, in the order in which they appear first.

    Missing cells and `None` are empty; lines end in CRLF.
    """
    rows = list(rows)
    header = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows([row.get(name) for name in header] for row in rows)
    return text.getvalue()


def make_zip(members: Mapping[str, bytes | str], *, streamed: bool = False) -> bytes:
    """Pack members into a ZIP; the same members always make the same bytes.

    A `streamed` one states sizes and checksums behind each member's data instead of before it.
    """
    buffer = io.BytesIO()
    with open_archive(buffer, streamed=streamed) as archive:
        for name, content in members.items():
            archive.writestr(member(name), content)
    return buffer.getvalue()


def extract_csv(content: bytes) -> bytes:
    """Return one CSV of all members of a ZIP; their header lines must hold no line break."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        first, *others = (archive.read(name) for name in archive.namelist())
    return first + b"".join(part.partition(b"\n")[2] for part in others)


def open_archive(target: IO[bytes], *, streamed: bool = False) -> zipfile.ZipFile:
    """Open a new archive in `target`, to be written by the caller."""
    # Python streams an archive whenever it cannot seek in the file that it writes.
    return zipfile.ZipFile(_Unseekable(target) if streamed else target, "w")


def member(name: str) -> zipfile.ZipInfo:
    """Describe a compressed member whose time is always the same."""
    info = zipfile.ZipInfo(name, _MEMBER_TIME)
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def member_name(report: str, period: Period, part: int = 0) -> str:
    """Name a CSV as Amazon does, for example `sales-2024-03-00000.csv`."""
    name = f"{period:%Y-%m}" if isinstance(period, date) else str(period)
    return f"{report}-{name}-{part:05}.csv"


class _Unseekable(io.RawIOBase):
    """Writes through to another file, but only forwards."""

    def __init__(self, target: IO[bytes]) -> None:
        self._target = target

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        return self._target.write(data)  # type: ignore[call-overload, no-any-return]
