"""A progress bar on a terminal: months done, rows, rows a second."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_amazon_appstore.reading.reader import Chunk


class Progress:
    """How far a stream is; shows nothing."""

    def watch(self, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        """Pass chunks on, and count their rows."""
        return chunks

    def finish_month(self) -> None:
        """Count a month."""


class _Bar(Progress):
    """How far a stream is, as a bar."""

    def __init__(self, bar: Any) -> None:  # noqa: ANN401 - tqdm is imported only where it is seen
        self._bar = bar
        self._rows = 0
        self._started = time.monotonic()

    def watch(self, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        for chunk in chunks:
            yield chunk
            self._rows += chunk.rows
            rate = self._rows / (time.monotonic() - self._started)
            text = f"{self._rows:,} rows, {rate:,.0f} rows/s"
            self._bar.set_postfix_str(text, refresh=False)
            self._bar.update(0)

    def finish_month(self) -> None:
        self._bar.update()


@contextmanager
def show_progress(stream: str, months: int) -> Iterator[Progress]:
    """Show how far a stream is as long as this lasts, if standard error is a terminal."""
    if not (sys.stderr and sys.stderr.isatty()):
        yield Progress()
        return
    from tqdm import tqdm  # noqa: PLC0415
    from tqdm.contrib.logging import logging_redirect_tqdm  # noqa: PLC0415

    with logging_redirect_tqdm(), tqdm(total=months, desc=stream, unit="month", miniters=0) as bar:
        yield _Bar(bar)
