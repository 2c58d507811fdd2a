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
from contextlib import contextmanager
from datetime import date, datetime, timezone
from functools import partial
from typing import TYPE_CHECKING, Any

from sandbox.faults import FAULTS, find_fault
from sandbox.reports import REPORTS
from sandbox.samples import list_months
from sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import FrameType

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


class _Formatter(argparse.RawDescriptionHelpFormatter, argparse.ArgumentDefaultsHelpFormatter):
    """Keep the examples' lines, and show defaults."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command with the settings of a sample account; returns the command's exit code."""
    parser = _make_parser()
    options = parser.parse_args(arguments)
    if options.list_faults:
        sys.stdout.writelines(f"{f.name:26}{f.description}\n" for f in FAULTS.values())
        return 0
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if bool(command) is bool(options.serve):
        parser.error("either a command or --serve is required")
    with Sandbox(
        api_latency=options.api_latency,
        download_latency=options.download_latency,
        token_lifetime=options.token_lifetime,
        url_lifetime=options.url_lifetime,
        port=options.port,
    ) as sandbox:
        names = ["sample", *(f"sample {i}" for i in range(2, options.accounts + 1))]
        accounts = [sandbox.add_account(name=name) for name in names]
        for account, name in zip(accounts, names, strict=True):
            _prepare(account, "" if name == "sample" else name.replace(" ", "-"), options)
        if options.serve:
            return _serve(accounts, list_months(options.today, options.months)[0])
        return _run(command, accounts[0].environment)


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox",
        usage="%(prog)s [options] COMMAND...\n       %(prog)s [options] --serve [--port PORT]",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=_Formatter,
    )
    today = datetime.now(timezone.utc).date()
    # Their default is None, which the help does not show.
    flag: dict[str, Any] = {"action": "store_const", "const": True}
    add = parser.add_argument_group("sample reports").add_argument
    add("--months", type=int, default=6, help="months with reports")
    add("--rows", type=int, default=400, help="about how many rows a sales report of 2026 has")
    add("--accounts", type=int, default=1, help="accounts, each with different data, to serve")
    add("--empty", **flag, help="no reports")
    add("--restate", type=int, default=0, metavar="N", help="restate the last N closed months")
    add("--today", type=date.fromisoformat, default=today, help="a day in the last month")
    add = parser.add_argument_group("server").add_argument
    add("--serve", **flag, help="serve until stopped (Ctrl-C); run no command")
    port = "the API's port; Login with Amazon and the bucket use the next two; 0 for free ones"
    add("--port", type=int, default=0, help=port)
    add = partial(parser.add_argument_group("times in seconds").add_argument, type=float)
    add("--api-latency", default=0.0, help="before each response of the API")
    add("--download-latency", default=0.0, help="before each response of the bucket")
    add("--token-lifetime", default=3600.0, help="until an access token expires")
    add("--url-lifetime", type=int, default=300, help="until a presigned URL expires")
    add = parser.add_argument_group("faults").add_argument
    extent = "always, or for so many requests or seconds (3, 5s); may be repeated"
    name = "NAME[:TIMES|:SECONDSs]"
    add("--fault", action="append", type=_parse_fault, metavar=name, help=extent)
    add("--list-faults", **flag, help="list all faults and exit")
    parser.add_argument("command", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


def _parse_fault(text: str) -> tuple[str, int | None, float | None]:
    name, _, extent = text.partition(":")
    try:
        fault = find_fault(name).name
        if extent.endswith("s"):
            return fault, None, float(extent[:-1])
        return fault, int(extent) if extent else None, None
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _prepare(account: Account, seed: str, options: argparse.Namespace) -> None:
    if not options.empty:
        account.add_sample(options.months, options.rows, options.today, seed=seed, progress=True)
        for month in list_months(options.today, options.restate + 1)[:-1]:
            for report in REPORTS:
                if account.get_report(report, month):
                    account.restate(report, month)
    for name, times, seconds in options.fault or []:
        account.fail(name, times, seconds=seconds)


def _serve(accounts: Sequence[Account], first_month: date) -> int:
    for account in accounts:
        settings = {**account.environment, "TAP_AMAZON_APPSTORE_START_DATE": str(first_month)}
        sys.stdout.write(f"# Account {account.client_id[-4:]}\n")
        sys.stdout.writelines(f"export {n}={shlex.quote(v)}\n" for n, v in settings.items())
    sys.stdout.flush()
    sys.stderr.write("The sandbox is running. Press Ctrl-C to stop it.\n")
    stopped = threading.Event()
    with _signal_handler(lambda _number, _frame: stopped.set()):
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

        def pass_on(number: int, _frame: FrameType | None) -> None:
            # A terminal sends Ctrl-C to the command too; it should not get it twice.
            if number == signal.SIGTERM or not (os.name == "nt" or os.isatty(0)):
                process.send_signal(number)

        with _signal_handler(pass_on):
            code = process.wait()
    return code if code >= 0 else 128 - code


@contextmanager
def _signal_handler(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Handle SIGINT and SIGTERM for as long as the context lasts."""
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, handler) for number in signals]
    try:
        yield
    finally:
        for number, previous in zip(signals, before, strict=True):
            signal.signal(number, previous)


if __name__ == "__main__":
    sys.exit(main())
