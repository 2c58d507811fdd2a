"""What the tap does not do to Amazon, to secrets, to the machine and to those who run it."""

from __future__ import annotations

import itertools
import json
import os
import re
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

from sandbox import Sandbox, make_csv
from tap_amazon_appstore.months import add_months
from tests.conftest import TAP, Run, Tap, execute, execute_without_room, pausing
from tests.data import MONTH, NEXT_MONTH, publish, sale

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox import Account
    from sandbox.calls import Call, Service
    from sandbox.faults import Answer

JANUARY = date(2024, 1, 1)
MONTHS = [add_months(JANUARY, number) for number in range(4)]
JANUARY_TO_APRIL: dict[str, Any] = {"start_date": "2024-01-01", "end_date": "2024-04-01"}

LOG_EVERYTHING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"long": {"format": "%(asctime)s | %(levelname)s | %(name)s | %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "long"}},
    "root": {"level": "DEBUG", "handlers": ["stderr"]},
    "loggers": {
        name: {"level": "DEBUG"}
        for name in ("urllib3", "urllib3.connectionpool", "urllib3.connection", "requests")
    },
}

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
    """Let a service stop amid its answers; the event is set when one has got so far."""
    reached, ended = threading.Event(), threading.Event()

    def stop() -> None:
        reached.set()
        ended.wait(60)
        raise ConnectionAbortedError

    account.inject_fault(service, pausing(stop), times=None)
    try:
        yield reached
    finally:
        ended.set()


class TestReportingApi:
    """Amazon allows 3 requests in a second; a backlog is read at close to that rate."""

    def test_pace_and_tokens(self, tmp_path: Path) -> None:
        months = [add_months(JANUARY, number) for number in range(13)]
        with Sandbox(
            token_lifetime=8, api_latency=0.2, download_latency=0.3, requests_per_second=100
        ) as sandbox:
            account = sandbox.add_account()
            publish(account, *months, rows=20)
            tap = Tap(account, tmp_path)

            run = tap.read(start_date=str(months[0]), end_date=str(months[-1]))

        assert len(run.records()) == 13 * 20
        requests = [request for request in account.requests if request.service == "api"]
        times = sorted(request.time for request in requests)
        assert len(times) == 2 * 13
        # Measured where they arrive, a little later and less evenly than they were sent.
        assert min(fourth - first for first, fourth in zip(times, times[3:], strict=False)) > 0.8
        assert (len(times) - 1) / (times[-1] - times[0]) > 2.2
        # One token serves all threads and both streams, and is renewed before it expires.
        assert 403 not in {request.status for request in requests}
        signed_in = [request.time for request in account.requests if request.service == "lwa"]
        assert len(signed_in) >= 2
        assert all(later - earlier > 7 for earlier, later in itertools.pairwise(signed_in))

    def test_the_token_goes_to_the_api_alone(self, tap: Tap, tmp_path: Path) -> None:
        netrc = tmp_path / "netrc"
        netrc.write_text("machine 127.0.0.1 login user password password\n", encoding="utf-8")
        netrc.chmod(0o600)
        publish(tap.account, MONTH)

        tap.read(env={"NETRC": str(netrc)})

        authorization = {
            request.service: request.headers.get("Authorization", "")[:12]
            for request in tap.account.requests
        }
        assert authorization == {"lwa": "", "api": "Bearer Atc|M", "bucket": ""}

    def test_the_tap_says_who_it_is(self, tap: Tap) -> None:
        publish(tap.account, MONTH)

        tap.read()
        names = {r.service: r.headers["User-Agent"] for r in tap.account.requests}
        tap.read(user_agent="Our pipeline, pipeline@example.com")
        others = {r.service: r.headers["User-Agent"] for r in tap.account.requests}

        assert set(others) == {"lwa", "api", "bucket"}
        assert set(others.values()) == {"Our pipeline, pipeline@example.com"}
        assert len(set(names.values())) == 1
        assert re.fullmatch(r"tap-amazon-appstore/\d.*", names["lwa"])


