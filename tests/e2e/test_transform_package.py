"""The dbt package works as a package: from Git, in the projects and with the dbt of others."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from datetime import date
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from tests.e2e.environments import command, install
from tests.e2e.transform.rows import sale, subscription
from tests.e2e.transform.warehouses import PROJECT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.transform.rows import Row

pytestmark = pytest.mark.xdist_group("transform")

# Tests of sums, and of the grain of marts.
FIGURES = re.compile(r"adds?_up|reconcile|(?<!stg)_amazon_appstore__")

# dbt-core 1.12 requires a package that is built from a download, but runs without it.
NO_DOWNLOAD = "dbt-core-experimental-parser; python_version < '3'"
DUCKDB = f"duckdb=={duckdb.__version__}"
DBTS = {
    "oldest": ["dbt-core==1.11.0", "dbt-duckdb>=1.10,<2"],
    "newest": ["dbt-core<3", "dbt-duckdb<3"],
}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Git repository with the files of this one that dbt reads."""
    repository = tmp_path_factory.mktemp("repository")
    ignored = shutil.ignore_patterns("target", "logs", "dbt_packages", "*.duckdb")
    shutil.copytree(PROJECT, repository / PROJECT.name, ignore=ignored)
    git = partial(subprocess.run, cwd=repository, check=True, capture_output=True)
    git(["git", "init", "-q"])
    git(["git", "add", "."])
    author = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
    git(["git", *author, "commit", "-q", "-m", "Add the package"])
    return repository


class Consumer:
    """A dbt project of somebody else that has the package as a dependency."""

    def __init__(self, directory: Path, dbt: str, repository: Path) -> None:
        """Write the project's files: its own schemas, raw tables and time spine."""
        self.directory = directory
        self.dbt = dbt
        files: dict[str, dict[str, Any]] = {
            "packages.yml": {
                "packages": [
                    {
                        "git": repository.as_uri(),
                        "subdirectory": PROJECT.name,
                        "revision": "HEAD",
                        "warn-unpinned": False,
                    }
                ]
            },
            "profiles.yml": {
                "shop": {
                    "target": "dev",
                    "outputs": {
                        "dev": {
                            "type": "duckdb",
                            "path": str(directory / "warehouse.duckdb"),
                            "schema": "dbt",
                            "threads": 4,
                        }
                    },
                }
            },
            "dbt_project.yml": {
                "name": "shop",
                "profile": "shop",
                "flags": {"send_anonymous_usage_stats": False},
                "vars": {
                    "amazon_appstore_schema": "raw",
                    "amazon_appstore_sales_identifier": "appstore_sales",
                    "amazon_appstore_subscriptions_identifier": "appstore_subscriptions",
                    "amazon_appstore_time_spine": False,
                },
                "models": {"amazon_appstore": {"+schema": "appstore"}},
            },
            "models/time_spine.yml": {
                "models": [
                    {
                        "name": "metricflow_time_spine",
                        "time_spine": {"standard_granularity_column": "date_day"},
                        "columns": [{"name": "date_day", "granularity": "day"}],
                    }
                ]
            },
        }
        for name, content in files.items():
            path = directory / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps(content), encoding="utf-8")
        spine = "select cast('2024-01-01' as date) as date_day"
        (directory / "models/metricflow_time_spine.sql").write_text(spine, encoding="utf-8")

    def load(self, stream: str, rows: list[Row]) -> None:
        """Create a raw table as a loader does, of the columns that the rows have."""
        names = list(rows[0])
        with duckdb.connect(self.directory / "warehouse.duckdb") as connection:
            connection.execute("create schema if not exists raw")
            table = f"raw.appstore_{stream}"
            types = {date: "date", int: "bigint", Decimal: "decimal(38, 18)", bool: "boolean"}
            definitions = (f"{name} {types.get(type(rows[0][name]), 'varchar')}" for name in names)
            connection.execute(f"create or replace table {table} ({', '.join(definitions)})")
            marks = ", ".join(["?"] * len(names))
            values = [tuple(row[name] for name in names) for row in rows]
            connection.executemany(f"insert into {table} values ({marks})", values)

    def run(self, *arguments: str) -> list[dict[str, Any]]:
        """Run dbt, with warnings as errors, and return its results."""
        done = subprocess.run(
            [self.dbt, "--warn-error", *arguments, f"--profiles-dir={self.directory}"],
            cwd=self.directory,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        results = self.directory / "target" / "run_results.json"
        if not results.exists():
            return []
        found: list[dict[str, Any]] = json.loads(results.read_text(encoding="utf-8"))["results"]
        return found


def check_consumer(consumer: Consumer) -> None:
    """Build the package in a project, and again after a new month; check tests and tables."""
    purchases = [sale(f"item-{number}", date(2024, 1, 10)) for number in range(3)]
    consumer.load("sales", purchases)
    consumer.load("subscriptions", [subscription("day", date(2024, 1, 10))])
    consumer.run("deps")
    consumer.run("build")
    consumer.load("sales", [*purchases, sale("later", date(2024, 2, 10))])
    results = consumer.run("build")
    ids = (result["unique_id"].split(".") for result in results)
    tests = {name for kind, _, name, *_ in ids if kind == "test"}
    assert tests >= {"assert_values_are_read", "assert_no_report_is_cut_short"}
    # Tests of the package's own figures do not run.
    assert not [test for test in tests if FIGURES.search(test)]
    with duckdb.connect(consumer.directory / "warehouse.duckdb") as connection:
        rows = connection.execute(
            "select date_day, sum(net_sales) from dbt_appstore.amazon_appstore__country_report "
            "group by all order by all"
        ).fetchall()
    assert rows == [(date(2024, 1, 10), Decimal("5.97")), (date(2024, 2, 10), Decimal("1.99"))]


@pytest.mark.nox
@pytest.mark.parametrize("version", DBTS)
def test_other_projects_use_the_package(
    request: pytest.FixtureRequest, tmp_path: Path, repository: Path, version: str
) -> None:
    overrides = tmp_path / "overrides.txt"
    overrides.write_text(NO_DOWNLOAD, encoding="utf-8")
    environment = install(
        request, f"dbt-{version}", f"--override={overrides}", *DBTS[version], DUCKDB
    )
    check_consumer(Consumer(tmp_path, command(environment, "dbt"), repository))
