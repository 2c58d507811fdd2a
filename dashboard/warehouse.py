"""The database that holds the marts, found as dbt finds it.

The settings are those of `transform/profiles.yml`, in the same environment variables: the dashboard reads
what dbt has just built. Of the drivers, psycopg and DuckDB's, only the one in use is imported.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

_POSTGRES_DEFAULTS = {
    "host": "localhost",
    "port": "5432",
    "user": "postgres",
    "password": "",
    "dbname": "postgres",
}
_DUCKDB_FILE = "warehouse.duckdb"
_SCHEMA = "amazon_appstore"


class WarehouseError(Exception):
    """The warehouse cannot be read; the text is a sentence for the person who runs the command."""


@dataclass(frozen=True)
class Result:
    """The result of a query."""

    columns: list[str]
    rows: list[tuple[Any, ...]]

    def dicts(self) -> list[dict[str, Any]]:
        """Return the rows as dictionaries."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


@dataclass(frozen=True)
class Warehouse:
    """A connection for which names without schema are those of the marts' schema."""

    execute: Callable[[str], Any]
    failure: type[Exception]

    def query(self, sql: str) -> Result:
        """Run a query.

        Raises:
            WarehouseError: the query failed.
        """
        try:
            cursor = self.execute(sql)
            return Result([column[0] for column in cursor.description], cursor.fetchall())
        except self.failure as error:
            raise WarehouseError(_first_line(error)) from None


def connect(schema: str | None = None) -> AbstractContextManager[Warehouse]:
    """Connect to the warehouse that the environment names.

    Args:
        schema: the schema of the marts; None: the one that the environment names. It need not be
            there.

    Raises:
        WarehouseError: it is of a kind that is not supported, or cannot be reached.
    """
    target = os.environ.get("DBT_TARGET") or "postgres"
    connectors = {"postgres": _postgres, "duckdb": _duckdb}
    if target not in connectors:
        sentence = f"DBT_TARGET is {target!r}, but the dashboard reads postgres or duckdb."
        raise WarehouseError(sentence)
    schema = schema or os.environ.get(f"DBT_{target.upper()}_SCHEMA") or _SCHEMA
    return connectors[target](schema)


@contextmanager
def _postgres(schema: str) -> Iterator[Warehouse]:
    import psycopg  # noqa: PLC0415

    settings = {
        name: os.environ.get(f"DBT_POSTGRES_{name.upper()}") or default
        for name, default in _POSTGRES_DEFAULTS.items()
    }
    try:
        connection = psycopg.connect(psycopg.conninfo.make_conninfo(**settings))
    except psycopg.Error as error:
        raise WarehouseError(_first_line(error)) from None
    with connection:
        # One snapshot for all queries: dbt may be replacing the marts.
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        # `Any`: the driver's own type is for queries that are literals.
        execute: Any = connection.execute
        execute(f"set local search_path to {_quoted(schema)}")
        yield Warehouse(execute, psycopg.Error)


@contextmanager
def _duckdb(schema: str) -> Iterator[Warehouse]:
    import duckdb  # noqa: PLC0415

    path = Path(os.environ.get("DBT_DUCKDB_PATH") or _DUCKDB_FILE)
    if not path.exists():
        sentence = f"there is no DuckDB file {path}."
        raise WarehouseError(sentence)
    try:
        connection = duckdb.connect(path, read_only=True)
    except duckdb.Error as error:
        raise WarehouseError(_first_line(error)) from None
    with connection:
        ((catalog,),) = connection.execute("select current_database()").fetchall()
        # Without such a schema `main` stays in use, in which there is no mart.
        with suppress(duckdb.CatalogException):
            connection.execute(f"use {_quoted(catalog)}.{_quoted(schema)}")
        yield Warehouse(connection.execute, duckdb.Error)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
