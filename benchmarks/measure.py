"""Whole processes, measured: wall time and peak memory."""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class Command:
    """A command line and its environment."""

    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Cost:
    """What a process took."""

    seconds: float
    """From start to end, by the clock on the wall."""

    peak: float
    """Peak resident memory, in MB."""


def run(command: Command) -> Cost:
    """Run a command to its end, with its output in a file.

    Raises:
        RuntimeError: it failed.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as log:
        started = time.monotonic()
        process = subprocess.Popen(
            command.arguments,
            stdout=output,
            stderr=log,
            env={**os.environ, **command.environment},
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            log.seek(0)
            raise RuntimeError(log.read().decode())
    return Cost(seconds, usage.ru_maxrss / 1024)


def interleaved(commands: Mapping[str, Command], runs: int) -> dict[str, Cost]:
    """Run commands in turns, so that what else the machine does meets all of them alike.

    Returns:
        The median time and the highest peak of each.
    """
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            costs[name].append(run(command))
    return {
        name: Cost(statistics.median(c.seconds for c in measured), max(c.peak for c in measured))
        for name, measured in costs.items()
    }
