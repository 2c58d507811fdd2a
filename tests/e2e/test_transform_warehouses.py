"""The marts on Snowflake and BigQuery are those on DuckDB, as far as that shows without an account.

dbt-snowflake builds the models in fakesnow. The SQL of BigQuery is compiled with the macros of its adapter,
transpiled and run in DuckDB. Nothing here runs on the warehouses themselves.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.e2e.environments import command, dbt_environment, install
from tests.e2e.transform.rows import deliveries, subscription
from tests.e2e.transform.warehouses import DuckDB, columns

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("transform")]

CORE = "dbt-core>=1.11,<1.12"
SCRIPTS = Path(__file__).parent / "transform"
# What the loaders make of a column, as SQL.
SNOWFLAKE = {"number": "cast({} as double)"}
BIGQUERY = {**SNOWFLAKE, "date-time": "timezone('UTC', {})"}


@pytest.fixture(scope="module")
def reference(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> DuckDB:
    """A warehouse whose marts dbt-duckdb has built, and with its raw tables as they were before."""
    dbt = command(dbt_environment(request), "dbt")
    warehouse = DuckDB([dbt], tmp_path_factory.mktemp("reference"), "reference")
    warehouse.create("sales", "subscriptions")
    first, second = deliveries()
    days = [subscription(f"day-{day}", first[0]["report_month"].replace(day=day)) for day in (1, 2)]
    warehouse.load("subscriptions", days)
    warehouse.load("sales", first)
    warehouse.execute("create schema before")
    for stream in ("sales", "subscriptions"):
        warehouse.execute(f"create table before.{stream} as from {warehouse.raw}.{stream}")
    warehouse.load("sales", second)
    warehouse.build()
    return warehouse


def test_snowflake(request: pytest.FixtureRequest, tmp_path: Path, reference: DuckDB) -> None:
    environment = install(request, "fakesnow", CORE, "dbt-snowflake>=1.10,<2", "fakesnow>=0.12")
    raw = tmp_path / "raw.duckdb"
    copy_raw_tables(reference, "before", raw, "first", SNOWFLAKE)
    copy_raw_tables(reference, reference.raw, raw, "second", SNOWFLAKE)
    # In upper case, as Snowflake has them.
    write_profile(
        tmp_path,
        {
            "type": "snowflake",
            "account": "fakesnow",
            "user": "none",
            "password": "none",
            "warehouse": "none",
            "database": "WAREHOUSE",
            "schema": "MODELS",
        },
    )
    marts = tmp_path / "marts.duckdb"
    run_script("fake_snowflake.py", environment, tmp_path, raw, tmp_path, marts)
    check_marts(marts, reference)


def test_bigquery(request: pytest.FixtureRequest, tmp_path: Path, reference: DuckDB) -> None:
    duckdb_here = f"duckdb=={duckdb.__version__}"
    adapter = "dbt-bigquery>=1.10,<2"
    environment = install(request, "dbt-bigquery", CORE, adapter, "sqlglot>=30,<31", duckdb_here)
    database = tmp_path / "warehouse.duckdb"
    copy_raw_tables(reference, reference.raw, database, "raw_tables", BIGQUERY)
    write_profile(
        tmp_path,
        {
            "type": "bigquery",
            "method": "oauth-secrets",
            "token": "none",
            "project": "warehouse",
            "dataset": "models",
        },
    )
    run_script("transpile_bigquery.py", environment, tmp_path, database, tmp_path)
    check_marts(database, reference)
    with duckdb.connect(database) as connection:
        # The tables of tests hold the rows that fail.
        tests = [
            name
            for (name,) in connection.execute("show tables from models").fetchall()
            if not name.startswith(("amazon_", "stg_", "int_"))
        ]
        assert len(tests) > 12
        for test in tests:
            assert connection.execute(f'select * from models."{test}"').fetchall() == [], test


def write_profile(directory: Path, output: dict[str, str]) -> None:
    """Write a profile for the package."""
    profile = {"target": "test", "outputs": {"test": {**output, "threads": 1}}}
    text = json.dumps({"amazon_appstore": profile})
    (directory / "profiles.yml").write_text(text, encoding="utf-8")


def run_script(name: str, environment: Path, directory: Path, *arguments: Path) -> None:
    """Run a script in an environment."""
    python = command(environment, "python")
    run = [python, "-W", "ignore", str(SCRIPTS / name), *map(str, arguments)]
    done = subprocess.run(run, cwd=directory, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def check_marts(database: Path, reference: DuckDB) -> None:
    """Compare the marts with those of the reference."""
    with duckdb.connect(database) as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute(f"attach '{reference._path}' as expected (read_only)")
        tables = connection.execute("show tables from expected.reference").fetchall()
        marts = [name for (name,) in tables if name.startswith("amazon_appstore__")]
        assert len(marts) > 12
        for mart in marts:
            assert find_differences(connection, f"expected.reference.{mart}", mart) == [], mart


def find_differences(
    connection: duckdb.DuckDBPyConnection, expected: str, mart: str
) -> list[tuple[Any, ...]]:
    """Return the rows that only one of two tables has."""
    names = (name for name, *_ in connection.execute(f"describe {expected}").fetchall())
    # The account is named after the schema; each warehouse has other hashes.
    columns = ", ".join(
        name for name in names if name not in ("source_relation", "report_fingerprint")
    )
    sides = [f"select {columns} from {table}" for table in (expected, f"models.{mart}")]
    sql = " union all ".join(f"({a} except all {b})" for a, b in (sides, sides[::-1]))
    return connection.execute(sql).fetchall()


def copy_raw_tables(
    reference: DuckDB, source: str, database: Path, schema: str, casts: dict[str, str]
) -> None:
    """Copy raw tables into another file, with the types of another loader."""
    with duckdb.connect(database) as connection:
        connection.execute(f"attach '{reference._path}' as reference (read_only)")
        connection.execute(f"create schema {schema}")
        for stream in ("sales", "subscriptions"):
            selected = ", ".join(
                f'{casts.get(type_, "{}").format(f"lines.{name}")} as "{name}"'
                for name, type_ in columns(stream).items()
            )
            connection.execute(
                f"create table {schema}.{stream} as "
                f"select {selected} from reference.{source}.{stream} as lines"
            )
