"""Run a command against the sandbox, or serve it: `python -m sandbox --help`."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING

from sandbox.faults import FAULTS, find_fault
from sandbox.samples import list_months
from sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sandbox.accounts import Account


_DESCRIPTION = """
A local fake of Amazon's Appstore Reporting API, Login with Amazon and the S3 bucket. Runs COMMAND
with environment variables that let tap-amazon-appstore read a sample account from it; or, with
--serve, runs until it is stopped and prints these variables.
"""
_EXAMPLES = """
examples:
  python -m sandbox tap-amazon-appstore --config=ENV --test
  python -m sandbox --fault bucket-503:2 --fault api-429:5s tap-amazon-appstore --config=ENV
  python -m sandbox --serve --port 8765 --months 24 --rows 20000 --accounts 2
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command with the settings of a sample account; returns the command's exit code."""
    parser = _make_parser()
    options = parser.parse_args(arguments)
    if options.list_faults:
        for name, fault in FAULTS.items():
            sys.stdout.write(f"{name:24} {fault.service:7} {fault.description}\n")
        return 0
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if bool(command) is options.serve:
        parser.error("either a command or --serve is required")
    if options.accounts < 1:
        parser.error("--accounts must be at least 1")
    with Sandbox(port=options.port) as sandbox:
        numbers = range(1, options.accounts + 1)
        accounts = [_add_account(sandbox, number, options) for number in numbers]
        if options.serve:
            first_month, *_ = list_months(options.today, max(options.months, 1))
            return _serve(accounts, first_month)
        return _run(command, accounts[0].environment)


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox",
        usage="%(prog)s [options] COMMAND...\n       %(prog)s [options] --serve [--port PORT]",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    today = datetime.now(timezone.utc).date()
    add = parser.add_argument_group("sample reports").add_argument
    add("--months", type=int, default=6, help="months with reports (default: 6)")
    add("--rows", type=int, default=400, help="rows of a sales report of 2026 (default: about 400)")
    add("--accounts", type=int, default=1, help="accounts with different data (default: 1)")
    add("--today", type=date.fromisoformat, default=today, help="a day in the last month")
    add = parser.add_argument_group("server").add_argument
    add("--serve", action="store_true", help="serve until stopped (Ctrl-C); run no command")
    port = "port of the API; Login with Amazon and the bucket use the next two (default: free ones)"
    add("--port", type=int, default=0, help=port)
    add = parser.add_argument_group("faults").add_argument
    extent = "always, or for so many requests or seconds (3, 5s); may be repeated"
    name = "NAME[:TIMES|:SECONDSs]"
    add("--fault", action="append", type=_parse_fault, default=[], metavar=name, help=extent)
    add("--list-faults", action="store_true", help="list all faults and exit")
    parser.add_argument("command", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


def _parse_fault(text: str) -> tuple[str, int | None, float | None]:
    name, _, extent = text.partition(":")
    try:
        find_fault(name)
        if extent.endswith("s"):
            return name, None, float(extent[:-1])
        return name, int(extent) if extent else None, None
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _add_account(sandbox: Sandbox, number: int, options: argparse.Namespace) -> Account:
    account = sandbox.add_account(name=f"sample {number}")
    seed = "" if number == 1 else f"sample-{number}"
    account.add_sample(options.months, options.rows, options.today, seed=seed, progress=True)
    for name, times, seconds in options.fault:
        account.inject_fault(name, times, seconds=seconds)
    return account


def _serve(accounts: Sequence[Account], first_month: date) -> int:
    for account in accounts:
        settings = {**account.environment, "TAP_AMAZON_APPSTORE_START_DATE": str(first_month)}
        sys.stdout.write(f"# Account {account.client_id[-4:]}\n")
        sys.stdout.writelines(f"export {n}={shlex.quote(v)}\n" for n, v in settings.items())
    sys.stdout.flush()
    sys.stderr.write("The sandbox is running. Press Ctrl-C to stop it.\n")
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    # Windows cannot interrupt a wait without a time limit.
    while not stopped.wait(1):
        pass
    return 0


def _run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    # Windows finds a command that is a script only by its full name.
    executable = shutil.which(command[0])
    if executable is None:
        sys.stderr.write(f"python -m sandbox: there is no command {command[0]!r}\n")
        return 127
    with subprocess.Popen([executable, *command[1:]], env={**os.environ, **environment}) as process:
        # A terminal sends Ctrl-C to the command, too.
        signal.signal(signal.SIGINT, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        code = process.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
