"""Singer messages on standard output, whole ones whatever ends the process."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from singer_sdk.contrib.msgspec import MsgSpecWriter

if TYPE_CHECKING:
    from singer_sdk.singerlib.encoding.simple import Message


class MessageWriter(MsgSpecWriter):
    """Writes messages; a signal that comes amid one waits for its end."""

    def __init__(self) -> None:
        """Make a writer to standard output."""
        super().__init__()
        self._writing = False
        self._exit_code: int | None = None

    def write_message(self, message: Message) -> None:
        """Write a message."""
        self._writing = True
        try:
            super().write_message(message)
        finally:
            self._writing = False
        if self._exit_code is not None:
            sys.exit(self._exit_code)

    def exit(self, code: int) -> None:
        """End the process, at once or after the message that is being written.

        To be called by a signal's handler. A target that reads slowly leaves the tap amid a
        message most of the time, and half a message is nothing that a target can read.
        """
        self._exit_code = code
        if not self._writing:
            sys.exit(code)
