"""Report files: whole ones are read whatever contains them, damaged and harmful ones refused."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import struct
import zipfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox import make_csv, make_zip
from tap_amazon_appstore.reading.archive import Part, PartFormat
from tap_amazon_appstore.reading.errors import BrokenDownloadError, UnreadableReportError
from tests.data import SALE, SUBSCRIPTION, sale, sales
from tests.reading import Report, check, property_test, read_body, try_to_read, write_csv

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROWS = make_csv(sales(2))
PARTS = {"sales-2024-03-00000.csv": make_csv(sales(4)), "sales-2024-03-00001.csv": ROWS}
ZIP = make_zip({"sales.csv": ROWS})

LOCAL, DIRECTORY, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"


def _store(content: bytes) -> bytes:
    """Return a ZIP whose member is not compressed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("sales.csv"), content)
    return buffer.getvalue()


CONTAINERS: dict[str, Callable[[bytes], bytes]] = {
    "deflated": lambda content: make_zip({"sales.csv": content}),
    "streamed": lambda content: make_zip({"sales.csv": content}, streamed=True),
    "stored": _store,
    "gzip": lambda content: gzip.compress(content, mtime=0),
    "several gzip members": lambda content: b"".join(
        map(gzip.compress, [content[:9], content[9:]])
    ),
    "csv": bytes,
}
FILES = {name: pack(ROWS.encode()) for name, pack in CONTAINERS.items()}
files = st.sampled_from(sorted(FILES.keys() - {"csv"})).map(FILES.__getitem__)


# -------------------------------------------------------------------------------- whole files


@settings(property_test, max_examples=100)
@given(
    st.sampled_from([b"", codecs.BOM_UTF8]),
    st.binary(max_size=60) | st.text('",\r\n\0 ab1/-:é', max_size=200).map(str.encode),
)
def test_the_same_csv_is_read_alike_in_any_container(bom: bytes, content: bytes) -> None:
    content = bom + ",".join(SALE).encode() + b"\n" + content

    outcomes = {_describe(try_to_read(pack(content))) for pack in CONTAINERS.values()}

    assert len(outcomes) == 1


@pytest.mark.parametrize("container", CONTAINERS)
def test_the_encoding_is_that_of_the_whole_file(container: str) -> None:
    rows = [sale(Title="x" * 300_000), sale(Title="@")]
    body = CONTAINERS[container](make_csv(rows).encode().replace(b"@", b"\x80"))

    assert read_body(body).records[1]["title"] == "€"


def _describe(outcome: Report | str) -> str:
    """Return records and warnings, or the refusal, without the name of the file."""
    if isinstance(outcome, Report):
        outcome = "\n".join([*map(repr, outcome.records), *outcome.warnings])
    return re.sub("'sales.csv'|the gzip file|the CSV file", "FILE", outcome)


def test_all_parts_of_a_zip_are_read_and_members_that_are_not_csv_named() -> None:
    members: dict[str, bytes | str] = {
        "2024/": "",
        "2024/03/Sales-2.CSV": ROWS,
        "2024/03/Sales-1.csv": "",
        "sales": ROWS,
        "other": make_csv([SUBSCRIPTION]),
        "__MACOSX/2024/03/._Sales.CSV": b"\0\x05\x16\x07",
        "__MACOSX/sales.csv": ROWS,
        "._Sales.csv": b"\0\x05\x16\x07",
        "license.txt": ROWS,
        "sales.csv.zip": ZIP,
    }

    report = read_body(make_zip(members))

    assert [record["transaction_id"] for record in report.records] == list("1212")
    assert report.warnings == [
        f"{name!r} in the ZIP file is not a CSV file and was not read."
        for name in ("other", "license.txt", "sales.csv.zip")
    ]


def test_a_zip_can_have_hundreds_of_parts_with_one_name() -> None:
    parts = make_zip({f"{number:03}.csv": make_csv(sales(1)) for number in range(300)})

    assert len(read_body(parts).records) == 300
    assert len(read_body(parts.replace(b"001.csv", b"000.csv")).records) == 300


@pytest.mark.parametrize("length", [1, 2**16 - 1])
def test_a_zip_can_have_a_comment_and_leave_its_count_to_its_zip64_record(length: int) -> None:
    archive = make_zip(PARTS)
    at = archive.index(END) + 8
    archive = archive[:at] + b"\xff\xff\xff\xff" + archive[at + 4 :]

    assert len(read_body(_with_comment(archive, length)).records) == 6


