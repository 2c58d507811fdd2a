"""Whole processes, measured: wall and CPU time and peak memory."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LAUNCHER = Path(__file__).with_name("launcher.py")


@dataclass(frozen=True)
class Command:
    """A command line and its environment."""

    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Cost:
    """What a process took."""

    seconds: float
    """Wall time from start to end."""

    cpu: float
    """CPU time of the process and its children, in seconds."""

    peak: float
    """Peak resident memory, in MB."""


def run(command: Command) -> Cost:
    """Run a command to its end, with its output in a file.

    Raises:
        RuntimeError: it failed.
    """
    with tempfile.TemporaryDirectory() as directory:
        output, log = Path(directory, "output"), Path(directory, "log")
        done = subprocess.run(
            [sys.executable, "-I", "-S", _LAUNCHER, output, log, *command.arguments],
            stdout=subprocess.PIPE,
            env={**os.environ, **command.environment},
            check=False,
        )
        if done.returncode:
            raise RuntimeError(log.read_text(encoding="utf-8"))
    return Cost(**json.loads(done.stdout))


def interleaved(commands: Mapping[str, Command], runs: int) -> dict[str, Cost]:
    """Run commands in turns, so that other load on the machine affects all of them.

    Returns:
        The median times and the highest peak of each.
    """
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            costs[name].append(run(command))
    return {
        name: Cost(
            statistics.median(c.seconds for c in measured),
            statistics.median(c.cpu for c in measured),
            max(c.peak for c in measured),
        )
        for name, measured in costs.items()
    }
