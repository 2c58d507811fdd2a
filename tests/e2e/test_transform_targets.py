"""The marts on what target-duckdb loads are those on PostgreSQL."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from datetime import date
from typing import TYPE_CHECKING, Any

import duckdb
import psycopg
import pytest

from tests.conftest import Run, Tap
from tests.e2e.environments import command, dbt_environment, install
from tests.e2e.transform.warehouses import DuckDB, Postgres

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sandbox import Sandbox

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("transform")]

STREAMS = ("sales", "subscriptions", "earnings")
TODAY = date(2024, 6, 16)


def test_marts_on_target_duckdb_are_those_on_postgres(
    request: pytest.FixtureRequest, tmp_path: Path, sandbox: Sandbox, postgres_uri: str
) -> None:
    dbt = [command(dbt_environment(request), "dbt")]
    environment = install(
        request, "target-duckdb", "target-duckdb==0.8.0", f"duckdb=={duckdb.__version__}"
    )
    target = command(environment, "target-duckdb")
    duck = DuckDB(dbt, tmp_path, "models")
    postgres = Postgres(dbt, tmp_path, "on_postgres", postgres_uri)

    account = sandbox.add_account()
    account.add_sample(months=5, rows_per_month=60, today=TODAY)
    tap = Tap(account, tmp_path, {"start_date": "2024-02-01", "end_date": TODAY.isoformat()})
    tap.streams = STREAMS
    runs = {"floats": [tap.read()], "decimals": [_read_decimals(tap)]}
    account.restate_sales(date(2024, 3, 1))
    runs["floats"].append(tap.read())
    runs["decimals"].append(_read_decimals(tap))

    postgres.create(*STREAMS)
    for stream in STREAMS:
        postgres.execute(f"alter table {postgres.raw}.{stream} add primary key (line_id)")
        records = [record for run in runs["floats"] for record in run.records(stream)]
        postgres.load(stream, list({record["line_id"]: record for record in records}.values()))
    for schema, parts in runs.items():
        config = tmp_path / f"{schema}.json"
        settings = {"filepath": str(duck._path), "default_target_schema": schema}
        config.write_text(json.dumps(settings), encoding="utf-8")
        for run in parts:
            subprocess.run([target, "-c", config], input=run.stdout.encode(), check=True)
    with duckdb.connect(duck._path) as connection:
        types = {
            schema: connection.execute(f"select typeof(sales_price) from {schema}.sales").fetchone()
            for schema in runs
        }
    assert types == {"floats": ("DOUBLE",), "decimals": ("VARCHAR",)}

    build = postgres.build()
    sources: Any = [{"schema": schema} for schema in runs]
    duck.build(amazon_appstore_sources=sources)
    for mart in build.names("model"):
        if mart.startswith("amazon_appstore__") and not mart.endswith("time_spine"):
            columns = _columns(build.manifest, mart)
            with psycopg.connect(postgres_uri) as server:
                sql = f"select {columns} from {postgres.table(mart)}"
                expected = Counter(server.execute(sql.encode()).fetchall())
            assert expected
            for schema in runs:
                found = duck.execute(
                    f"select {columns} from {duck.table(mart)} where source_relation = '{schema}'"
                )
                assert Counter(found) == expected, (mart, schema)


def _read_decimals(tap: Tap) -> Run:
    catalog = tap.catalog(selected=STREAMS, use_singer_decimal=True)
    return tap.read("--catalog", catalog, use_singer_decimal=True)


def _columns(manifest: dict[str, Any], mart: str) -> str:
    """Return the columns that do not depend on the warehouse."""
    columns: Sequence[str] = manifest["nodes"][f"model.amazon_appstore.{mart}"]["columns"]
    return ", ".join(
        name for name in columns if name not in ("source_relation", "report_fingerprint")
    )
