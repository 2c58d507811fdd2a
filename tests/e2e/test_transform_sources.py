"""The dbt package reads what loaders create: other types and names, several accounts, missing tables."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import duckdb
import pytest

from tests.e2e.environments import command, dbt_environment
from tests.e2e.transform.rows import Row, deliveries, sale, subscription
from tests.e2e.transform.warehouses import Build, DuckDB, columns

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.e2e.transform.warehouses import Warehouse


# One worker builds dbt's environment.
pytestmark = pytest.mark.xdist_group("transform")

STREAMS = ("sales", "subscriptions", "earnings")
TIME = datetime(2024, 3, 16, 6)  # noqa: DTZ001 - as warehouses have it
MONTH = date(2024, 3, 1)

# What a loader makes of a column, as SQL, by the type in the stream's schema.
LOADERS: dict[str, dict[str, str]] = {
    # target-duckdb, target-sqlite
    "floats": {
        "number": "cast({} as double)",
        "integer": "cast({} as hugeint)",
        "boolean": "cast({} as bigint)",
        "date": "strftime({}, '%Y-%m-%d')",
        "date-time": "strftime({}, '%Y-%m-%dT%H:%M:%S+00:00')",
    },
    # target-csv; use_singer_decimal where a target has no decimals
    "text": {
        "string": "coalesce({}, '')",
        "number": "coalesce(cast({} as varchar), '')",
        "integer": "coalesce(cast({} as varchar), '')",
        "boolean": "coalesce(cast({} as varchar), '')",
        "date": "coalesce(strftime({}, '%Y-%m-%dT00:00:00'), '')",
        "date-time": "coalesce(strftime({}, '%Y-%m-%d %H:%M:%S.000'), '')",
    },
    "zoned": {"date-time": "timezone('UTC', {})", "date": "cast({} as timestamp)"},
}


class Accounts(NamedTuple):
    """A warehouse with several accounts, after a build."""

    warehouse: DuckDB
    build: Build
    variables: dict[str, Any]

    marts: dict[str, dict[str, Counter[tuple[Any, ...]]]]
    """The rows of each mart and account, without the account's name and the fingerprint."""

    def rows(self, mart: str, account: str) -> Counter[tuple[Any, ...]]:
        """Return the rows of an account."""
        return self.marts[mart].get(account, Counter())


@pytest.fixture(scope="module")
def accounts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Accounts:
    """Accounts with the same reports, loaded in different ways, and some with less."""
    dbt = command(dbt_environment(request), "dbt")
    warehouse = DuckDB([dbt], tmp_path_factory.mktemp("sources"), "sources")
    first, second = deliveries()
    _load(warehouse, "typed", {"sales": _merge(first, second), **_other_reports()})
    _load(warehouse, "older", {"sales": first, **_other_reports()})
    for loader, casts in LOADERS.items():
        _copy(warehouse, "typed", loader, casts)
    _share(warehouse, typed="one", older="two")
    _load(warehouse, "only_subscriptions", {"subscriptions": _other_reports()["subscriptions"]})
    _load(warehouse, "only_sales", {"sales": _merge(first, second)})
    _load(warehouse, "faulty", {"sales": _faulty_sales()})
    schemas = ("typed", "older", *LOADERS, "only_subscriptions", "only_sales", "faulty", "missing")
    variables: dict[str, Any] = {
        "amazon_appstore_sources": [
            *({"name": f"account of {schema}", "schema": schema} for schema in schemas),
            {"schema": "shared"},
        ],
        "amazon_appstore_account_column": "account",
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "America/Los_Angeles")
        build = warehouse.build(allow_warnings=True, **variables)
    return Accounts(warehouse, build, variables, _marts(warehouse, build))


def _marts(warehouse: DuckDB, build: Build) -> dict[str, dict[str, Counter[tuple[Any, ...]]]]:
    marts: dict[str, dict[str, Counter[tuple[Any, ...]]]] = {}
    with duckdb.connect(warehouse._path) as connection:
        for mart in build.names("model"):
            if not mart.startswith("amazon_appstore__") or mart.endswith("time_spine"):
                continue
            rows = connection.table(f"sources.{mart}").filter("true")
            if "report_fingerprint" in rows.columns:
                rows = rows.project("* exclude (report_fingerprint)")
            assert rows.columns[0] == "source_relation"
            marts[mart] = {}
            for account, *row in rows.fetchall():
                marts[mart].setdefault(account, Counter())[tuple(row)] += 1
    return marts


