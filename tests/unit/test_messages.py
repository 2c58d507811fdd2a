"""Messages arrive whole and in order, however little standard output takes at a time."""

from __future__ import annotations

import errno
import io
import json
import os
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from tap_amazon_appstore.output.messages import TARGET_STOPPED, MessageWriter, OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORDS = [{"number": number, "text": "x" * 100} for number in range(20_000)]


@pytest.fixture
def pipe() -> Iterator[tuple[io.FileIO, io.FileIO]]:
    """A pipe: its end to read from, and its end to write to."""
    ends = os.pipe()
    with io.FileIO(ends[0], "r") as reading, io.FileIO(ends[1], "w") as writing:
        yield reading, writing


@pytest.mark.skipif(os.name == "nt", reason="Windows has no non-blocking pipes")
@pytest.mark.parametrize("buffer_size", [0, 8192], ids=["unbuffered", "buffered"])
def test_a_non_blocking_pipe_gets_all_records(
    monkeypatch: pytest.MonkeyPatch, pipe: tuple[io.FileIO, io.FileIO], buffer_size: int
) -> None:
    reading, writing = pipe
    os.set_blocking(writing.fileno(), False)
    received = io.BytesIO()
    reader = threading.Thread(
        target=lambda: received.writelines(iter(lambda: reading.read(5000), b""))
    )
    buffer = io.BufferedWriter(writing, buffer_size) if buffer_size else writing
    monkeypatch.setattr("sys.stdout", SimpleNamespace(buffer=buffer, fileno=writing.fileno))
    writer = MessageWriter()

    reader.start()
    writer.write_records("sales", RECORDS)
    writer.flush()
    writing.close()
    reader.join(10)

    assert writer.written == len(RECORDS)
    messages = [json.loads(line) for line in received.getvalue().splitlines()]
    assert [message["record"] for message in messages] == RECORDS


def test_a_pipe_that_nobody_reads_is_named(
    monkeypatch: pytest.MonkeyPatch, pipe: tuple[io.FileIO, io.FileIO]
) -> None:
    reading, writing = pipe
    reading.close()
    monkeypatch.setattr("sys.stdout", SimpleNamespace(buffer=writing, fileno=writing.fileno))
    writer = MessageWriter()
    writer.write_records("sales", RECORDS[:1])

    with pytest.raises(OutputError) as error:
        writer.flush()

    assert str(error.value) == TARGET_STOPPED
    assert not writer.written


class _Full(io.BytesIO):
    def write(self, _: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("stdout", "reason"),
    [
        (None, "it is closed"),
        (SimpleNamespace(buffer=_Full()), "No space left on device"),
    ],
    ids=["closed", "full"],
)
def test_a_standard_output_that_cannot_be_written_to_is_named(
    monkeypatch: pytest.MonkeyPatch, stdout: SimpleNamespace | None, reason: str
) -> None:
    monkeypatch.setattr("sys.stdout", stdout)
    writer = MessageWriter()
    writer.write_records("sales", RECORDS[:1])

    with pytest.raises(OutputError, match=rf"^Writing to standard output failed: {reason}\. Run"):
        writer.flush()

    assert not writer.written
