"""The main job: Meltano runs the tap and target-postgres into a real PostgreSQL."""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
import shutil
import subprocess
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from ruamel.yaml import YAML

from sandbox import make_csv
from tests.data import MONTH, NEXT_MONTH, publish, sale, subscription

if TYPE_CHECKING:
    from sandbox import Account, Sandbox

PROJECT = Path(__file__).parents[2]
# All columns that come from the tap; target-postgres adds when and from where it loaded a row.
COLUMNS = {
    name: ", ".join(
        json.loads((PROJECT / "tap_amazon_appstore/schemas" / f"{name}.json").read_text("utf-8"))[
            "properties"
        ]
    )
    for name in ("sales", "subscriptions")
}
STATE_ID = "dev:tap-amazon-appstore-to-target-postgres"
MELTANO = Path(sysconfig.get_path("scripts"), "meltano")

# One worker installs the plugins and starts the server, for all of these tests.
pytestmark = pytest.mark.xdist_group("postgres")


@dataclass(frozen=True)
class Warehouse:
    """A PostgreSQL database."""

    uri: str

    @property
    def sqlalchemy_url(self) -> str:
        """What target-postgres takes."""
        return self.uri.replace("postgresql:", "postgresql+psycopg:")

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        with psycopg.connect(self.uri) as connection:
            return connection.execute(sql).fetchall()

    def types(self, schema: str, table: str) -> dict[str, str]:
        """Return the type of each column of a table."""
        return dict(
            self.query(
                "select column_name, data_type from information_schema.columns "
                f"where table_schema = '{schema}' and table_name = '{table}'"
            )
        )


@pytest.fixture(scope="module")
def warehouse(postgres_uri: str) -> Warehouse:
    return Warehouse(postgres_uri)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, warehouse: Warehouse) -> Project:
    """A project of a user, with two linked accounts, and its plugins installed."""
    yaml = YAML()
    definition = yaml.load(PROJECT / "meltano.yml")
    (tap,) = definition["plugins"]["extractors"]
    tap["pip_url"] = f"-e {PROJECT}"
    directory = tmp_path_factory.mktemp("project")
    batch_config = {
        "encoding": {"format": "jsonl", "compression": "gzip"},
        "storage": {"root": (directory / "batches").as_uri()},
    }
    definition["plugins"]["extractors"] += [
        {"name": "second-account", "inherit_from": tap["name"], "load_schema": "second_account"},
        {
            "name": "in-batches",
            "inherit_from": tap["name"],
            "load_schema": "in_batches",
            "config": {"batch_config": batch_config},
        },
    ]
    yaml.dump(definition, directory / "meltano.yml")
    for package in ("transform", "dashboard"):
        made = shutil.ignore_patterns("target", "logs", "__pycache__")
        shutil.copytree(PROJECT / package, directory / package, ignore=made)
    project = Project(directory, warehouse, directory / "states.db")
    project.meltano(
        "install",
        "tap-amazon-appstore",
        "second-account",
        "in-batches",
        "target-postgres",
        "dbt",
        "dashboard",
    )
    return project


@pytest.fixture
def project(installed: Project, tmp_path: Path) -> Project:
    """The project, with no states yet."""
    states = tmp_path / "states.db"
    shutil.copy(installed.states, states)
    return replace(installed, states=states)


