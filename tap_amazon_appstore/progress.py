"""A progress bar on a terminal: months done, rows, rows a second."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

_T = TypeVar("_T")

# Rows between two looks at the clock.
_ROWS = 1000


class Progress:
    """How far a stream is; shows nothing."""

    def watch(self, rows: Iterator[_T]) -> Iterator[_T]:
        """Pass rows on, and count them."""
        return rows

    def finish_month(self) -> None:
        """Count a month."""


class _Bar(Progress):
    """How far a stream is, as a bar."""

    def __init__(self, bar: Any) -> None:  # noqa: ANN401 - tqdm is imported only where it is seen
        self._bar = bar
        self._rows = 0
        self._started = time.monotonic()

    def watch(self, rows: Iterator[_T]) -> Iterator[_T]:
        while chunk := list(islice(rows, _ROWS)):
            yield from chunk
            self._rows += len(chunk)
            rate = self._rows / (time.monotonic() - self._started)
            self._bar.set_postfix_str(f"{self._rows:,} rows, {rate:,.0f} rows/s")

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

    with logging_redirect_tqdm(), tqdm(total=months, desc=stream, unit="month") as bar:
        yield _Bar(bar)