def _with_comment(archive: bytes, length: int) -> bytes:
    return archive[:-2] + length.to_bytes(2, "little") + bytes(length)


# ------------------------------------------------------------------------------ damaged files


@settings(property_test, max_examples=200)
@given(files, st.floats(0, 1, exclude_max=True))
def test_a_file_cut_short_anywhere_is_a_broken_download(file: bytes, share: float) -> None:
    with pytest.raises(BrokenDownloadError):
        check(io.BytesIO(file[: int(share * len(file))]))


@pytest.mark.parametrize("container", ["csv", "several gzip members"])
def test_a_file_whose_end_nothing_proves_is_a_broken_download(container: str) -> None:
    file = io.BytesIO(FILES[container])

    check(file, is_complete=True)
    with pytest.raises(BrokenDownloadError, match="may be incomplete"):
        check(file)


@settings(property_test, max_examples=300)
@given(files, st.floats(0, 1, exclude_max=True), st.integers(1, 255))
def test_a_file_with_a_changed_byte_is_refused_or_has_the_same_records(
    file: bytes, share: float, change: int
) -> None:
    damaged = bytearray(file)
    damaged[int(share * len(file))] ^= change

    outcome = try_to_read(bytes(damaged))

    if isinstance(outcome, str):
        assert "\n" not in outcome
        assert "()" not in outcome
    else:
        assert outcome.records == read_body(file).records


@settings(property_test, max_examples=300)
@given(
    files,
    st.lists(
        st.tuples(
            st.floats(0, 1),
            st.integers(0, 40),
            st.one_of(
                st.binary(max_size=12),
                st.sampled_from([LOCAL, DIRECTORY, END, b"PK\x06\x06", b"\x1f\x8b\x08\0"]),
                st.sampled_from([b"\xff" * 4, b"\xff" * 8, bytes(8), b"\x01\0\x08\0"]),
            ),
        ),
        max_size=4,
    ),
)
def test_any_bytes_are_a_report_or_refused(
    file: bytes, edits: list[tuple[float, int, bytes]]
) -> None:
    for share, length, replacement in edits:
        at = int(share * len(file))
        file = file[:at] + replacement + file[at + length :]

    outcome = try_to_read(file)

    if isinstance(outcome, Report):
        assert len(set(outcome.line_ids)) == len(outcome.records)


def _with_directory(times: int, count: int = 1, size: int | None = None) -> bytes:
    """Return a ZIP with its directory repeated, and with another count and size of it."""
    start, end = ZIP.index(DIRECTORY), ZIP.index(END)
    directory, tail = ZIP[start:end] * times, bytearray(ZIP[end:])
    size = len(directory) if size is None else size
    tail[8:16] = struct.pack("<HHI", count, count, size)
    return ZIP[:start] + directory + tail


def _with_fields(archive: bytes, local: int, central: int, value: bytes) -> bytes:
    """Set a field of all members' headers; a place of 0 leaves that header as it is."""
    changed = bytearray(archive)
    for signature, place in ((LOCAL, local), (DIRECTORY, central)):
        start = changed.find(signature) if place else -1
        while start >= 0:
            changed[start + place : start + place + len(value)] = value
            start = changed.find(signature, start + 1)
    return bytes(changed)


def _with_huge_size() -> bytes:
    buffer = io.BytesIO()
    info = zipfile.ZipInfo("sales.csv")
    info.extra = struct.pack("<HHQ", 1, 8, 2**64 - 1)
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(info, ROWS)
    return _with_fields(buffer.getvalue(), 0, 42, b"\xff" * 4)


