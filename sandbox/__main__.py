"""Run a command against the sandbox: `python -m sandbox [options] COMMAND...`."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from sandbox.faults import FAULTS, find_fault
from sandbox.reporting import REPORTS
from sandbox.samples import months_until
from sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import FrameType

    from sandbox.accounts import Account


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command with the settings of a sample account; returns the command's exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.list_faults:
        sys.stdout.writelines(f"{f.name:26}{f.description}\n" for f in FAULTS.values())
        return 0
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command:
        parser.error("a command to run is missing")
    with Sandbox(
        api_latency=options.api_latency,
        download_latency=options.download_latency,
        token_lifetime=options.token_lifetime,
        url_lifetime=options.url_lifetime,
    ) as sandbox:
        account = sandbox.add_account(name="sample")
        _prepare(account, options)
        return _run(command, account.environment)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox",
        usage="%(prog)s [options] COMMAND...",
        description="Runs COMMAND with environment variables that let tap-amazon-appstore read a "
        "sample account from a Reporting API on this machine.",
    )
    add = parser.add_argument
    add("--months", type=int, default=6, help="how many months have reports (%(default)s)")
    add("--rows", type=int, default=400, help="rows of each month's report (%(default)s)")
    add("--empty", action="store_true", help="an account without reports")
    add(
        "--restate",
        type=int,
        default=0,
        metavar="N",
        help="the last N closed months have been restated",
    )
    _add_seconds(parser, "--api-latency", 0.0, "before each answer of the API")
    _add_seconds(parser, "--download-latency", 0.0, "before each answer of the bucket")
    _add_seconds(parser, "--token-lifetime", 3600.0, "until an access token expires")
    add(
        "--url-lifetime",
        type=int,
        default=300,
        metavar="SECONDS",
        help="until a presigned URL expires (%(default)s)",
    )
    add(
        "--fault",
        type=_fault,
        action="append",
        default=[],
        dest="faults",
        metavar="NAME[:TIMES]",
        help="something goes wrong, the first TIMES times or always; may be repeated",
    )
    add("--list-faults", action="store_true", help="list what can go wrong")
    add("command", nargs=argparse.REMAINDER, metavar="COMMAND...", help=argparse.SUPPRESS)
    return parser


def _add_seconds(
    parser: argparse.ArgumentParser, name: str, default: float, description: str
) -> None:
    parser.add_argument(
        name,
        type=float,
        default=default,
        metavar="SECONDS",
        help=f"{description} (%(default)s)",
    )


def _fault(text: str) -> tuple[str, int | None]:
    name, _, times = text.partition(":")
    try:
        return find_fault(name).name, int(times) if times else None
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _prepare(account: Account, options: argparse.Namespace) -> None:
    if not options.empty:
        account.add_sample(options.months, options.rows)
        today = datetime.now(timezone.utc).date()
        closed = months_until(today, options.months)[:-1]
        for month in closed[len(closed) - min(options.restate, len(closed)) :]:
            for report in REPORTS:
                account.restate(report, month)
    for name, times in options.faults:
        account.fail(name, times)


def _run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    # Windows finds a command that is a script only by its full name.
    executable = shutil.which(command[0])
    if executable is None:
        sys.stderr.write(f"python -m sandbox: there is no command {command[0]!r}\n")
        return 127
    with (
        subprocess.Popen([executable, *command[1:]], env={**os.environ, **environment}) as process,
        _passing_signals_to(process),
    ):
        code = process.wait()
    return code if code >= 0 else 128 - code


@contextmanager
def _passing_signals_to(process: subprocess.Popen[bytes]) -> Iterator[None]:
    def pass_on(number: int, _frame: FrameType | None) -> None:
        # A terminal sends Ctrl-C to the command too; it should not get it twice.
        if number == signal.SIGTERM or not (os.name == "nt" or os.isatty(0)):
            process.send_signal(number)

    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, pass_on) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)


if __name__ == "__main__":
    sys.exit(main())
