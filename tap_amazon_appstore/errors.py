"""Sentences for exceptions that nothing else has described."""

from __future__ import annotations

import errno
import logging
import traceback
from pathlib import Path

RAISE_LIMITS = "Raise its limits (ulimit -n) or end other processes."

_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

_log = logging.getLogger(__name__)


def is_out_of_resources(error: BaseException) -> bool:
    """Return whether memory, file handles or network buffers of this machine are used up."""
    return isinstance(error, MemoryError) or (
        isinstance(error, OSError) and error.errno in _EXHAUSTED
    )


def describe_unexpected_error(error: BaseException) -> str:
    """Return a sentence about an exception, without its text: that can hold secrets."""
    if isinstance(error, MemoryError):
        return "Out of memory. Free some memory and run again to resume."
    if isinstance(error, RecursionError):
        return "A JSON document or an expression is nested too deeply. Check the configuration."
    if isinstance(error, OSError):
        reason = error.strerror or type(error).__name__
        advice = RAISE_LIMITS if is_out_of_resources(error) else "Run again to resume."
        return f"Operating system error: {reason}. {advice}"
    place = traceback.extract_tb(error.__traceback__)[-1]
    if type(error) is RuntimeError and place.name in {"start", "_start_new_thread"}:
        return "No thread could be started. Raise the limit of processes and run again to resume."
    _log.debug("%s", "".join(traceback.format_tb(error.__traceback__)))
    return (
        f"Unexpected error ({type(error).__name__} in {place.name}, line {place.lineno} of "
        f"{Path(place.filename).name}). This is a bug; please report it."
    )