BROKEN = {
    "an empty file": (b"", "the download is an empty file instead"),
    "HTML": (b"\n<!DOCTYPE html><p>x", "the download is HTML instead"),
    "XML": (b"<?xml version='1.0'?>", "the download is XML instead"),
    "JSON": (b'{"Message": "secret"}', "the download is JSON instead"),
    "another CSV": (make_csv([SUBSCRIPTION]).encode(), "the download is another file instead"),
    "a ZIP without its signature": (FILES["stored"][1:], "the download is another file instead"),
    "an empty gzip": (gzip.compress(b""), "the gzip file contains an empty file instead"),
    "HTML in gzip": (gzip.compress(b"<html>"), "the gzip file contains HTML instead"),
    "nothing but a signature": (b"PK", "incomplete or damaged ZIP"),
    "a header without data": (LOCAL + bytes(100), "incomplete or damaged ZIP"),
    "a wrong checksum": (FILES["stored"].replace(b"Smash", b"Smesh"), r"CRC.*sales\.csv"),
    "a wrong gzip checksum": (
        FILES["gzip"][:-8] + bytes(8),
        "incomplete or damaged gzip file .*CRC",
    ),
    "members that overlap": (_with_directory(2, 2), "members overlap"),
    "a member that the directory hides": (_with_directory(1, 2), "members are missing"),
    "another ZIP before it": (ZIP + ZIP, "data before its first member"),
    "a directory longer than the file": (_with_directory(1, 1, 2**24), "incomplete or damaged ZIP"),
    "a member longer than the file": (
        _with_fields(FILES["stored"], 0, 20, 2 * (10_000_000).to_bytes(4, "little")),
        r"ZIP file \(.+\)",
    ),
    "a member beyond all bounds": (_with_huge_size(), r"ZIP file \(.+\)"),
}

UNREADABLE = {
    "encrypted": (_with_fields(ZIP, 6, 8, b"\x01\0"), "'sales.csv' is encrypted"),
    "strongly encrypted": (_with_fields(ZIP, 6, 8, b"\x41\0"), "encrypted"),
    # Python would decompress some of these, but all at once, however much it becomes.
    **{
        name: (_with_fields(ZIP, 8, 10, bytes([method, 0])), f"compression method {method}")
        for name, method in [("shrunk", 1), ("bzip2", 12), ("lzma", 14), ("zstandard", 93)]
    },
    "too many members": (_with_directory(30_000), "too many members"),
    "no member": (make_zip({}), r"no CSV file \(found: nothing\)"),
    "a folder": (make_zip({"sales.csv/": ""}), r"no CSV file \(found: nothing\)"),
    "a hidden twin": (make_zip({"__MACOSX/._sales.csv": "x"}), r"no CSV file \(found: nothing\)"),
    "other members": (
        make_zip({"read me.txt": "x", "sales.csv.bak": "x"}),
        r"no CSV file \(found: 'read me\.txt', 'sales\.csv\.bak'\)",
    ),
    "another report": (
        make_zip({"a.csv": ROWS, "b.csv": make_csv([SUBSCRIPTION])}),
        "has 3 of the 23 documented columns .found: .*'App Title'",
    ),
    "a ZIP called CSV": (make_zip({"sales.csv": ZIP}), "0 of the 23 documented|UTF-16"),
    **{
        f"{encoding} in a ZIP": (make_zip({"sales.csv": ROWS.encode(encoding)}), "UTF-16 or UTF-32")
        for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32")
    },
    "UTF-16": (ROWS.encode("utf-16"), "the CSV file is in UTF-16"),
    **{
        name: (
            CONTAINERS[container](ROWS.replace(",", separator).encode()),
            f"columns separated by {name}",
        )
        for name, separator, container in [
            ("semicolons", ";", "csv"),
            ("tabs", "\t", "gzip"),
            ("vertical bars", "|", "deflated"),
        ]
    },
}


@pytest.mark.parametrize(
    ("file", "reason", "error"),
    [
        pytest.param(file, reason, error, id=name)
        for error, cases in [(BrokenDownloadError, BROKEN), (UnreadableReportError, UNREADABLE)]
        for name, (file, reason) in cases.items()
    ],
)
def test_a_file_is_refused_before_its_first_row(
    file: bytes, reason: str, error: type[Exception]
) -> None:
    with pytest.raises(error, match=reason) as refusal:
        check(io.BytesIO(file), is_complete=True)

    assert "secret" not in str(refusal.value)


def test_each_of_several_members_with_one_name_is_checked() -> None:
    archive = make_zip(PARTS).replace(b"-00001.csv", b"-00000.csv")
    assert len(read_body(archive).records) == 6
    first_data = archive.index(b".csv") + 20

    with pytest.raises(BrokenDownloadError):
        check(io.BytesIO(archive[:first_data] + b"\xff" + archive[first_data + 1 :]))


def test_control_characters_below_a_header_that_ends_in_cr_are_text() -> None:
    body = write_csv([list(SALE), list(sale(Title="a\x1fb").values())], end="\r").encode()

    assert read_body(body).records[0]["title"] == "a\x1fb"


def test_the_size_of_a_report_is_counted_and_not_what_the_zip_claims() -> None:
    archive = _with_fields(ZIP, 22, 24, (2**32 - 2).to_bytes(4, "little"))

    assert check(io.BytesIO(archive)).size == len(ROWS.encode())


