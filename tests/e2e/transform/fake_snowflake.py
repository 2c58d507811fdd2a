"""Build the models twice by dbt-snowflake in fakesnow, with other raw tables each time.

Runs in an environment with dbt-snowflake and fakesnow: `fake_snowflake.py DATABASE PROFILES MARTS`, where
`DATABASE` is a file of DuckDB with the schemas `first` and `second`, which become the raw tables one
after the other. The marts are copied to the file `MARTS`.
"""

from __future__ import annotations

import re
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import fakesnow
import fakesnow.transforms
import snowflake.connector
from dbt.cli.main import dbtRunner
from fakesnow.cursor import FakeSnowflakeCursor

if TYPE_CHECKING:
    from snowflake.connector.cursor import SnowflakeCursor

# The types of target-snowflake.
TYPES = {
    "VARCHAR": "text",
    "BIGINT": "number(38, 0)",
    "DOUBLE": "float",
    "TIMESTAMP": "timestamp_ntz",
}


def load(cursor: SnowflakeCursor, source: duckdb.DuckDBPyConnection, schema: str) -> None:
    """Replace the raw tables by those of a schema of DuckDB."""
    for stream in ("sales", "subscriptions"):
        lines = source.table(f"{schema}.{stream}")
        types = (TYPES.get(str(type_), str(type_)) for type_ in lines.types)
        definitions = ", ".join(map(" ".join, zip(lines.columns, types, strict=True)))
        cursor.execute(f"create or replace table models.{stream} ({definitions})")
        values = ", ".join(f"({', '.join(map(literal, line))})" for line in lines.fetchall())
        cursor.execute(f"insert into models.{stream} values {values}")


def literal(value: object) -> str:
    """Return a value as SQL."""
    if value is None:
        return "null"
    if isinstance(value, str | date):
        text = str(value).replace("'", "''")
        return f"'{text}'"
    return str(value)


def patch_fakesnow() -> None:
    """Replace what differs from Snowflake: sums of numbers as floats, and temporary views."""
    fakesnow.transforms.numeric_agg_implicit_cast = lambda expression: expression
    execute = FakeSnowflakeCursor.execute

    def execute_without_temporary(
        self: FakeSnowflakeCursor, command: str, *arguments: object, **options: object
    ) -> FakeSnowflakeCursor:
        # DuckDB has temporary views in no schema.
        return execute(self, re.sub(r"temporary\s+view", "view", command), *arguments, **options)

    FakeSnowflakeCursor.execute = execute_without_temporary


def main(database: str, profiles: str, marts: str) -> None:
    """Build the models of each schema."""
    patch_fakesnow()
    with fakesnow.patch(db_path=profiles), duckdb.connect(database) as source:
        for schema in ("first", "second"):
            with snowflake.connector.connect(
                database="warehouse", schema="models", account="fakesnow"
            ) as connection:
                load(connection.cursor(), source, schema)
                connection.commit()
            result = dbtRunner().invoke(
                [
                    "--warn-error",
                    "build",
                    f"--project-dir={Path(__file__).parents[3] / 'transform'}",
                    f"--profiles-dir={profiles}",
                    f"--target-path={Path(profiles) / 'target'}",
                    f"--log-path={Path(profiles) / 'target'}",
                    # In the same schema: `show objects` of fakesnow lists no other.
                    '--vars={"amazon_appstore_schema": "models"}',
                ]
            )
            if not result.success:
                sys.exit(1)
    export(Path(profiles) / "WAREHOUSE.db", marts)


def export(warehouse: Path, marts: str) -> None:
    """Copy the marts to a file that older versions of DuckDB can read."""
    with duckdb.connect(warehouse) as connection:
        connection.execute(f"attach '{marts}' as marts (storage_version 'v1.0.0')")
        connection.execute("create schema marts.models")
        for (name,) in connection.execute("show tables from models").fetchall():
            if name.lower().startswith("amazon_"):
                connection.execute(f"create table marts.models.{name} as from models.{name}")


if __name__ == "__main__":
    main(*sys.argv[1:])