class TestSecrets:
    """Secret, tokens and presigned URLs are in no output, whatever is logged."""

    @pytest.fixture
    def log_everything(self, tmp_path: Path) -> dict[str, str]:
        path = tmp_path / "logging.yml"
        path.write_text(json.dumps(LOG_EVERYTHING), encoding="utf-8")
        return {"LOGLEVEL": "DEBUG", "SINGER_SDK_LOG_CONFIG": str(path)}

    @pytest.mark.parametrize(
        ("failure", "code"),
        [(None, 0), ("api-redirect", 1), ("api-403", 1)],
    )
    def test_at_any_log_level(
        self, tap: Tap, log_everything: dict[str, str], failure: str | None, code: int
    ) -> None:
        def garble(_: Call, answer: Answer) -> Response:
            response = answer()
            response.headers["No header"] = "at all"
            return response

        publish(tap.account, *MONTHS)
        tap.account.inject_fault("bucket", garble)
        for month, passing in zip(MONTHS, ["api-drop", "bucket-403", "url-expired"], strict=False):
            tap.account.fail(passing, 1, "sales", month)
        if failure:
            tap.account.fail(failure, None, "sales", NEXT_MONTH)

        run = tap.run(env=log_everything, **JANUARY_TO_APRIL)

        assert run.code == code, run.stderr
        assert len(run.records()) >= 3 * 3
        output = run.stdout + run.stderr
        assert "Validating config" in output, "the level should be DEBUG"
        assert tap.account.client_secret not in output
        assert not re.search(r"Atc\||Bearer|X-Amz-", output)
        assert "Traceback" not in output
        assert {message["type"] for message in run.messages} == {"SCHEMA", "RECORD", "STATE"}

    @pytest.mark.parametrize("secret", [271828182845, {"is": "271828182845"}])
    def test_where_settings_have_the_wrong_type(
        self, tap: Tap, log_everything: dict[str, str], secret: object
    ) -> None:
        run = tap.run(env=log_everything, client_secret=secret)

        assert run.code == 1
        assert "client_secret is not what the setting takes" in run.stderr
        assert "271828182845" not in run.stdout + run.stderr

    def test_where_the_settings_are_no_json(self, tmp_path: Path) -> None:
        path = tmp_path / "settings.json"
        path.write_text('{"client_secret": "271828182845", oops}', encoding="utf-8")

        run = execute(str(TAP), "--config", str(path), env={"LOGLEVEL": "DEBUG"})

        assert run.code == 1
        assert "271828182845" not in run.stdout + run.stderr


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
        assert self.ROWS < len(interrupted.records()) < 4 * self.ROWS
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

    def test_a_target_that_stops_reading(self, tap: Tap) -> None:
        publish(tap.account, MONTH, rows=self.ROWS)
        with started(tap) as process:
            assert process.stdout
            process.stdout.readline()
            process.stdout.close()
            process.stdout = None
            run = end(process)

        assert run.code == 1
        assert run.log("ERROR") == ["The target stopped reading; see its log for why"]
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
        tap.account.inject_fault("api", later, times=None)
        with started(tap) as process:
            assert process.stderr
            list(lines_until("trying again in 60.0 s", process.stderr))
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


class TestDisk:
    """Downloads lie on disk for a while, and leave nothing there."""

    @pytest.fixture
    def temporary(self, tmp_path: Path) -> Path:
        path = tmp_path / "temporary"
        path.mkdir()
        return path

    @pytest.mark.parametrize("failure", [None, "api-redirect"])
    def test_nothing_stays_behind(self, tap: Tap, temporary: Path, failure: str | None) -> None:
        publish(tap.account, *MONTHS)
        tap.account.fail("bucket-bad-crc", 1, "sales", JANUARY)
        if failure:
            tap.account.fail(failure, None, "sales", NEXT_MONTH)

        tap.run(env={"TMPDIR": str(temporary)}, **JANUARY_TO_APRIL)

        assert len([r for r in tap.account.requests if r.service == "bucket"]) >= 3
        assert list(temporary.iterdir()) == []

    def test_nothing_stays_behind_when_killed(self, tap: Tap, temporary: Path) -> None:
        publish(tap.account, MONTH, rows=300)
        env = {"TMPDIR": str(temporary)}
        with hanging(tap.account, "bucket") as reached, started(tap, env=env) as process:
            assert reached.wait(20)
            time.sleep(0.2)
            process.kill()
            process.communicate()

        assert list(temporary.iterdir()) == []

    @posix_only
    @pytest.mark.parametrize("rows", [100, 2000], ids=["at its end", "amid it"])
    def test_a_full_disk(self, tap: Tap, rows: int) -> None:
        publish(tap.account, JANUARY)
        # Random text does not get shorter in a ZIP.
        items = (
            sale(Transaction_Id=str(number), Receipt_ID=secrets.token_hex(16))
            for number in range(rows)
        )
        tap.account.put_report("sales", add_months(JANUARY, 1), make_csv(items))
        command = tap.command(start_date="2024-01-01", end_date="2024-02-01")

        run = execute_without_room(*command, blocks=4)

        assert run.code == 1, run.stderr
        assert len(run.log("ERROR")) == 1, run.stderr
        assert "The sales report of 2024-02 could not be read" in run.log("ERROR")[0]
        assert "make room" in run.log("ERROR")[0]
        assert "Traceback" not in run.stderr
        assert len(run.records()) == 3
        assert run.bookmark() == "2024-01-01"
