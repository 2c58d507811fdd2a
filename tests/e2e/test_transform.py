"""The dbt package builds the same marts in every warehouse, and they say what the reports say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.environments import command, dbt_environment, on_spark, spark_environment
from tests.e2e.transform import expected
from tests.e2e.transform.rows import Row, deliveries, sale, subscription
from tests.e2e.transform.warehouses import Build, DuckDB, Postgres, Spark, Warehouse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

# One worker makes dbt's environment and starts the server, for all tests but Spark's.
pytestmark = pytest.mark.xdist_group("transform")

# What each sales mart has beside day, app and currency, and the report's columns for it.
SALES_MARTS = {
    "overview_report": {},
    "country_report": {"country_short": "country_region_code"},
    "device_report": {"device": "device_type"},
    "product_report": {"asin": "asin", "vendor_sku": "vendor_sku", "item_type": "item_type"},
}
SERIES = ("date_day", "app_name", "asin", "vendor_sku", "currency")
MRR = ("mrr", *(f"{movement}_mrr" for movement in expected.MOVEMENTS), "subscribers")
SUBSCRIPTIONS = ("date_day", "app_name", "asin", "vendor_sku", "active", "paid_ended", "churn_rate")
FIGURES = {
    **{
        mart: ("date_day", "app_name", *dimensions, "currency", *expected.Sales._fields)
        for mart, dimensions in SALES_MARTS.items()
    },
    "subscription_report": (*SUBSCRIPTIONS, "trial_conversions", "trial_conversion_rate"),
    "mrr": (*SERIES, *MRR),
}
# Tables that grow, and a column of each that no figure depends on.
GROWING = {
    **dict.fromkeys(SALES_MARTS, "app_platform"),
    "int_amazon_appstore__sales_daily": "item_name",
    "int_amazon_appstore__mrr_movements": "subscription_name",
}
SEPTEMBER = date(2022, 9, 1)
NO_UNIT_TESTS = "--exclude-resource-type=unit_test"

Marts = dict[str, list[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def dbt(request: pytest.FixtureRequest) -> list[str]:
    """The command."""
    return [command(dbt_environment(request), "dbt")]


@pytest.fixture(scope="module")
def make(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, dbt: list[str]
) -> Callable[[str, str], Warehouse]:
    """Make a warehouse of a kind whose models are in a schema of a name."""
    directory = tmp_path_factory.mktemp("warehouses")

    def make(kind: str, schema: str) -> Warehouse:
        if kind == "duckdb":
            return DuckDB(dbt, directory, schema)
        return Postgres(dbt, directory, schema, request.getfixturevalue("postgres_uri"))

    return make


@dataclass(frozen=True)
class History:
    """A warehouse that was loaded and built twice, and what was in it each time."""

    warehouse: Warehouse
    rows: tuple[list[Row], list[Row]]
    builds: tuple[Build, Build]
    marts: tuple[Marts, Marts]
    kept: dict[str, set[date]]
    """Of each table that grows, the months whose rows the second build has not touched."""


@pytest.fixture(scope="module")
def tell(make: Callable[[str, str], Warehouse]) -> Callable[[str], History]:
    """Load and build a warehouse of a kind twice; once for all tests."""
    told: dict[str, History] = {}

    def tell(kind: str) -> History:
        if kind not in told:
            told[kind] = _history(make(kind, "history"))
        return told[kind]

    return tell


def _history(warehouse: Warehouse) -> History:
    first, second = deliveries()
    warehouse.create("sales", "subscriptions")
    warehouse.load("sales", first)
    warehouse.load("subscriptions", _subscriptions())
    first_build, first_marts = warehouse.build(NO_UNIT_TESTS), _marts(warehouse)
    _mark(warehouse)
    warehouse.load("sales", second)
    second_build = warehouse.build(NO_UNIT_TESTS)
    return History(
        warehouse,
        (first, list({row["line_id"]: row for row in [*first, *second]}.values())),
        (first_build, second_build),
        (first_marts, _marts(warehouse)),
        {table: _kept(warehouse, table) for table in GROWING},
    )


def _subscriptions() -> list[Row]:
    return [
        subscription(
            f"{day}-{kind}-{marketplace}",
            date(2024, 3, day),
            marketplace=marketplace,
            subscription_type=kind,
            active=100 + day,
            ended=day % 3,
        )
        for day in range(1, 29)
        for kind in ("trial", "paid")
        for marketplace in ("Amazon.com", "Amazon.de")
    ]


def _marts(warehouse: Warehouse) -> Marts:
    return {mart: warehouse.rows(mart, columns) for mart, columns in FIGURES.items()}


def _mark(warehouse: Warehouse) -> None:
    """Mark all rows, so that rows written later are told from these."""
    for table, column in GROWING.items():
        warehouse.execute(f"update {warehouse.table(table)} set {column} = 'kept'")


def _kept(warehouse: Warehouse, table: str) -> set[date]:
    """Return the months whose rows are all marked."""
    rows = warehouse.rows(table, ("date_month", GROWING[table]))
    return {month for month, _ in rows} - {month for month, mark in rows if mark != "kept"}


@pytest.fixture(params=["duckdb", "postgres"])
def history(request: pytest.FixtureRequest, tell: Callable[[str], History]) -> History:
    return tell(request.param)


def test_every_model_and_test_passes_without_warning(history: History) -> None:
    for build in history.builds:
        assert build.statuses == {"success", "pass"}
        assert set(build.names("model")) >= {f"amazon_appstore__{mart}" for mart in FIGURES}
        assert "assert_marts_add_up_to_the_report" in build.names("test")


@pytest.mark.parametrize("mart", SALES_MARTS)
@pytest.mark.parametrize("delivery", [0, 1])
def test_sales_marts_say_what_the_report_says(history: History, mart: str, delivery: int) -> None:
    columns = SALES_MARTS[mart].values()
    figures = expected.sales_by(history.rows[delivery], *columns)
    assert _by_key(history.marts[delivery][mart], 3 + len(columns)) == figures


@pytest.mark.parametrize("delivery", [0, 1])
def test_mrr_is_what_counting_day_by_day_gives(history: History, delivery: int) -> None:
    figures = expected.mrr(history.rows[delivery])
    assert _by_key(history.marts[delivery]["mrr"], len(SERIES)) == figures
    for movement in expected.MOVEMENTS:
        assert any(getattr(figure, movement) for figure in figures.values())


@pytest.mark.parametrize("delivery", [0, 1])
def test_subscriptions_are_what_counting_gives(history: History, delivery: int) -> None:
    figures = expected.subscriptions(history.rows[delivery], _subscriptions())
    assert _by_key(history.marts[delivery]["subscription_report"], 4) == figures
    assert any(figure.trial_conversions for figure in figures.values())


def _by_key(rows: Iterable[tuple[Any, ...]], width: int) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    return {row[:width]: row[width:] for row in rows}


def test_only_months_whose_files_have_changed_are_built_again(history: History) -> None:
    months = {expected.month_of(row) for row in history.rows[1]} - {SEPTEMBER}
    # February is restated, March goes on, April begins. A line of December and one of January
    # stand in February's report.
    changed = {date(2023, 12, 1), *(date(2024, month, 1) for month in (1, 2, 3, 4))}
    for table in [*SALES_MARTS, "int_amazon_appstore__sales_daily"]:
        assert history.kept[table] == months - changed
    # Movements build on those before: they are built again from a month before the first one in
    # which a subscription's line has changed, since a late renewal takes a loss back.
    movements = "int_amazon_appstore__mrr_movements"
    built = {month for (month,) in history.warehouse.rows(movements, ["date_month"])}
    assert history.kept[movements] == {month for month in built if month < date(2024, 1, 1)}


def test_a_month_whose_only_line_has_moved_is_gone(history: History) -> None:
    days = [{day for day, *_ in marts["overview_report"]} for marts in history.marts]
    assert [min(days_) for days_ in days] == [date(2022, 9, 5), date(2022, 10, 31)]


def test_a_build_without_news_writes_nothing(tell: Callable[[str], History]) -> None:
    warehouse = tell("duckdb").warehouse
    _mark(warehouse)
    warehouse.build(command="run")
    for table, column in GROWING.items():
        assert set(warehouse.rows(table, [column])) == {("kept",)}


def test_increments_end_where_a_full_build_does(tell: Callable[[str], History]) -> None:
    history = tell("duckdb")
    history.warehouse.build("--full-refresh", command="run")
    assert _marts(history.warehouse) == history.marts[1]


def test_warehouses_agree(tell: Callable[[str], History]) -> None:
    assert tell("postgres").marts == tell("duckdb").marts


# With unit tests from here on, once in each kind of warehouse.


def test_an_empty_account_has_empty_marts(make: Callable[[str, str], Warehouse]) -> None:
    warehouse = make("postgres", "empty")
    warehouse.create("sales", "subscriptions")
    build = warehouse.build()
    assert build.statuses == {"success", "pass"}
    assert len(build.names("unit_test")) > 20
    assert _marts(warehouse) == {mart: [] for mart in FIGURES}


def test_a_single_free_app_has_downloads_and_nothing_else(
    make: Callable[[str, str], Warehouse],
) -> None:
    warehouse = make("duckdb", "single")
    # Neither the subscriptions stream nor what is personal is selected.
    warehouse.create("sales")
    free: dict[str, Any] = {
        "item_type": "Application",
        "sales_price": Decimal(0),
        "estimated_earnings": Decimal(0),
    }
    warehouse.load("sales", [sale("install", date(2024, 2, 29), **free)])
    for column in ("app_user_id", "receipt_id", "digital_order_id"):
        warehouse.execute(f"alter table {warehouse.raw}.sales drop column {column}")
    build = warehouse.build()
    assert build.statuses == {"success", "pass"}
    assert len(build.names("unit_test")) > 20
    columns = ("date_day", "app_name", "currency", "downloads", "gross_sales", "report_lines")
    assert warehouse.rows("overview_report", columns) == [
        (date(2024, 2, 29), "Chess", "USD", 1, Decimal(0), 1)
    ]
    assert warehouse.rows("mrr", MRR) == []
    assert warehouse.rows("subscription_report", SUBSCRIPTIONS) == []


def test_amounts_are_converted_to_a_reporting_currency_on_request(
    make: Callable[[str, str], Warehouse],
) -> None:
    warehouse = make("duckdb", "converted")
    warehouse.create("sales")
    day, later = date(2023, 12, 20), date(2024, 1, 5)
    ten: dict[str, Any] = {"sales_price": Decimal(10)}
    monthly: dict[str, Any] = {
        "item_type": "Subscription",
        "in_app_subscription_term": "Monthly",
        **ten,
    }
    euros: dict[str, Any] = {"marketplace_currency": "EUR"}
    warehouse.load(
        "sales",
        [
            sale("dollars", day, **monthly),
            sale("euros", day, **monthly, **euros),
            sale("later", later, **ten, **euros),
            sale("unknown", later, **ten, marketplace_currency="SEK"),
        ],
    )
    rates = "amazon_appstore_exchange_rates_demo"
    build = warehouse.build(NO_UNIT_TESTS, amazon_appstore_exchange_rates=rates)
    assert build.statuses == {"success", "pass"}
    # A euro was 1.07 dollars in 2023 and 1.10 in 2024.
    assert warehouse.rows("overview_report", ("date_day", "currency", "gross_sales")) == [
        (day, "USD", Decimal("20.7")),
        (later, "SEK", Decimal(10)),
        (later, "USD", Decimal(11)),
    ]
    # MRR takes the last day's rate for all days, so that only subscribers move it.
    mrr = dict(warehouse.rows("mrr", ("date_day", "mrr")))
    assert set(mrr.values()) == {Decimal(21), Decimal(0)}
    assert [day for day, level in mrr.items() if level][-1] == date(2024, 1, 19)


def test_every_column_is_described(tell: Callable[[str], History]) -> None:
    history = tell("duckdb")
    sql = "select table_name, column_name from duckdb_columns where schema_name = 'history'"
    documented = {
        (node["name"], column["name"])
        for node in history.builds[0].manifest["nodes"].values()
        if node["resource_type"] == "model" and node["description"]
        for column in node["columns"].values()
        if column["description"] and column["data_type"]
    }
    assert set(history.warehouse.execute(sql)) == documented


def test_dbt_sends_nothing_home(tell: Callable[[str], History]) -> None:
    metadata = tell("duckdb").builds[0].manifest["metadata"]
    assert metadata["send_anonymous_usage_stats"] is False


@on_spark
def test_spark_builds_the_same(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    warehouse = Spark([command(spark_environment(request), "dbt")], tmp_path, "history")
    first, second = deliveries()
    warehouse.create("sales", "subscriptions")
    warehouse.load("sales", first)
    warehouse.load("subscriptions", _subscriptions())
    warehouse.build(command="run")
    _check(warehouse, first)

    warehouse.load("sales", second)
    assert warehouse.build(NO_UNIT_TESTS).statuses == {"success", "pass"}
    _check(warehouse, list({row["line_id"]: row for row in [*first, *second]}.values()))


def _check(warehouse: Warehouse, rows: list[Row]) -> None:
    marts = _marts(warehouse)
    for mart, dimensions in SALES_MARTS.items():
        sales = expected.sales_by(rows, *dimensions.values())
        assert _by_key(marts[mart], 3 + len(dimensions)) == sales
    assert _by_key(marts["mrr"], len(SERIES)) == expected.mrr(rows)
    subscriptions = expected.subscriptions(rows, _subscriptions())
    assert _by_key(marts["subscription_report"], 4) == subscriptions