@dataclass(frozen=True)
class Project:
    """A Meltano project."""

    directory: Path
    warehouse: Warehouse
    states: Path
    """The file in which Meltano keeps the states."""

    def run(
        self,
        account: Account,
        plugin: str = "tap-amazon-appstore",
        *options: str,
        **environment: str,
    ) -> str:
        """Run a pipeline, by default over two months, and return what it logged."""
        environment = self.settings(account, plugin) | environment
        return self.meltano("run", *options, plugin, "target-postgres", **environment)

    def settings(self, account: Account, plugin: str = "tap-amazon-appstore") -> dict[str, str]:
        """Return what leads a pipeline from an account into the warehouse."""
        prefix = plugin.replace("-", "_").upper()
        settings = {
            **account.settings,
            "start_date": MONTH.isoformat(),
            "end_date": NEXT_MONTH.isoformat(),
        }
        return {
            **{f"{prefix}_{name.upper()}": value for name, value in settings.items()},
            "TARGET_POSTGRES_SQLALCHEMY_URL": self.warehouse.sqlalchemy_url,
        }

    def copied_to(self, directory: Path) -> Project:
        """Return the same project in another folder, with the same states.

        Runs side by side in one folder would overwrite each other's catalog.
        """
        shutil.copytree(self.directory, directory, symlinks=True)
        return replace(self, directory=directory)

    def meltano(self, *arguments: str, **environment: str) -> str:
        """Run a Meltano command that is expected to succeed, and return what it logged."""
        done = subprocess.run(
            [MELTANO, *arguments],
            cwd=self.directory,
            env={
                **os.environ,
                "MELTANO_DATABASE_URI": f"sqlite:///{self.states}",
                "MELTANO_HUB_URL": "http://127.0.0.1:9",  # all plugins stand in meltano.yml
                **environment,
            },
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr


def test_reports_arrive_typed_and_to_the_cent(
    sandbox: Sandbox, project: Project, warehouse: Warehouse
) -> None:
    account = sandbox.add_account()
    amounts = [Decimal(n) / 100 for n in (-499, 10, 20, 1, 999999999999999)]
    rows = [
        sale(Transaction_Id=str(number), Sales_Price=str(amount), Usage_Time="1.5")
        for number, amount in enumerate(amounts)
    ]
    account.put_report("sales", MONTH, make_csv(rows))
    account.put_report("subscription", MONTH, make_csv([subscription()]))

    project.run(account, TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA="typed")

    ((count, total, units),) = warehouse.query(
        "select count(*), sum(sales_price), sum(units) from typed.sales"
    )
    assert (count, total, units) == (5, sum(amounts), 5)
    types = warehouse.types("typed", "sales")
    assert types["sales_price"] == types["estimated_earnings"] == types["usage_time"] == "numeric"
    assert types["units"] == "bigint"
    assert types["adjustment"] == "boolean"
    assert types["report_month"] == types["transaction_date"] == "date"
    assert types["transaction_at"] == types["report_last_modified"] == "timestamp without time zone"
    assert warehouse.query(
        "select date, active, started, ended, refunded from typed.subscriptions"
    ) == [(date(2024, 3, 29), 7261, 163, 162, 1)]
    assert warehouse.types("typed", "subscriptions")["date"] == "date"


def test_batches_load_what_records_load(
    sandbox: Sandbox, project: Project, warehouse: Warehouse
) -> None:
    account = sandbox.add_account()
    rows = [
        sale(Transaction_Id=str(number), Sales_Price=price, Title=title)
        for number, (price, title) in enumerate([("0.10", 'Ludo "2"'), ("-4.99", ""), ("", "टैप")])
    ]
    account.put_report("sales", MONTH, make_csv(rows))
    account.put_report("sales", NEXT_MONTH, make_csv([{**sale(Transaction_Id="9"), "New": "x"}]))
    account.put_report("subscription", MONTH, make_csv([subscription()]))

    project.run(account, TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA="in_records")
    project.run(account, "in-batches")

    for stream in ("sales", "subscriptions"):
        loaded, expected = (
            warehouse.query(f"select {COLUMNS[stream]} from {schema}.{stream} order by line_id")
            for schema in ("in_batches", "in_records")
        )
        assert loaded == expected
        assert loaded
        assert warehouse.types("in_batches", stream) == warehouse.types("in_records", stream)
    assert list(project.directory.glob("batches/*.jsonl.gz"))


def test_the_job_ends_with_the_models_built_and_the_page_written(
    sandbox: Sandbox, project: Project, warehouse: Warehouse
) -> None:
    account = sandbox.add_account()
    prices = [Decimal("1.99"), Decimal("4.99")]
    rows = [
        sale(Transaction_Id=str(number), Sales_Price=str(price))
        for number, price in enumerate(prices)
    ]
    account.put_report("sales", MONTH, make_csv(rows))
    account.put_report("subscription", MONTH, make_csv([subscription()]))
    parts = psycopg.conninfo.conninfo_to_dict(warehouse.uri)
    names = ("host", "port", "user", "password", "dbname")
    server = {f"DBT_POSTGRES_{name.upper()}": str(parts[name]) for name in names if name in parts}

    log = project.meltano("run", "appstore", **project.settings(account), **server)

    assert not re.search(r"WARN=[^0]|ERROR=[^0]", log)
    assert warehouse.query(
        "select sum(gross_sales), sum(report_lines) "
        "from amazon_appstore.amazon_appstore__overview_report"
    ) == [(sum(prices), 2)]
    assert warehouse.query(
        "select active from amazon_appstore.amazon_appstore__subscription_report"
    ) == [(7261,)]
    page = (project.directory / "output" / "amazon_appstore.html").read_text(encoding="utf-8")
    packed = page.partition('id="data">')[2].partition("<")[0]
    data = json.loads(gzip.decompress(base64.b64decode(packed)), parse_float=Decimal)
    assert "amazon_appstore.html" in log
    assert sum(data["tables"]["sales"]["columns"]["gross_sales"]) == sum(prices)


def test_a_restated_month_is_updated_and_its_withdrawn_rows_are_found(
    sandbox: Sandbox, project: Project, warehouse: Warehouse
) -> None:
    account = sandbox.add_account()
    schema = {"TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA": "restated"}
    rows = [sale(Transaction_Id=str(number)) for number in range(4)]
    account.put_report("sales", MONTH, make_csv(rows))
    project.run(account, **schema)

    corrected = [{**row, "Sales Price": "1.10"} for row in (rows[2], rows[0], rows[1])]
    account.put_report("sales", MONTH, make_csv(corrected))
    project.run(account, **schema)

    assert warehouse.query("select count(*), sum(sales_price) from restated.sales") == [
        (4, Decimal("3.30") + Decimal("4.99"))
    ]
    withdrawn = warehouse.query(
        f"select transaction_id from ({withdrawn_rows('restated')}) as withdrawn"
    )
    assert withdrawn == [("3",)]

    # Once more, with nothing changed: the tables stay as they are.
    before = warehouse.query("select * from restated.sales order by line_id")
    project.run(account, **schema)
    assert warehouse.query("select * from restated.sales order by line_id") == before


def withdrawn_rows(schema: str) -> str:
    """Return the query of docs/state.md, for a schema."""
    text = (PROJECT / "docs" / "state.md").read_text(encoding="utf-8")
    (query,) = re.findall(r"<!-- withdrawn -->\n```sql\n(.*?)```", text, re.DOTALL)
    return f"with sales as (select * from {schema}.sales) {query}"


def test_a_run_that_failed_is_resumed(
    sandbox: Sandbox, project: Project, warehouse: Warehouse
) -> None:
    # An account that may not read earnings, which Meltano must not select.
    account = sandbox.add_account(reports={"sales", "subscription"})
    account.put_report("sales", MONTH, make_csv([sale()]))
    account.put_report("sales", NEXT_MONTH, "no,report\n1,2\n")
    schema = {"TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA": "resumed"}
    with pytest.raises(AssertionError, match="sales 2024-04: "):
        project.run(account, **schema)
    assert warehouse.query("select report_month from resumed.sales") == [(MONTH,)]

    account.put_report("sales", NEXT_MONTH, make_csv([sale(Transaction_Id="2")]))
    project.run(account, **schema)

    months = warehouse.query("select report_month from resumed.sales order by 1")
    assert months == [(MONTH,), (NEXT_MONTH,)]


def test_two_linked_accounts_keep_their_states_apart(
    sandbox: Sandbox, project: Project, warehouse: Warehouse
) -> None:
    first, second = sandbox.add_account(), sandbox.add_account()
    first.put_report("sales", MONTH, make_csv([sale(Transaction_Id="1")]))
    second.put_report("sales", MONTH, make_csv([sale(Transaction_Id="2")]))

    project.run(first, TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA="first_account")
    project.run(second, plugin="second-account")

    assert warehouse.query("select transaction_id from first_account.sales") == [("1",)]
    assert warehouse.query("select transaction_id from second_account.sales") == [("2",)]
    states = project.meltano("state", "list")
    assert STATE_ID in states
    assert "dev:second-account-to-target-postgres" in states


def test_shards_side_by_side_and_a_daily_run_give_the_table_of_one_long_run(
    sandbox: Sandbox, project: Project, warehouse: Warehouse, tmp_path: Path
) -> None:
    account = sandbox.add_account()
    months = [date(2024, month, 1) for month in range(1, 7)]
    publish(account, *months)
    whole = {
        "TAP_AMAZON_APPSTORE_START_DATE": "2024-01-01",
        "TAP_AMAZON_APPSTORE_END_DATE": "2024-06-30",
    }
    project.run(account, **whole, TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA="long_run")

    # The last month is new when the shards are done.
    newest = account.get_report("sales", months[-1])
    assert newest is not None
    account.remove_report("sales", months[-1])
    schema = {"TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA": "sharded"}

    def run_shard(name: str, first: str, last: str) -> None:
        project.copied_to(tmp_path / name).run(
            account,
            "tap-amazon-appstore",
            f"--state-id-suffix={name}",
            **schema,
            TAP_AMAZON_APPSTORE_START_DATE=first,
            TAP_AMAZON_APPSTORE_END_DATE=last,
        )

    # The first one alone: targets that create the same table at the same moment collide.
    run_shard("january", "2024-01-01", "2024-01-31")
    with ThreadPoolExecutor() as pool:
        runs = [
            pool.submit(run_shard, "winter", "2024-02-01", "2024-03-31"),
            pool.submit(run_shard, "spring", "2024-04-01", "2024-05-31"),
        ]
        for run in runs:
            run.result()
    account.put_report("sales", months[-1], newest)
    project.meltano("state", "copy", "--force", f"{STATE_ID}:spring", STATE_ID)
    account.requests.clear()
    project.run(account, **whole, **schema)

    table = "select line_id, report_month, transaction_id, sales_price from {}.sales order by 1"
    assert warehouse.query(table.format("sharded")) == warehouse.query(table.format("long_run"))
    asked = {r.month for r in account.requests if r.service == "api" and r.report == "sales"}
    assert asked == set(months[2:])
