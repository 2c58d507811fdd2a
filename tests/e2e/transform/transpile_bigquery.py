"""Compile the models for BigQuery, transpile them to DuckDB and run them there.

Runs in an environment with dbt-bigquery and sqlglot: `transpile_bigquery.py DATABASE PROFILES`, where
`DATABASE` is a file of DuckDB with the schema `raw_tables`. Models and tests become tables of the schema
`models`; of a test these are the rows that fail.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import sqlglot
from dbt.adapters.base.impl import BaseAdapter
from dbt.adapters.bigquery.impl import BigQueryAdapter
from dbt.cli.main import dbtRunner
from sqlglot import exp

if TYPE_CHECKING:
    from dbt.adapters.base.column import Column
    from dbt.adapters.base.relation import BaseRelation

# The types that BigQuery reports for the types of the raw tables.
TYPES = {
    "VARCHAR": "STRING",
    "BIGINT": "INT64",
    "DOUBLE": "FLOAT64",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMP",
    "BOOLEAN": "BOOL",
}

# Functions that sqlglot leaves as they are.
FUNCTIONS = "create macro farm_fingerprint(text) as cast(hash(text) >> 2 as bigint)"


def replace_adapter(connection: duckdb.DuckDBPyConnection) -> None:
    """Let the adapter find the tables of DuckDB, so that it needs no connection."""
    tables: dict[str, list[tuple[str, str]]] = {}
    for table, column, type_ in connection.execute(
        "select table_name, column_name, data_type from information_schema.columns "
        "where table_schema = 'raw_tables' order by ordinal_position"
    ).fetchall():
        tables.setdefault(table, []).append((column, TYPES.get(type_, type_)))

    def list_relations(self: BaseAdapter, schema: BaseRelation) -> list[BaseRelation]:
        if schema.schema != "raw_tables":
            return []
        return [
            self.Relation.create(
                database=schema.database,
                schema="raw_tables",
                identifier=table,
                type="table",
                quote_policy=self.config.quoting,
            )
            for table in tables
        ]

    def get_columns(self: BaseAdapter, relation: BaseRelation) -> list[Column]:
        return [self.Column(*column) for column in tables[relation.identifier]]

    BigQueryAdapter.list_relations_without_caching = list_relations
    BigQueryAdapter.get_columns_in_relation = get_columns
    BigQueryAdapter.get_relation = BaseAdapter.get_relation


def transpile(sql: str) -> str:
    """Return SQL of DuckDB for SQL of BigQuery."""
    tree = sqlglot.parse_one(sql, read="bigquery")
    for type_ in tree.find_all(exp.DataType):
        # BigQuery's numeric has nine decimals, DuckDB's three.
        if type_.is_type("decimal") and not type_.expressions:
            type_.replace(exp.DataType.build("decimal(28, 6)"))
    transpiled: str = tree.sql("duckdb")
    return transpiled


def main(database: str, profiles: str) -> None:
    """Compile the package, and run what is compiled in the order of its dependencies."""
    connection = duckdb.connect(database)
    connection.execute("set timezone = 'UTC'")
    connection.execute(FUNCTIONS)
    connection.execute("create schema models")
    replace_adapter(connection)
    target = Path(profiles) / "target"
    result = dbtRunner().invoke(
        [
            "--no-populate-cache",
            "compile",
            f"--project-dir={Path(__file__).parents[3] / 'transform'}",
            f"--profiles-dir={profiles}",
            f"--target-path={target}",
            f"--log-path={target}",
            '--vars={"amazon_appstore_schema": "raw_tables"}',
        ]
    )
    if not result.success:
        sys.exit(1)
    nodes = json.loads((target / "manifest.json").read_text(encoding="utf-8"))["nodes"]
    waiting = {
        key: node for key, node in nodes.items() if node["resource_type"] in ("model", "test")
    }
    while waiting:
        for key, node in list(waiting.items()):
            if waiting.keys() & set(node["depends_on"]["nodes"]):
                continue
            del waiting[key]
            if node.get("compiled"):
                sql = transpile(node["compiled_code"])
                connection.execute(f'create table models."{node["name"]}" as {sql}')


if __name__ == "__main__":
    main(*sys.argv[1:])
