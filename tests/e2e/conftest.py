"""dbt, and warehouses for it to build in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.environments import command, dbt_environment
from tests.e2e.transform.warehouses import DuckDB, Postgres, Warehouse

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(scope="module")
def make_warehouse(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, str], Warehouse]:
    """Make a warehouse of a kind whose models are in a schema of a name."""
    dbt = [command(dbt_environment(request), "dbt")]
    directory = tmp_path_factory.mktemp("warehouses")

    def make(kind: str, schema: str) -> Warehouse:
        if kind == "duckdb":
            return DuckDB(dbt, directory, schema)
        return Postgres(dbt, directory, schema, request.getfixturevalue("postgres_uri"))

    return make