def _merge(*parts: Sequence[Row]) -> list[Row]:
    return list({row["line_id"]: row for rows in parts for row in rows}.values())


def _other_reports() -> dict[str, list[Row]]:
    return {
        "subscriptions": [subscription(f"day-{day}", date(2024, 3, day)) for day in range(1, 20)],
        "earnings": [
            {
                "line_id": f"{period}-{currency}",
                "report_month": date(2023, 1, 1),
                "report_last_modified": TIME,
                "report_period": period,
                "earnings_period_start_date": date(2023, 5, 1),
                "earnings_pre_tax_and_adjustments": Decimal("1234.56"),
                "earnings_pre_tax_and_adjustments_currency": currency,
                "payment_status": "Issued",
            }
            for period in ("2023", "2023-05")
            for currency in ("USD", "EUR")
        ],
    }


def _faulty_sales() -> list[Row]:
    """Return a month with unread cells, and one whose newest file has a third of the lines."""
    unread: Row = {"sales_price": None, "_rescued_data": '{"Sales Price": "1,99 EUR"}'}
    rescued: Row = {"_rescued_data": '{"Some New Column": "x"}'}
    return [
        sale("unread-1", date(2024, 1, 5), **unread),
        sale("unread-2", date(2024, 1, 6), **unread),
        sale("rescued", date(2024, 1, 6), **rescued),
        sale("new", date(2024, 2, 6), report_last_modified=TIME),
        *(sale(f"old-{number}", date(2024, 2, 7)) for number in range(2)),
    ]


def _load(warehouse: DuckDB, schema: str, reports: Mapping[str, Sequence[Row]]) -> None:
    with duckdb.connect(warehouse._path) as connection:
        connection.execute(f"create schema {schema}")
        for stream, rows in reports.items():
            types = columns(stream)
            definitions = ", ".join(f"{name} {DuckDB.types[types[name]]}" for name in types)
            connection.execute(f"create table {schema}.{stream} ({definitions})")
            marks = ", ".join(["?"] * len(types))
            connection.begin()
            connection.executemany(
                f"insert into {schema}.{stream} values ({marks})",
                [tuple(row.get(name) for name in types) for row in rows],
            )
            connection.commit()


def _copy(warehouse: DuckDB, source: str, schema: str, casts: Mapping[str, str]) -> None:
    """Copy an account into other types, with column names in upper case."""
    warehouse.execute(f"create schema {schema}")
    for stream in STREAMS:
        selected = ", ".join(
            f'{casts.get(type_, "{}").format(name)} as "{name.upper()}"'
            for name, type_ in columns(stream).items()
        )
        warehouse.execute(
            f"create table {schema}.{stream} as select {selected} from {source}.{stream}"
        )


def _share(warehouse: DuckDB, **names: str) -> None:
    """Copy accounts into one table, told apart by a column."""
    warehouse.execute("create schema shared")
    for stream in STREAMS:
        selects = (
            f"select *, '{name}' as account from {schema}.{stream}"
            for schema, name in names.items()
        )
        warehouse.execute(f"create table shared.{stream} as {' union all '.join(selects)}")


def test_only_faulty_inputs_are_reported(accounts: Accounts) -> None:
    failures = {
        result["unique_id"].split(".")[2]: result["failures"]
        for result in accounts.build.results
        if result["status"] not in ("success", "pass", "no-op")
    }
    assert failures == {"assert_values_are_read": 2, "assert_no_report_is_cut_short": 1}


@pytest.mark.parametrize("account", [f"account of {loader}" for loader in LOADERS] + ["one"])
def test_marts_do_not_depend_on_the_loader(accounts: Accounts, account: str) -> None:
    for mart in accounts.marts:
        rows = accounts.rows(mart, "account of typed")
        assert rows
        assert accounts.rows(mart, account) == rows, mart


def test_accounts_in_one_table_have_months_of_their_own(accounts: Accounts) -> None:
    for mart in accounts.marts:
        assert accounts.rows(mart, "two") == accounts.rows(mart, "account of older"), mart


