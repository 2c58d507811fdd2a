"""Databases that a loader has filled, and dbt to build the models in them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import duckdb
import psycopg

from tap_amazon_appstore import schemas

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from tests.e2e.transform.rows import Row

PROJECT = Path(__file__).parents[3] / "transform"


def columns(stream: str) -> dict[str, str]:
    """Return the columns of a stream, each with the type or format that its schema gives it."""
    schema = json.loads(files(schemas).joinpath(f"{stream}.json").read_text(encoding="utf-8"))
    return {
        name: definition.get("format") or next(iter(_types(definition["type"])))
        for name, definition in schema["properties"].items()
    }


def _types(type_: str | list[str]) -> list[str]:
    return [type_] if isinstance(type_, str) else type_


@dataclass(frozen=True)
class Build:
    """What a run of dbt did."""

    results: list[dict[str, Any]]
    manifest: dict[str, Any]

    @property
    def statuses(self) -> set[str]:
        """What models and tests ended with."""
        statuses = {result["status"] for result in self.results}
        return statuses - {"no-op"}  # exposures

    def names(self, kind: str, status: str | None = None) -> list[str]:
        """Return the names of the nodes of a kind, such as `model`, that ran or ended with a status."""
        ids = (
            result["unique_id"].split(".")
            for result in self.results
            if status in (None, result["status"])
        )
        return [id_[-1] for id_ in ids if id_[0] == kind]


@dataclass(frozen=True)
class Warehouse:
    """A database with a schema of raw tables and one of models."""

    dbt: Sequence[str]
    """The command."""

    directory: Path
    """Where dbt keeps what it remembers."""

    schema: str
    """The schema of the models."""

    adapter: ClassVar[str]
    mark: ClassVar[str]
    types: ClassVar[dict[str, str]]

    @property
    def raw(self) -> str:
        """The schema of the raw tables."""
        return f"{self.schema}_raw"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead dbt to the database."""
        raise NotImplementedError

    def execute(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run a statement with values for its marks, and return the rows that it finds."""
        raise NotImplementedError

    def create(self, *streams: str, schema: str | None = None) -> None:
        """Make empty tables, as a loader does for the streams that are selected."""
        schema = schema or self.raw
        self.execute(f"create schema {schema}")
        for stream in streams:
            definitions = [f"{name} {self.types[kind]}" for name, kind in columns(stream).items()]
            self.execute(f"create table {schema}.{stream} ({', '.join(definitions)})")

    def load(self, stream: str, rows: Collection[Row], schema: str | None = None) -> None:
        """Add rows to a table, in place of those with the same key."""
        table = f"{schema or self.raw}.{stream}"
        keys = [row["line_id"] for row in rows]
        marks = ", ".join([self.mark] * len(keys))
        if keys:
            self.execute(f"delete from {table} where line_id in ({marks})", keys)
            self.insert(table, stream, rows)

    def insert(self, table: str, stream: str, rows: Collection[Row]) -> None:
        """Insert rows of a stream into a table."""
        raise NotImplementedError

    def table(self, name: str) -> str:
        """Return the full name of a model's table; marts go without their prefix."""
        return f"{self.schema}.{name if '__' in name else f'amazon_appstore__{name}'}"

    def rows(
        self, name: str, columns: Iterable[str], condition: str = "true"
    ) -> list[tuple[Any, ...]]:
        """Return the rows of a model that meet a condition, sorted."""
        found = self.execute(
            f"select {', '.join(columns)} from {self.table(name)} where {condition}"
        )
        return sorted(found, key=lambda row: [(value is None, value) for value in row])

    def build(
        self,
        *arguments: str,
        command: str = "build",
        allow_warnings: bool = False,
        **variables: object,
    ) -> Build:
        """Run dbt with warnings as errors, those of data tests only if they are not allowed."""
        allowed = ["LogTestResult"] if allow_warnings else []
        warnings = json.dumps({"error": "all", "warn": allowed})
        done = self.run(f"--warn-error-options={warnings}", command, *arguments, **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        results, manifest = (
            json.loads((self._target / f"{name}.json").read_text(encoding="utf-8"))
            for name in ("run_results", "manifest")
        )
        return Build(results["results"], manifest)

    def run(self, *arguments: str, **variables: object) -> subprocess.CompletedProcess[str]:
        """Run dbt."""
        options = {
            "project-dir": PROJECT,
            "profiles-dir": PROJECT,
            "target-path": self._target,
            "log-path": self.directory / "logs",
            "vars": json.dumps({"amazon_appstore_schema": self.raw, **variables}),
        }
        return subprocess.run(
            [*self.dbt, *arguments, *(f"--{name}={value}" for name, value in options.items())],
            cwd=self.directory,
            env={**os.environ, "DBT_TARGET": self.adapter, **self.environment},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )

    @property
    def _target(self) -> Path:
        return self.directory / "target" / self.schema


@dataclass(frozen=True)
class Postgres(Warehouse):
    """A schema in an embedded PostgreSQL, with the types that target-postgres makes."""

    uri: str

    adapter = "postgres"
    mark = "%s"
    types = {  # noqa: RUF012
        "string": "varchar",
        "integer": "bigint",
        "number": "numeric",
        "boolean": "boolean",
        "date": "date",
        "date-time": "timestamp",
    }

    @property
    def environment(self) -> dict[str, str]:
        host = psycopg.conninfo.conninfo_to_dict(self.uri)["host"]
        return {"DBT_POSTGRES_HOST": str(host), "DBT_POSTGRES_SCHEMA": self.schema}

    def execute(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.uri) as connection:
            cursor = connection.execute(sql.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def insert(self, table: str, stream: str, rows: Collection[Row]) -> None:
        names = list(columns(stream))
        marks = ", ".join([self.mark] * len(names))
        values = [tuple(row.get(name) for name in names) for row in rows]
        with psycopg.connect(self.uri) as connection, connection.cursor() as cursor:
            cursor.executemany(f"insert into {table} values ({marks})".encode(), values)


@dataclass(frozen=True)
class DuckDB(Warehouse):
    """A file of DuckDB."""

    adapter = "duckdb"
    mark = "?"
    types = {**Postgres.types, "number": "decimal(38, 18)"}  # noqa: RUF012

    @property
    def environment(self) -> dict[str, str]:
        return {"DBT_DUCKDB_PATH": str(self._path), "DBT_DUCKDB_SCHEMA": self.schema}

    @property
    def _path(self) -> Path:
        return self.directory / f"warehouse_{self.schema}.duckdb"

    def execute(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with duckdb.connect(self._path) as connection:
            return connection.execute(sql, values).fetchall()

    def insert(self, table: str, stream: str, rows: Collection[Row]) -> None:
        # From a file, because statements with many values take seconds.
        file = self.directory / f"{stream}.json"
        file.write_text(json.dumps(list(rows), default=str), encoding="utf-8")
        types = {name: self.types[kind] for name, kind in columns(stream).items()}
        self.execute(f"insert into {table} select * from read_json('{file}', columns = {types})")


@dataclass(frozen=True)
class Spark(DuckDB):
    """A Spark session's warehouse of Parquet files, loaded and read by DuckDB."""

    adapter = "spark"

    @property
    def environment(self) -> dict[str, str]:
        settings = {
            "spark.master": "local[2]",
            "spark.sql.warehouse.dir": self._warehouse,
            "spark.sql.session.timeZone": "UTC",
            # A handful of rows is no work for which it pays to compile or to distribute.
            "spark.driver.extraJavaOptions": f"-Dderby.system.home={self.directory} "
            "-Dderby.system.durability=test -XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
            "spark.sql.shuffle.partitions": 1,
            "spark.sql.adaptive.enabled": "false",
            "spark.sql.codegen.wholeStage": "false",
            "spark.sql.codegen.factoryMode": "NO_CODEGEN",
            "spark.ui.enabled": "false",
        }
        lines = (f"{name} {value}\n" for name, value in settings.items())
        (self.directory / "spark-defaults.conf").write_text("".join(lines), encoding="utf-8")
        return {"SPARK_CONF_DIR": str(self.directory), "DBT_SPARK_SCHEMA": self.schema}

    @property
    def _warehouse(self) -> Path:
        return self.directory / "warehouse"

    def create(self, *streams: str, schema: str | None = None) -> None:
        super().create(*streams, schema=schema)
        for stream in streams:
            self._export(stream)
        statements = [f"create database {self.raw}"] + [
            f"create table {self.raw}.{stream} using parquet location '{self._files(stream)}'"
            for stream in streams
        ]
        script = (
            "from pyspark.sql import SparkSession\n"
            "session = SparkSession.builder.enableHiveSupport().getOrCreate()\n"
            f"for statement in {statements}: session.sql(statement)\n"
        )
        python = shutil.which("python", path=Path(self.dbt[0]).parent)
        assert python is not None
        environment = {**os.environ, **self.environment}
        subprocess.run([python, "-c", script], cwd=self.directory, env=environment, check=True)

    def load(self, stream: str, rows: Collection[Row], schema: str | None = None) -> None:
        super().load(stream, rows, schema)
        self._export(stream)

    def _files(self, stream: str) -> Path:
        return self.directory / "raw" / stream

    def _export(self, stream: str) -> None:
        self._files(stream).mkdir(parents=True, exist_ok=True)
        file = self._files(stream) / "rows.parquet"
        self.execute(f"copy {self.raw}.{stream} to '{file}'")

    def table(self, name: str) -> str:
        folder = super().table(name).replace(".", ".db/")
        return f"read_parquet('{self._warehouse}/{folder}/**/*.parquet', hive_partitioning = true)"
