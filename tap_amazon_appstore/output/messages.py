"""Singer messages on standard output: complete ones, whatever ends the process."""

from __future__ import annotations

import select
import sys
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from msgspec.json import encode as encode_json
from singer_sdk.contrib.msgspec import MsgSpecWriter, encoder
from singer_sdk.exceptions import FatalSyncError
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Sequence

    from singer_sdk.singerlib.encoding.simple import Message

# Bytes of records to collect before a write.
_BUFFER_SIZE = 256 * 1024

TARGET_STOPPED = "Standard output was closed: the target stopped reading. See the target's log."


class OutputError(FatalSyncError):
    """Standard output cannot be written to, so no stream can go on."""


class MessageWriter(MsgSpecWriter):
    """Writes messages to standard output.

    Records are buffered until the buffer is full, another message follows or `flush` is called.
    A signal during a write takes effect after it.
    """

    def __init__(self) -> None:
        """Start with an empty buffer."""
        super().__init__()
        self.written = 0
        """RECORD messages that have left the buffer."""
        self._buffer = bytearray()
        self._buffered = 0
        self._is_writing = False
        self._exit_code: int | None = None

    @override
    def write_message(self, message: Message) -> None:
        self._buffer += self.format_message(message)
        self.flush()

    def write_records(self, stream: str, records: Sequence[Any]) -> None:
        """Write a RECORD message for each record.

        Args:
            stream: the stream's name in the messages.
            records: structs or dicts, one at least.

        Raises:
            OutputError: standard output cannot be written to.
        """
        start = b'{"type":"RECORD","stream":%b,"record":' % encode_json(stream)
        end = b',"time_extracted":%b}\n' % encode_json(datetime.now(timezone.utc))
        # No line feed is inside a line: JSON escapes those of texts.
        encoded = encoder.encode_lines(records)
        self._buffer += start
        self._buffer += encoded[:-1].replace(b"\n", end + start)
        self._buffer += end
        self._buffered += len(records)
        if len(self._buffer) > _BUFFER_SIZE:
            self.flush()

    def flush(self) -> None:
        """Write what is buffered.

        Raises:
            OutputError: standard output cannot be written to.
        """
        self._is_writing = True
        try:
            _write(self._buffer)
        except BrokenPipeError:
            # Left alone, `click` would end the process without a log line.
            raise OutputError(TARGET_STOPPED) from None
        except (OSError, ValueError) as error:
            message = (
                f"Writing to standard output failed: {getattr(error, 'strerror', None) or error}. "
                "Run again to resume."
            )
            raise OutputError(message) from None
        finally:
            self._is_writing = False
            # Even if the write failed: the same signal may have ended the target.
            if self._exit_code is not None:
                sys.exit(self._exit_code)
        self._buffer.clear()
        self.written += self._buffered
        self._buffered = 0

    def exit(self, code: int) -> None:
        """End the process now, or after the write that is under way; for signal handlers.

        Half a message is nothing that a target can read.
        """
        self._exit_code = code
        if not self._is_writing:
            sys.exit(code)


def _write(content: bytearray) -> None:
    """Write all of `content`, however little standard output takes at a time."""
    if sys.stdout is None:
        raise OSError(0, "it is closed")
    # Past Python's own buffer: `MessageWriter` has one, and nothing else writes messages.
    output = getattr(sys.stdout.buffer, "raw", sys.stdout.buffer)
    with memoryview(content) as view:
        written = 0
        while written < len(view):
            count = output.write(view[written:])
            if count is None:  # a full pipe that does not block
                select.select([], [sys.stdout], [])
            # A signal cuts a write short.
            written += count or 0