# --------------------------------------------------------------------------- encodings and bounds


@property_test
@given(st.binary(max_size=20).filter(lambda cell: not {*cell} & {*b'\0\r\n",'}))
def test_no_byte_of_a_cell_is_lost(cell: bytes) -> None:
    """A file is UTF-8 as a whole, or Windows-1252 with the five bytes that it does not define."""
    head, tail = make_csv([{**SALE, "Title": "@", "Größe": "ä"}]).encode().split(b"@")
    try:
        cell.decode()
    except UnicodeDecodeError:
        encoding = "cp1252"
    else:
        encoding = "utf-8"

    report = read_body(make_zip({"sales.csv": head + cell + tail}))

    title = report.records[0]["title"] or ""
    undefined = "\x81\x8d\x8f\x90\x9d" if encoding == "cp1252" else ""
    assert b"".join(c.encode("latin-1" if c in undefined else encoding) for c in title) == cell
    assert report.rescued == [{"Größe".encode().decode(encoding): "ä".encode().decode(encoding)}]
    warning = "'sales.csv' is not UTF-8 and was read as Windows-1252."
    assert (warning in report.warnings) == (encoding == "cp1252")


@pytest.mark.parametrize(
    ("always", "least_size"), [(0, 10_000), (10**6, 0)], ids=["by its ratio", "by its size"]
)
def test_a_file_that_decompresses_to_more_than_allowed_is_refused(
    always: int, least_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred times its size, here 10,000 bytes, and a gigabyte anyway, here a megabyte."""
    monkeypatch.setattr("tap_amazon_appstore.reading.archive._ALWAYS_ALLOWED", always)
    content = (",".join(SALE) + "\n").encode().ljust(10**6, b"\n")
    for pack in (CONTAINERS["deflated"], gzip.compress):
        allowed, refused = (_pad(pack(text), least_size) for text in (content, content + b"\n"))
        check(io.BytesIO(allowed), is_complete=True)
        with pytest.raises(UnreadableReportError, match="100 times its size"):
            check(io.BytesIO(refused), is_complete=True)


def _pad(file: bytes, size: int) -> bytes:
    """Return a file of at least this size: a comment in a ZIP, zeros after a gzip member."""
    missing = max(size - len(file), 0)
    return _with_comment(file, missing) if file.startswith(b"PK") else file + bytes(missing)


@pytest.mark.parametrize(
    ("text", "line_end"),
    [
        ("a\nb\r", "\n"),
        ("a\r\nb\n", "\n"),
        ("a\rb\n", "\r"),
        ('"a\rb"\nc', "\n"),
        ("a", "\n"),
        ("", "\n"),
    ],
)
def test_the_first_line_shows_what_ends_all_of_them(text: str, line_end: str) -> None:
    part = Part(PartFormat("sales.csv", "utf-8"), io.BytesIO(text.encode()))

    assert part.line_end == line_end
    assert "".join(part.text()) == text
    assert part.size == len(text)


_LINE = 2 * 1024**2


@pytest.mark.parametrize("start", [b"", b"\n", b"a\n", b"a\nbc\n"])
@pytest.mark.parametrize("surplus", [0, 1])
def test_a_line_has_two_mebibytes_at_most(start: bytes, surplus: int) -> None:
    content = start + b"x" * (_LINE + surplus)
    part = Part(PartFormat("a.csv", "utf-8"), io.BytesIO(content))

    if surplus:
        with pytest.raises(UnreadableReportError, match=r"a\.csv has a line of more than 2 MiB"):
            "".join(part.text())
    else:
        assert "".join(part.text()) == content.decode()


@pytest.mark.parametrize("rows_at", [0, 1, 3])
def test_a_row_has_four_mebibytes_of_lines_at_most(rows_at: int) -> None:
    """Counted from the piece with which the reader got its last row."""
    part = Part(PartFormat("a.csv", "utf-8"), io.BytesIO(b"\n" * 3 * _LINE))
    sizes: list[int] = []

    def read() -> Iterator[int]:
        while True:
            part.rows = int(len(sizes) >= rows_at > 0)
            yield len(part.read1())

    with pytest.raises(UnreadableReportError, match=r"a\.csv has a row of more than 4 MiB"):
        sizes.extend(read())
    assert sum(sizes) == 2 * _LINE + (rows_at and (rows_at + 1) * 2**18)
