"""Singer messages on standard output, whole ones whatever ends the process."""

from __future__ import annotations

import sys
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from msgspec.json import encode as encode_json
from singer_sdk.contrib.msgspec import MsgSpecWriter, encoder
from singer_sdk.exceptions import FatalSyncError
from singer_sdk.singerlib.encoding.simple import RecordMessage

if TYPE_CHECKING:
    from collections.abc import Iterable

    from singer_sdk.singerlib.encoding.simple import Message

    from tap_amazon_appstore.reading.reader import Record

TARGET_STOPPED = "The target stopped reading; see its log for why"

# Bytes of records that are written at a time.
_BUFFER_SIZE = 256 * 1024


class MessageWriter(MsgSpecWriter):
    """Writes messages.

    Records wait in a buffer until it is full or another message follows. A signal that comes amid
    a write waits for its end.
    """

    def __init__(self) -> None:
        """Make a writer to standard output."""
        super().__init__()
        self._buffer = bytearray()
        self._writing = False
        self._exit_code: int | None = None

    def write_message(self, message: Message) -> None:
        """Write a message."""
        self._buffer += self.format_message(message)
        if not isinstance(message, RecordMessage) or len(self._buffer) > _BUFFER_SIZE:
            self.flush()

    def write_records(self, stream: str, records: Iterable[Record]) -> int:
        """Write a RECORD message for each record, and return how many these were."""
        buffer = self._buffer
        count = 0
        start = b'{"type":"RECORD","stream":%b,"record":' % encode_json(stream)
        end = _end_of_message()
        for count, record in enumerate(records, 1):  # noqa: B007
            buffer += start
            encoder.encode_into(record, buffer, -1)
            buffer += end
            if len(buffer) > _BUFFER_SIZE:
                self.flush()
                end = _end_of_message()
        return count

    def exit(self, code: int) -> None:
        """End the process, at once or after the messages that are being written.

        To be called by a signal's handler. A target that reads slowly leaves the tap amid a write
        most of the time, and half a message is nothing that a target can read.
        """
        self._exit_code = code
        if not self._writing:
            sys.exit(code)

    def flush(self) -> None:
        """Write what is buffered.

        Raises:
            FatalSyncError: the target stopped reading.
        """
        self._writing = True
        try:
            with memoryview(self._buffer) as messages:
                written = 0
                # With `PYTHONUNBUFFERED` a signal ends the write amid a message.
                while written < len(messages):
                    written += sys.stdout.buffer.write(messages[written:])
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            # Left alone, `click` would end the process without a word.
            raise FatalSyncError(TARGET_STOPPED) from None
        finally:
            self._writing = False
            # Whether or not the target still reads: it may have been ended by the same signal.
            if self._exit_code is not None:
                sys.exit(self._exit_code)
        self._buffer.clear()


def _end_of_message() -> bytes:
    """Return the end of the messages of records that are extracted now."""
    return b',"time_extracted":%b}\n' % encode_json(datetime.now(timezone.utc))
