"""Prints the tables of benchmarks. Run nothing beside it; they take some ten minutes.

The models are measured only if they are asked for: that takes half an hour more.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from benchmarks import models
from benchmarks.measure import Command, interleaved, run
from sandbox import Sandbox, write_sample_zip

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sandbox import Account

MONTH = date(2024, 3, 1)
TAP = str(Path(sysconfig.get_path("scripts"), "tap-amazon-appstore"))

_console = Console(width=110)


def main(arguments: Sequence[str]) -> None:
    """Run the benchmarks that are asked for, or all but the models."""
    benchmarks: dict[str, Callable[[Path], None]] = {
        "rows": rows_a_second,
        "backfill": backfill,
        "memory": memory,
        "unchanged": unchanged,
    }
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", nargs="*", help=", ".join([*benchmarks, "models"]))
    parser.add_argument(
        "--rows", type=int, default=5_000_000, help="sales lines for the models (%(default)s)"
    )
    options = parser.parse_args(arguments)
    names = options.name or list(benchmarks)
    benchmarks["models"] = lambda _: models.measure(_console, options.rows)
    now = datetime.now(timezone.utc)
    _console.print(f"{now:%Y-%m-%d}, {platform.platform()}, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as directory:
        for name in names:
            benchmarks[name](Path(directory))


def tap(account: Account, first: date, last: date) -> Command:
    """Return the installed command, reading some months of an account."""
    prefix = "TAP_AMAZON_APPSTORE"
    months = {f"{prefix}_START_DATE": str(first), f"{prefix}_END_DATE": str(last)}
    return Command([TAP, "--config=ENV"], {**account.environment, **months})


def rows_a_second(directory: Path, rows: int = 200_000, runs: int = 5) -> None:
    """Compare whole runs over one report, output to a file."""
    report = directory / "sales.zip"
    write_sample_zip(report, "sales", MONTH, rows)
    with Sandbox() as sandbox:
        account = sandbox.add_account()
        account.put_report("sales", MONTH, report)
        commands = {
            "tap-amazon-appstore": tap(account, MONTH, MONTH),
            "its start alone (--about)": Command([TAP, "--about"]),
            "bare loop": _module("bare_loop", report),
            "plain SDK tap": _module("plain_sdk_tap", report),
        }
        if find_spec("dlt"):
            commands["dlt"] = _module("dlt_pipeline", report, directory / "dlt")
        costs = interleaved(commands, runs)
    ours = costs["tap-amazon-appstore"].seconds
    table = _table(f"{rows:,} rows", "seconds", "rows/s", "tap is faster by", "peak MB")
    for name, cost in costs.items():
        rate = f"{rows / cost.seconds:,.0f}" if "start" not in name else ""
        times = f"{cost.seconds / ours:.2f}"
        table.add_row(name, f"{cost.seconds:.2f}", rate, times, f"{cost.peak:.0f}")
    _console.print(table)


def backfill(directory: Path, months: int = 24) -> None:
    """Measure a backfill against an API that takes its time."""
    with Sandbox(api_latency=0.25, download_latency=0.45) as sandbox:
        account = sandbox.add_account()
        account.add_sample(months=months, rows_per_month=100)
        first, last = _sample_months(account)
        command = tap(account, first, last)
        command = replace(
            command, arguments=[*command.arguments, "--catalog", _sales_only(directory)]
        )
        cost = run(command)
        times = sorted(r.time for r in account.requests if r.service == "api")
    most = max(sum(start <= time < start + 1 for time in times) for start in times)
    least = len(times) / 3
    table = _table(
        f"{months} months of a report, 250 ms an API answer, 450 ms a download",
        "seconds", "requests", "requests / 3 a second", "ratio", "most in a second",
    )  # fmt: skip
    figures = (
        f"{cost.seconds:.2f}",
        str(len(times)),
        f"{least:.2f}",
        f"{cost.seconds / least:.2f}",
    )
    table.add_row("whole run", *figures, str(most))
    span = times[-1] - times[0]
    table.add_row("first to last request", f"{span:.2f}", "", "", f"{span / least:.2f}", "")
    _console.print(table)


def memory(directory: Path) -> None:
    """Measure the peak memory of large reports."""
    table = _table("Large reports", "seconds", "rows/s", "CSV MB", "peak MB")
    with Sandbox() as sandbox:
        for rows in (1_000_000, 2_000_000):
            report = directory / f"{rows}.zip"
            write_sample_zip(report, "sales", MONTH, rows)
            account = sandbox.add_account()
            account.put_report("sales", MONTH, report)
            cost = run(tap(account, MONTH, MONTH))
            figures = (f"{cost.seconds:.1f}", f"{rows / cost.seconds:,.0f}", _csv_size(report))
            table.add_row(f"{rows:,} rows", *figures, f"{cost.peak:.0f}")
            report.unlink()
    _console.print(table)


def unchanged(directory: Path) -> None:
    """Measure a daily run that finds nothing new."""
    with Sandbox() as sandbox:
        account = sandbox.add_account()
        account.add_sample(months=6, rows_per_month=100)
        first, last = _sample_months(account)
        command = tap(account, first, last)
        state = directory / "state.json"
        done = subprocess.run(
            command.arguments,
            env={**os.environ, **command.environment},
            capture_output=True,
            check=True,
        )
        messages = [json.loads(line) for line in done.stdout.splitlines()]
        states = [message["value"] for message in messages if message["type"] == "STATE"]
        state.write_text(json.dumps(states[-1]), encoding="utf-8")
        account.log.clear()
        again = replace(command, arguments=[*command.arguments, "--state", str(state)])
        costs = interleaved({"run": again, "start": Command([TAP, "--about"])}, runs=3)
        requests = [f"{r.service} {r.status}" for r in account.requests]
    table = _table("Nothing new, 2 streams", "seconds", "start alone", "requests a run")
    counted = ", ".join(f"{requests.count(kind) // 3} {kind}" for kind in sorted(set(requests)))
    table.add_row(
        "daily run", f"{costs['run'].seconds:.2f}", f"{costs['start'].seconds:.2f}", counted
    )
    _console.print(table)


def _module(name: str, *arguments: Path) -> Command:
    return Command([sys.executable, "-m", f"benchmarks.{name}", *map(str, arguments)])


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for column in columns:
        table.add_column(column, justify="right")
    return table


def _sample_months(account: Account) -> tuple[date, date]:
    today = datetime.now(timezone.utc).date().replace(day=1)
    month = today
    while account.get_report("sales", month):
        first = month
        month = (month - timedelta(days=1)).replace(day=1)
    return first, today


def _sales_only(directory: Path) -> str:
    """Write a catalog with nothing but sales selected, and return its path."""
    done = subprocess.run([TAP, "--discover"], stdout=subprocess.PIPE, check=True)
    catalog = json.loads(done.stdout)
    for entry in catalog["streams"]:
        for item in entry["metadata"]:
            if not item["breadcrumb"]:
                item["metadata"]["selected"] = entry["tap_stream_id"] == "sales"
    path = directory / "catalog.json"
    path.write_text(json.dumps(catalog), encoding="utf-8")
    return str(path)


def _csv_size(report: Path) -> str:
    with zipfile.ZipFile(report) as archive:
        return f"{sum(info.file_size for info in archive.infolist()) / 1e6:.0f}"


if __name__ == "__main__":
    main(sys.argv[1:])
