"""However a run ends, what is on standard output is valid and the next run resumes from it."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import threading
import time
from contextlib import contextmanager
from datetime import date
from typing import IO, TYPE_CHECKING, Any

import pytest
from werkzeug import Response

from sandbox import Fault
from tap_amazon_appstore.months import add_months
from tests.conftest import Run, Tap, execute, pausing
from tests.data import MONTH, publish

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox import Account
    from sandbox.request import Service

# Runs follow each other at once.
pytestmark = pytest.mark.unlimited

JANUARY = date(2024, 1, 1)
MONTHS = [add_months(JANUARY, number) for number in range(4)]
JANUARY_TO_APRIL: dict[str, Any] = {"start_date": "2024-01-01", "end_date": "2024-04-01"}

posix_only = pytest.mark.skipif(os.name == "nt", reason="signals and limits are POSIX's")


@contextmanager
def started(
    tap: Tap,
    *arguments: str,
    state: dict[str, Any] | None = None,
    env: dict[str, str] | None = None,
    **settings: object,
) -> Iterator[subprocess.Popen[str]]:
    """Start the command with a pipe that is read by the caller, or not at all."""
    with subprocess.Popen(
        tap.command(*arguments, state=state, **settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env={**os.environ, **(env or {})},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def lines_until(text: str, pipe: IO[str]) -> Iterator[str]:
    """Read lines up to the one that holds a text."""
    for line in iter(pipe.readline, ""):
        yield line
        if text in line:
            return
    pytest.fail(f"The command ended without {text}")


def wait_until_full(pipe: IO[str], seconds: float = 20) -> None:
    """Wait until what lies in a pipe that nobody reads grows no more."""
    from fcntl import ioctl  # noqa: PLC0415 - POSIX's
    from termios import FIONREAD  # noqa: PLC0415

    deadline = time.monotonic() + seconds
    before, now = b"", bytes(4)
    while (now == bytes(4) or now != before) and time.monotonic() < deadline:
        time.sleep(0.5)
        before, now = now, ioctl(pipe.fileno(), FIONREAD, bytes(4))


def end(process: subprocess.Popen[str], seconds: float = 10) -> Run:
    """Read what is left in the pipes; a process that does not end in time is killed."""
    watchdog = threading.Timer(seconds, process.kill)
    watchdog.start()
    stdout, stderr = (pipe.read() if pipe else "" for pipe in (process.stdout, process.stderr))
    code = process.wait()
    watchdog.cancel()
    return Run(code, stdout, stderr)


def killed_after(length: int, tap: Tap, **options: Any) -> Run:  # noqa: ANN401
    """Read so many characters of the command's output, and kill it.

    Half a message at the end is what a target would not read either.
    """
    with started(tap, **options) as process:
        assert process.stdout
        stdout = process.stdout.read(length)
        process.kill()
        run = end(process)
    whole, _, _ = (stdout + run.stdout).rpartition("\n")
    return Run(run.code, whole, run.stderr)


def keys(*runs: Run) -> set[tuple[str, str]]:
    """Return month and key of the records of some runs."""
    return {(r["report_month"], r["line_id"]) for run in runs for r in run.records()}


@contextmanager
def hanging(account: Account, service: Service) -> Iterator[threading.Event]:
    """Let a service stop within its responses; the event is set when one has got so far."""
    reached, ended = threading.Event(), threading.Event()

    def stop() -> None:
        reached.set()
        ended.wait(60)
        raise ConnectionAbortedError

    account.inject_fault(Fault(service, pausing(stop)), times=None)
    try:
        yield reached
    finally:
        ended.set()


@posix_only
class TestInterruption:
    """However a run ends, what is on standard output is valid and the next run goes on from it."""

    ROWS = 1500

    @pytest.mark.parametrize(
        ("number", "code", "unbuffered"),
        [(signal.SIGTERM, 143, "1"), (signal.SIGINT, 130, "")],
        ids=["SIGTERM, unbuffered", "SIGINT"],
    )
    def test_signals_amid_records_that_nobody_reads(
        self, tap: Tap, number: signal.Signals, code: int, unbuffered: str
    ) -> None:
        publish(tap.account, *MONTHS, rows=self.ROWS)
        tap.streams = ["sales"]
        env = {"PYTHONUNBUFFERED": unbuffered}
        with started(tap, env=env, **JANUARY_TO_APRIL) as process:
            assert process.stdout
            read = "".join(lines_until('"STATE"', process.stdout))
            wait_until_full(process.stdout)
            process.send_signal(number)
            time.sleep(0.5)
            rest = end(process)
        interrupted = Run(rest.code, read + rest.stdout, rest.stderr)

        resumed = tap.read(state=interrupted.state, **JANUARY_TO_APRIL)

        assert interrupted.code == code
        assert interrupted.stdout.endswith("}\n")
        assert 0 < len(interrupted.records()) < 4 * self.ROWS
        assert len(keys(interrupted, resumed)) == 4 * self.ROWS
        assert "Traceback" not in interrupted.stderr
        assert interrupted.log("ERROR") == []

    def test_a_target_that_ends_with_the_tap(self, tap: Tap) -> None:
        publish(tap.account, MONTH, rows=self.ROWS)
        with started(tap) as process:
            assert process.stdout
            process.stdout.readline()
            time.sleep(1)
            process.terminate()
            time.sleep(0.2)
            process.stdout.close()
            process.stdout = None
            run = end(process)

        assert run.code == 143
        assert run.log("ERROR") == []

    def test_nobody_who_reads_the_log(self, tap: Tap) -> None:
        publish(tap.account, MONTH)

        run = execute("sh", "-c", 'exec "$@" 2>&-', "sh", *tap.command())

        assert run.code == 0
        assert len(run.records()) == 3

    @pytest.mark.parametrize(
        ("redirection", "reason"),
        [(">&-", "it is closed"), (">/dev/full", "No space left on device")],
        ids=["closed", "full"],
    )
    def test_a_standard_output_that_cannot_be_written_to(
        self, tap: Tap, redirection: str, reason: str
    ) -> None:
        run = execute("sh", "-c", f'exec "$@" {redirection}', "sh", *tap.command())

        assert run.code == 1
        assert run.log("ERROR") == [
            f"Writing to standard output failed: {reason}. Run again to resume."
        ]
        assert "Traceback" not in run.stderr

    @pytest.mark.parametrize("unbuffered", ["1", ""], ids=["unbuffered", "buffered"])
    def test_a_pipe_that_does_not_block(self, tap: Tap, unbuffered: str) -> None:
        publish(tap.account, MONTH, rows=self.ROWS)
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        with (
            open(reading, encoding="utf-8") as pipe,  # noqa: PTH123 - a descriptor
            subprocess.Popen(
                tap.command(),
                stdout=writing,
                stderr=subprocess.PIPE,
                env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
            ) as process,
        ):
            os.close(writing)
            wait_until_full(pipe)
            output = pipe.read()

        assert process.returncode == 0
        assert len(Run(0, output, "").records()) == self.ROWS

    def test_a_target_that_stops_reading(self, tap: Tap) -> None:
        publish(tap.account, MONTH, rows=self.ROWS)
        with started(tap) as process:
            assert process.stdout
            process.stdout.readline()
            process.stdout.close()
            process.stdout = None
            run = end(process)

        assert run.code == 1
        assert run.log("ERROR") == [
            "Standard output was closed: the target stopped reading. See the target's log."
        ]
        assert "Traceback" not in run.stderr

    @pytest.mark.parametrize("service", ["lwa", "bucket"])
    def test_servers_that_hang_do_not_hold_it_up(self, tap: Tap, service: Service) -> None:
        publish(tap.account, MONTH)
        with hanging(tap.account, service) as reached, started(tap) as process:
            assert reached.wait(20)
            time.sleep(0.1)
            process.terminate()
            run = end(process, 5)

        assert run.code == 143
        assert run.log("ERROR") == []
        assert "Traceback" not in run.stderr

    def test_a_long_wait_does_not_hold_it_up(self, tap: Tap) -> None:
        later = Response(status=429, headers={"Retry-After": "60"})
        tap.account.inject_fault(Fault("api", later), times=None)
        with started(tap) as process:
            assert process.stderr
            list(lines_until("retrying in 60.0 s", process.stderr))
            process.send_signal(signal.SIGINT)
            run = end(process, 5)

        assert run.code == 130
        assert "Traceback" not in run.stderr

    def test_killed_again_and_again(self, tap: Tap) -> None:
        publish(tap.account, *MONTHS, rows=300)
        tap.streams = ["sales"]
        whole = tap.read(**JANUARY_TO_APRIL)
        state: dict[str, Any] | None = None
        runs = []
        for _ in range(3):
            length = secrets.randbelow(len(whole.stdout) // 2)
            run = killed_after(length, tap, state=state, **JANUARY_TO_APRIL)
            state = run.state if run.states else state
            runs.append(run)

        runs.append(tap.read(state=state, **JANUARY_TO_APRIL))

        assert keys(*runs) == keys(whole)
        assert len(keys(whole)) == 4 * 300