def test_missing_tables_leave_empty_marts(accounts: Accounts) -> None:
    def filled(account: str) -> set[str]:
        return {mart for mart in accounts.marts if accounts.rows(mart, account)}

    both = {"amazon_appstore__last_days", "amazon_appstore__report_months"}
    of_subscriptions = {
        "amazon_appstore__marketplace_report",
        "amazon_appstore__subscription_report",
    }
    assert filled("account of missing") == set()
    assert filled("account of only_subscriptions") == both | of_subscriptions
    # A conversion is known from sales; what Amazon counts is not.
    only_sales = set(accounts.marts) - {"amazon_appstore__marketplace_report"}
    assert filled("account of only_sales") == only_sales
    for mart in ("overview_report", "mrr", "subscriber_cohorts"):
        name = f"amazon_appstore__{mart}"
        assert accounts.rows(name, "account of only_sales") == accounts.rows(
            name, "account of typed"
        )


def test_metrics_are_computed_from_columns_of_the_marts(accounts: Accounts) -> None:
    manifest = accounts.build.manifest
    for model in manifest["semantic_models"].values():
        measures = ", ".join(f"sum({measure['expr']})" for measure in model["measures"])
        dimensions = ", ".join(dimension["name"] for dimension in model["dimensions"])
        table = model["node_relation"]["alias"]
        sql = f"select {dimensions}, {measures} from sources.{table} group by {dimensions}"
        assert accounts.warehouse.execute(sql)
    names = {
        metric["name"].removeprefix("amazon_appstore_") for metric in manifest["metrics"].values()
    }
    assert names >= {
        "downloads",
        "net_sales",
        "estimated_earnings",
        "mrr",
        "active_subscriptions",
        "gross_mrr_churn_rate",
    }


@pytest.mark.slow
@pytest.mark.parametrize(("age", "code", "word"), [(1, 0, "PASS"), (4, 0, "WARN"), (8, 1, "STALE")])
def test_the_newest_report_is_fresh_or_stale(
    make_warehouse: Callable[[str, str], Warehouse], age: int, code: int, word: str
) -> None:
    warehouse = make_warehouse("duckdb", f"aged_{age}")
    warehouse.create(*STREAMS)
    written = datetime.now(timezone.utc).replace(tzinfo=None) - timedelta(days=age)
    warehouse.load("sales", [sale("a", written.date()) | {"report_last_modified": written}])

    done = warehouse.run("source", "freshness")

    assert done.returncode == code
    assert word in done.stdout


# The last tests, because they change the warehouse.


def test_increments_see_changed_cells(accounts: Accounts) -> None:
    warehouse = accounts.warehouse
    change = "update typed.sales set sales_price = sales_price + 1 where line_id = 'item-3'"
    warehouse.execute(change)
    kept = "country_report", "int_amazon_appstore__sales_daily"
    models = [
        f"--select=+amazon_appstore__{mart}" for mart in ("overview_report", "country_report")
    ]
    for table, column in zip(kept, ("app_platform", "item_name"), strict=True):
        warehouse.execute(f"update {warehouse.table(table)} set {column} = 'kept'")
    warehouse.build(*models, command="run", allow_warnings=True, **accounts.variables)
    figures = "source_relation, date_month, currency, sum(net_sales), sum(report_lines)"
    reports = [
        set(warehouse.execute(f"select {figures} from {warehouse.table(mart)} group by all"))
        for mart in ("overview_report", "country_report")
    ]
    assert reports[0] == reports[1]
    months = f"select distinct source_relation, date_month from {warehouse.table(kept[0])}"
    assert warehouse.execute(f"{months} where app_platform <> 'kept'") == [
        ("account of typed", date(2022, 11, 1))
    ]


@pytest.mark.slow
def test_increments_see_changed_variables(accounts: Accounts) -> None:
    warehouse = accounts.warehouse
    sales = warehouse.table("country_report")
    warehouse.execute(f"update {sales} set app_platform = 'kept'")
    warehouse.build(
        "--select=+amazon_appstore__country_report",
        command="run",
        allow_warnings=True,
        **{**accounts.variables, "amazon_appstore_lag_days": 3},
    )
    assert warehouse.execute(f"select * from {sales} where app_platform = 'kept'") == []
