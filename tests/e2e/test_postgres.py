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
from datetime import date, datetime, timezone
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from ruamel.yaml import YAML

from sandbox import make_csv
from tests.conftest import Tap
from tests.data import MONTH, NEXT_MONTH, publish, sale, subscription

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sandbox import Account, Sandbox

PROJECT = Path(__file__).parents[2]
SCHEMAS = {
    name: json.loads((PROJECT / "tap_amazon_appstore/schemas" / f"{name}.json").read_text("utf-8"))[
        "properties"
    ]
    for name in ("sales", "subscriptions")
}
STATE_ID = "dev:tap-amazon-appstore-to-target-postgres"
MELTANO = Path(sysconfig.get_path("scripts"), "meltano")

# One worker installs the plugins and starts the server, for all of these tests.
pytestmark = [pytest.mark.xdist_group("postgres"), pytest.mark.unlimited]


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

    def execute(self, sql: str) -> None:
        """Run a statement."""
        with psycopg.connect(self.uri) as connection:
            connection.execute(sql)

    def rows(self, schema: str, stream: str) -> list[tuple[Any, ...]]:
        """Return the columns that come from the tap, without those that the target adds."""
        return self.query(f"select {', '.join(SCHEMAS[stream])} from {schema}.{stream} order by 1")

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
    """A database whose sessions are not in UTC."""
    warehouse = Warehouse(postgres_uri)
    database = psycopg.conninfo.conninfo_to_dict(postgres_uri)["dbname"]
    warehouse.execute(f"alter database {database} set timezone = 'America/Los_Angeles'")
    return warehouse


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

    def load(
        self,
        account: Account,
        schema: str,
        *options: str,
        start_date: date = MONTH,
        end_date: date = NEXT_MONTH,
        code: int = 0,
    ) -> str:
        """Load an account's sales into a schema, expect an exit code, and return the log."""
        environment = {
            **self.settings(account, start_date=start_date, end_date=end_date),
            "TAP_AMAZON_APPSTORE__LOAD_SCHEMA": schema,
            # At three requests a second, the months of another stream take their time.
            "TAP_AMAZON_APPSTORE__SELECT": '["sales.*"]',
        }
        arguments = ("run", *options, "tap-amazon-appstore", "target-postgres")
        return self.meltano(*arguments, env=environment, code=code)

    def settings(
        self,
        account: Account,
        plugin: str = "tap-amazon-appstore",
        start_date: date = MONTH,
        end_date: date = NEXT_MONTH,
    ) -> dict[str, str]:
        """Return what leads a pipeline from an account into the warehouse."""
        prefix = plugin.replace("-", "_").upper()
        settings = {
            **account.settings,
            "start_date": start_date.isoformat(),
            "end_date": end_date.isoformat(),
        }
        return {
            **{f"{prefix}_{name.upper()}": value for name, value in settings.items()},
            "TARGET_POSTGRES_SQLALCHEMY_URL": self.warehouse.sqlalchemy_url,
        }

    def copied_to(self, directory: Path) -> Project:
        """Return the same project in another folder, with the same states.

        Runs side by side in one folder would overwrite each other's catalog. The plugins are
        linked.
        """
        (directory / ".meltano").mkdir(parents=True)
        shutil.copy(self.directory / "meltano.yml", directory)
        for kind in ("extractors", "loaders"):
            (directory / ".meltano" / kind).symlink_to(self.directory / ".meltano" / kind)
        return replace(self, directory=directory)

    def meltano(self, *arguments: str, env: Mapping[str, str] | None = None, code: int = 0) -> str:
        """Run a Meltano command, expect its exit code, and return what it printed and logged."""
        done = subprocess.run(
            [MELTANO, *arguments],
            cwd=self.directory,
            env={
                **os.environ,
                "MELTANO_DATABASE_URI": f"sqlite:///{self.states}",
                "MELTANO_HUB_URL": "http://127.0.0.1:9",  # all plugins stand in meltano.yml
                **(env or {}),
            },
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr


def test_records_and_batches_arrive_typed_and_as_emitted(
    sandbox: Sandbox, project: Project, warehouse: Warehouse, tmp_path: Path
) -> None:
    account = sandbox.add_account()
    rows = [
        sale(Transaction_Id=str(number), Sales_Price=price, Usage_Time="1.5", Title=title)
        for number, (price, title) in enumerate(
            [("-4.99", 'Ludo "2"'), ("0.1", ""), ("", "टैप"), ("9999999999999.99", "a\tb\\N")]
        )
    ]
    # Local times of which some are another day, or do not exist, in the server's time zone.
    times = ["03/10/24 02:30 UTC", "03/31/24 23:59 PDT", "03/01/24 00:00 JST", ""]
    rows += [sale(Transaction_Id=time, Transaction_Time=time) for time in times]
    account.put_report("sales", MONTH, make_csv(rows))
    odd = {**sale(Transaction_Id="NUL", Title="Smash\0em\0up"), "New": "x"}
    account.put_report("sales", NEXT_MONTH, make_csv([odd]))
    account.put_report("subscription", MONTH, make_csv([subscription()]))

    log = project.meltano(
        *("run", "tap-amazon-appstore", "target-postgres", "in-batches", "target-postgres"),
        env={**project.settings(account), "TAP_AMAZON_APPSTORE__LOAD_SCHEMA": "in_records"},
    )

    for stream, expected in emitted_rows(account, tmp_path, [MONTH, NEXT_MONTH], *SCHEMAS).items():
        assert warehouse.rows("in_records", stream) == expected
        assert warehouse.rows("in_batches", stream) == expected
        assert warehouse.types("in_batches", stream) == warehouse.types("in_records", stream)
    assert list(project.directory.glob("batches/*.jsonl.gz"))
    assert re.search(
        r"\[warning +\] tap-amazon-appstore sales 2024-04: NUL characters in 1 cell", log
    )
    types = warehouse.types("in_records", "sales")
    assert types["sales_price"] == types["estimated_earnings"] == types["usage_time"] == "numeric"
    assert types["units"] == "bigint"
    assert types["adjustment"] == "boolean"
    assert types["report_month"] == types["transaction_date"] == "date"
    assert types["transaction_at"] == types["report_last_modified"] == "timestamp without time zone"
    assert warehouse.types("in_records", "subscriptions")["date"] == "date"


def emitted_rows(
    account: Account, directory: Path, months: Sequence[date], *streams: str
) -> dict[str, list[tuple[Any, ...]]]:
    """Return the records of each stream as PostgreSQL has them: times in UTC, no NUL."""
    settings = {"start_date": months[0].isoformat(), "end_date": months[-1].isoformat()}
    run = Tap(account, directory, settings, streams).read()
    return {
        stream: sorted(
            tuple(
                None if value is None else _expected_value(value, definition)
                for value, definition in zip(record.values(), SCHEMAS[stream].values(), strict=True)
            )
            for record in run.records(stream)
        )
        for stream in streams
    }


def _expected_value(value: Any, definition: dict[str, Any]) -> object:  # noqa: ANN401
    if definition.get("format") == "date":
        return date.fromisoformat(value)
    if definition.get("format") == "date-time":
        return datetime.fromisoformat(value).astimezone(timezone.utc).replace(tzinfo=None)
    if "number" in definition["type"]:
        return Decimal(value)
    return value.replace("\0", "\N{REPLACEMENT CHARACTER}") if isinstance(value, str) else value


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

    log = project.meltano("run", "appstore", env={**project.settings(account), **server})

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


def test_an_interrupted_full_refresh_is_resumed_to_the_last_cell(
    sandbox: Sandbox, project: Project, warehouse: Warehouse, tmp_path: Path
) -> None:
    account = sandbox.add_account()
    months = [date(2024, month, 1) for month in range(1, 7)]
    publish(account, *months)
    load = partial(project.load, account, "refreshed", start_date=months[0], end_date=months[-1])
    load()

    # What the refresh is to put right is wrong in all months; one of them is restated.
    warehouse.execute("update refreshed.sales set title = null, sales_price = sales_price + 1")
    rows = [sale(Transaction_Id=f"2024-05-01-{n}", Sales_Price="1.10") for n in (3, 1)]
    account.put_report("sales", months[4], make_csv(rows))
    account.inject_fault("api-403", month=months[2], times=None)
    log = load("--full-refresh", code=1)
    assert re.search(r"\[error +\] tap-amazon-appstore sales 2024-03: ", log)

    account.faults.clear()
    load()

    # What Meltano passed on: the state of the refresh, merged into that of the first run.
    path = project.directory / ".meltano" / "run" / "tap-amazon-appstore" / "state.json"
    merged = json.loads(path.read_text(encoding="utf-8"))["bookmarks"]["sales"]
    assert merged["replication_key_value"] == "2024-02-01"
    assert {*merged["files"]} == {month.isoformat() for month in months} - {"2024-03-01"}
    withdrawn = warehouse.query(
        f"select transaction_id from ({withdrawn_rows('refreshed')}) as withdrawn"
    )
    assert withdrawn == [("2024-05-01-2",)]
    warehouse.execute("delete from refreshed.sales where transaction_id = '2024-05-01-2'")
    assert (
        warehouse.rows("refreshed", "sales")
        == emitted_rows(account, tmp_path, months, "sales")["sales"]
    )


def withdrawn_rows(schema: str) -> str:
    """Return the query of docs/state.md, for a schema."""
    text = (PROJECT / "docs" / "state.md").read_text(encoding="utf-8")
    (query,) = re.findall(r"<!-- withdrawn -->\n```sql\n(.*?)```", text, re.DOTALL)
    return f"with sales as (select * from {schema}.sales) {query}"


def test_two_linked_accounts_keep_their_states_apart(
    sandbox: Sandbox, project: Project, warehouse: Warehouse
) -> None:
    # Accounts that may not read earnings, which Meltano must not select.
    first, second = (sandbox.add_account(reports={"sales", "subscription"}) for _ in range(2))
    first.put_report("sales", MONTH, make_csv([sale(Transaction_Id="1")]))
    second.put_report("sales", MONTH, make_csv([sale(Transaction_Id="2")]))

    project.meltano(
        *("run", "tap-amazon-appstore", "target-postgres", "second-account", "target-postgres"),
        env={
            **project.settings(first),
            **project.settings(second, "second-account"),
            "TAP_AMAZON_APPSTORE__LOAD_SCHEMA": "first_account",
        },
    )

    assert warehouse.query("select transaction_id from first_account.sales") == [("1",)]
    assert warehouse.query("select transaction_id from second_account.sales") == [("2",)]
    states = project.meltano("state", "list")
    assert STATE_ID in states
    assert "dev:second-account-to-target-postgres" in states


@pytest.mark.slow
def test_shards_side_by_side_and_a_daily_run_give_the_table_of_one_long_run(
    sandbox: Sandbox, project: Project, warehouse: Warehouse, tmp_path: Path
) -> None:
    account = sandbox.add_account()
    months = [date(2024, month, 1) for month in range(1, 7)]
    # The last month is new when the shards are done.
    publish(account, *months[:-1])

    def load(name: str, first: int, last: int) -> None:
        suffix = f"--state-id-suffix={name}"
        shard = project.copied_to(tmp_path / name)
        shard.load(account, "sharded", suffix, start_date=months[first], end_date=months[last])

    # The first one alone: targets that create the same table at the same moment collide.
    load("january", 0, 0)
    with ThreadPoolExecutor() as pool:
        for run in [pool.submit(load, "winter", 1, 2), pool.submit(load, "spring", 3, 4)]:
            run.result()
    publish(account, months[-1])
    project.meltano("state", "copy", "--force", f"{STATE_ID}:spring", STATE_ID)
    account.requests.clear()
    project.load(account, "sharded", start_date=months[0], end_date=months[-1])

    asked = {r.month for r in account.requests if r.service == "api" and r.report == "sales"}
    assert asked == set(months[2:])
    long_run = emitted_rows(account, tmp_path, months, "sales")
    assert warehouse.rows("sharded", "sales") == long_run["sales"]
