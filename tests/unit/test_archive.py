"""What becomes of a ZIP: whole ones are read, damaged and harmful ones refused."""

from __future__ import annotations

import io
import itertools
import struct
import zipfile
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox import make_csv, make_zip
from tap_amazon_appstore.reading.archive import (
    BrokenDownloadError,
    UnreadableReportError,
    _bounded,
    check_zip,
    open_parts,
)
from tests.data import sales
from tests.reading import (
    Report,
    property_test,
    read_zip,
    try_to_read_zip,
)

PARTS = {
    "sales-2024-03-00000.csv": make_csv(sales(4)),
    "sales-2024-03-00001.csv": make_csv(sales(2)),
}


def _packed(method: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in PARTS.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return buffer.getvalue()


ARCHIVES = {
    "deflated": make_zip(PARTS),
    "streamed": make_zip(PARTS, streamed=True),
    "stored": _packed(zipfile.ZIP_STORED),
}
archives = st.sampled_from(sorted(ARCHIVES)).map(ARCHIVES.__getitem__)


@pytest.mark.parametrize("packing", ARCHIVES)
def test_a_zip_may_be_packed_in_any_usual_way(packing: str) -> None:
    report = read_zip(ARCHIVES[packing])

    assert [record["transaction_id"] for record in report.records] == list("123412")
    assert report.warnings == []


@pytest.mark.parametrize(
    "content",
    [b"", b"PK", b"<!DOCTYPE html>", b"PK\x03\x04" + bytes(100), make_csv(sales(1)).encode()],
)
def test_what_is_no_zip_is_a_broken_download(content: bytes) -> None:
    with pytest.raises(BrokenDownloadError, match="not a whole ZIP"):
        check_zip(io.BytesIO(content))


@settings(property_test, max_examples=200)
@given(archives, st.floats(0, 1, exclude_max=True))
def test_a_zip_cut_short_anywhere_is_a_broken_download(archive: bytes, share: float) -> None:
    with pytest.raises(BrokenDownloadError):
        check_zip(io.BytesIO(archive[: int(share * len(archive))]))


@settings(property_test, max_examples=300)
@given(archives, st.floats(0, 1, exclude_max=True), st.integers(1, 255))
def test_a_zip_with_a_changed_byte_is_refused_or_holds_the_very_same_records(
    archive: bytes, share: float, change: int
) -> None:
    damaged = bytearray(archive)
    damaged[int(share * len(archive))] ^= change

    outcome = try_to_read_zip(bytes(damaged))

    if isinstance(outcome, str):
        assert "\n" not in outcome
        assert "()" not in outcome
    else:
        assert outcome == read_zip(archive)


@settings(property_test, max_examples=300)
@given(
    archives,
    st.lists(
        st.tuples(
            st.floats(0, 1),
            st.integers(0, 40),
            st.one_of(
                st.binary(max_size=12),
                st.sampled_from([b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06"]),
                st.sampled_from([b"\xff" * 4, b"\xff" * 8, bytes(8), b"\x01\0\x08\0"]),
            ),
        ),
        max_size=4,
    ),
)
def test_whatever_the_bytes_of_a_zip_nothing_but_a_refusal_comes_out(
    archive: bytes, edits: list[tuple[float, int, bytes]]
) -> None:
    damaged = archive
    for share, length, replacement in edits:
        at = int(share * len(damaged))
        damaged = damaged[:at] + replacement + damaged[at + length :]

    outcome = try_to_read_zip(damaged)

    if isinstance(outcome, Report):
        assert len(set(outcome.line_ids)) == len(outcome.records)


def test_a_wrong_checksum_is_a_broken_download() -> None:
    archive = bytearray(ARCHIVES["stored"])
    archive[archive.index(b"Smashemup")] ^= 1

    with pytest.raises(BrokenDownloadError, match=r"sales-2024-03-00000\.csv"):
        check_zip(io.BytesIO(archive))


def test_every_one_of_members_with_one_name_is_checked_and_read() -> None:
    archive = ARCHIVES["stored"].replace(b"-00001.csv", b"-00000.csv")
    assert len(read_zip(archive).records) == 6
    damaged = archive.replace(b"Smashemup", b"Smashedup", 1)

    with pytest.raises(BrokenDownloadError):
        check_zip(io.BytesIO(damaged))


def _with_field(archive: bytes, local: int, central: int, value: bytes) -> bytes:
    """Set a field of all members' headers; a place of 0 leaves that header alone."""
    changed = bytearray(archive)
    for signature, place in ((b"PK\x03\x04", local), (b"PK\x01\x02", central)):
        start = changed.find(signature) if place else -1
        while start >= 0:
            changed[start + place : start + place + len(value)] = value
            start = changed.find(signature, start + 1)
    return bytes(changed)


@pytest.mark.parametrize(
    ("local", "central", "value", "reason"),
    [
        (6, 8, b"\x01\0", "encrypted"),
        (6, 8, b"\x41\0", "encrypt"),
        (8, 10, b"\x63\0", "compression"),
        (8, 10, b"\x01\0", "compression"),
        # What Python would unpack, but at once, however much it becomes.
        (8, 10, b"\x0c\0", "compression"),
        (8, 10, b"\x0e\0", "compression"),
        (8, 10, b"\x5d\0", "compression"),
    ],
    ids=[
        "encrypted",
        "strongly encrypted",
        "an unknown compression",
        "shrunk",
        "bzip2",
        "lzma",
        "zstandard",
    ],
)
def test_a_whole_zip_that_cannot_be_unpacked_is_unreadable(
    local: int, central: int, value: bytes, reason: str
) -> None:
    archive = _with_field(ARCHIVES["stored"], local, central, value)

    with pytest.raises(UnreadableReportError, match=reason):
        check_zip(io.BytesIO(archive))


def test_members_that_overlap_are_a_broken_download() -> None:
    """Each row would come as often as members claim it."""
    archive = make_zip({"sales.csv": make_csv(sales(2))})
    start, end = archive.index(b"PK\x01\x02"), archive.index(b"PK\x05\x06")
    entry, tail = archive[start:end], bytearray(archive[end:])
    tail[8:16] = struct.pack("<HHI", 2, 2, 2 * len(entry))

    with pytest.raises(BrokenDownloadError, match="members overlap"):
        check_zip(io.BytesIO(archive[:start] + 2 * entry + tail))


def _with_directory(archive: bytes, times: int, size: int | None = None) -> bytes:
    """Repeat a ZIP's directory, and say how long it is."""
    start, end = archive.index(b"PK\x01\x02"), archive.index(b"PK\x05\x06")
    directory = archive[start:end] * times
    tail = bytearray(archive[end:])
    tail[12:16] = (len(directory) if size is None else size).to_bytes(4, "little")
    return archive[:start] + directory + tail


def test_more_members_than_any_report_has_are_unreadable() -> None:
    archive = make_zip({"sales.csv": make_csv(sales(1))})

    with pytest.raises(UnreadableReportError, match="more members than any report"):
        check_zip(io.BytesIO(_with_directory(archive, 30_000)))


@pytest.mark.parametrize("size", [2**20, 2**24, 2**32 - 2])
def test_a_directory_longer_than_the_file_is_a_broken_download(size: int) -> None:
    with pytest.raises(BrokenDownloadError, match="not a whole ZIP"):
        check_zip(io.BytesIO(_with_directory(ARCHIVES["stored"], 1, size)))


def test_a_member_beyond_all_bounds_is_a_broken_download() -> None:
    buffer = io.BytesIO()
    info = zipfile.ZipInfo("sales.csv")
    info.extra = struct.pack("<HHQ", 1, 8, 2**64 - 1)
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(info, make_csv(sales(1)))

    with pytest.raises(BrokenDownloadError):
        check_zip(io.BytesIO(_with_field(buffer.getvalue(), 0, 42, b"\xff" * 4)))


def test_a_member_longer_than_the_file_is_a_broken_download_with_a_reason() -> None:
    sizes = 2 * (10_000_000).to_bytes(4, "little")

    with pytest.raises(BrokenDownloadError, match=r"ZIP \(.+\)"):
        check_zip(io.BytesIO(_with_field(ARCHIVES["stored"], 0, 20, sizes)))


@pytest.mark.parametrize(
    ("members", "found"),
    [
        ({}, "nothing"),
        ({"read me.txt": "x", "sales.csv.bak": "x"}, "'read me.txt', 'sales.csv.bak'"),
        ({"sales.csv/": ""}, "nothing"),
        ({"__MACOSX/._sales.csv": "x"}, r"'__MACOSX/\._sales\.csv'"),
    ],
)
def test_a_zip_without_csv_is_unreadable_and_what_it_holds_is_told(
    members: dict[str, str], found: str
) -> None:
    with pytest.raises(UnreadableReportError, match=rf"no CSV file \(found: {found}\)"):
        read_zip(make_zip(members))


def test_a_report_may_have_hundreds_of_parts() -> None:
    part = make_csv(sales(1))

    assert len(read_zip(make_zip({f"{number}.csv": part for number in range(300)})).records) == 300


def test_a_zip_may_have_the_longest_comment_that_there_is() -> None:
    archive = _with_comment(ARCHIVES["deflated"], 2**16 - 1)

    assert len(read_zip(archive).records) == 6


def _with_comment(archive: bytes, length: int) -> bytes:
    return archive[:-2] + length.to_bytes(2, "little") + bytes(length)


@pytest.mark.parametrize(
    ("always", "least_size"), [(0, 10_000), (10**6, 0)], ids=["by its ratio", "by its size"]
)
def test_how_much_a_zip_may_unpack_to(
    always: int, least_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred times its size, here 10,000 bytes, and a gigabyte anyway, here a megabyte."""
    monkeypatch.setattr("tap_amazon_appstore.reading.archive._ALWAYS_UNPACKED", always)
    archive = make_zip({"sales.csv": bytes(10**6)})
    archive = _with_comment(archive, max(least_size - len(archive), 0))
    check_zip(io.BytesIO(archive))

    more = make_zip({"sales.csv": bytes(10**6 + 1)})
    more = _with_comment(more, max(least_size - len(more), 0))
    with pytest.raises(UnreadableReportError, match="100 times its size"):
        check_zip(io.BytesIO(more))


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
def test_the_first_line_says_what_ends_all_of_them(text: str, line_end: str) -> None:
    with open_parts(io.BytesIO(make_zip({"sales.csv": text})), lambda: 0) as (parts, size):
        (part,) = parts

    assert (part.name, part.line_end, size) == ("sales.csv", line_end, len(text))


@pytest.mark.parametrize("start", [b"", b"\n", b"a\n", b"a\nbc\n"])
def test_a_line_has_two_mebibytes_at_most(start: bytes) -> None:
    rows = itertools.count()
    pieces = [start + b"x" * 1000, b"x" * (2**21 - 1000)]
    assert b"".join(_bounded(pieces, b"\n", rows.__next__)) == b"".join(pieces)

    with pytest.raises(UnreadableReportError, match="a line of more than 2 MiB"):
        deque(_bounded([*pieces, b"x"], b"\n", rows.__next__), maxlen=0)


@pytest.mark.parametrize("rows_before", [[], [1], [0, 0, 1]])
def test_a_row_has_four_mebibytes_of_lines_at_most(rows_before: list[int]) -> None:
    half = b"\n" * 2**21
    pieces = [*[half] * len(rows_before), half, half]
    rows = [*rows_before, *[rows_before[-1] if rows_before else 0] * 3]
    assert len(list(_bounded(pieces, b"\n", iter(rows).__next__))) == len(pieces)

    with pytest.raises(UnreadableReportError, match="4 MiB without the end of a row"):
        deque(_bounded([*pieces, b"\n"], b"\n", iter(rows).__next__), maxlen=0)


def test_a_zip_may_leave_the_number_of_its_members_to_its_longer_form() -> None:
    archive = ARCHIVES["deflated"]
    at = archive.index(b"PK\x05\x06")
    longer = archive[: at + 8] + b"\xff\xff\xff\xff" + archive[at + 12 :]

    assert len(read_zip(longer).records) == 6


def test_other_files_folders_and_hidden_twins_are_passed_over() -> None:
    members: dict[str, bytes | str] = {
        "2024/": "",
        "2024/03/Sales.CSV": make_csv(sales(2)),
        "__MACOSX/2024/03/._Sales.CSV": b"\0\x05\x16\x07",
        "license.txt": "x",
    }

    assert len(read_zip(make_zip(members)).records) == 2
