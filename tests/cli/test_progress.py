"""The progress bar."""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from sandbox import make_csv
from tests.data import MONTH, sales

if TYPE_CHECKING:
    from tests.conftest import Tap


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
def test_a_terminal_sees_a_bar_and_a_pipe_does_not(tap: Tap) -> None:
    import fcntl  # noqa: PLC0415
    import pty  # noqa: PLC0415
    import termios  # noqa: PLC0415

    tap.account.put_report("sales", MONTH, make_csv(sales(1000)))
    terminal, stderr = pty.openpty()
    fcntl.ioctl(stderr, termios.TIOCSWINSZ, struct.pack("4H", 24, 120, 0, 0))
    subprocess.run(tap.command(), stdout=subprocess.DEVNULL, stderr=stderr, check=True)
    os.close(stderr)
    seen = b""
    while chunk := _read(terminal):
        seen += chunk

    assert b"1/1" in seen
    assert re.search(rb"1,000 rows, [0-9,]+ rows/s", seen)
    assert "rows/s" not in tap.read().stderr


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux raises it when the other side is closed.
        return b""
