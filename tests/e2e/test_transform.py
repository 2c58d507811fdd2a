"""The dbt package builds the same marts in every warehouse: those computed in Python and by hand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.environments import command, on_spark, spark_environment
from tests.e2e.transform import expected
from tests.e2e.transform.cases import CASES, Case
from tests.e2e.transform.rows import Row, deliveries, sale, subscription
from tests.e2e.transform.warehouses import Build, Spark, Warehouse

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
MRR = (
    "mrr",
    *(f"{movement}_mrr" for movement in expected.MOVEMENTS),
    "subscribers",
    "subscriptions",
    "is_provisional",
)
SUBSCRIPTIONS = ("date_day", "app_name", "asin", "vendor_sku", "active", "paid_ended", "churn_rate")
FIGURES = {
    **{
        mart: ("date_day", "app_name", *dimensions, "currency", *expected.Sales._fields)
        for mart, dimensions in SALES_MARTS.items()
    },
    "subscription_report": (*SUBSCRIPTIONS, "trial_conversions", "trial_conversion_rate"),
    "mrr": (*SERIES, *MRR),
}
# Incremental tables, and a column of each that no figure depends on.
INCREMENTAL = {
    **dict.fromkeys(("country_report", "device_report", "product_report"), "app_platform"),
    "int_amazon_appstore__sales_daily": "item_name",
}
SEPTEMBER = date(2022, 9, 1)
# Tests that warn of lines in the cases.
WARNINGS = {
    "assert_documented_types_and_terms",
    "assert_no_report_is_cut_short",
    "assert_values_are_read",
}
STREAMS = ("sales", "subscriptions", "earnings")
# Two accounts, in schemas of their names.
RANDOM = "source_relation = 'random'"
ACCOUNTS = [{"schema": "random"}, {"schema": "cases"}]

Marts = dict[str, list[tuple[Any, ...]]]


@dataclass(frozen=True)
class History:
    """A warehouse that was loaded and built twice, and what was in it each time.

    It has an account with a random history, and one with the cases.
    """

    warehouse: Warehouse
    rows: tuple[list[Row], list[Row]]
    build: Build
    """The second one, with tests."""

    marts: tuple[Marts, Marts]
    kept: dict[str, set[date]]
    """The months of each incremental table whose rows the second build has not touched."""


@pytest.fixture(scope="module")
def load_history(make_warehouse: Callable[[str, str], Warehouse]) -> Callable[[str], History]:
    """Load and build a warehouse of a kind twice; once for all tests."""
    histories: dict[str, History] = {}

    def load(kind: str) -> History:
        if kind not in histories:
            histories[kind] = _history(make_warehouse(kind, "history"))
        return histories[kind]

    return load


def _history(warehouse: Warehouse) -> History:
    first, second = deliveries()
    warehouse.create("sales", "subscriptions", schema="random")
    warehouse.load("sales", first, "random")
    warehouse.load("subscriptions", _subscriptions(), "random")
    warehouse.create(*STREAMS, schema="cases")
    for stream in STREAMS:
        rows = [row for case in CASES for row in getattr(case, stream)]
        warehouse.load(stream, rows, "cases")
    _build(warehouse, command="run")
    first_marts = _marts(warehouse)
    _mark(warehouse)
    warehouse.load("sales", second, "random")
    build = _build(warehouse)
    return History(
        warehouse,
        (first, list({row["line_id"]: row for row in [*first, *second]}.values())),
        build,
        (first_marts, _marts(warehouse)),
        {table: _kept(warehouse, table) for table in INCREMENTAL},
    )


def _build(warehouse: Warehouse, *arguments: str, command: str = "build") -> Build:
    return warehouse.build(
        *arguments, command=command, allow_warnings=True, amazon_appstore_sources=ACCOUNTS
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
    return {mart: warehouse.rows(mart, columns, RANDOM) for mart, columns in FIGURES.items()}


def _mark(warehouse: Warehouse) -> None:
    """Mark all rows, so that rows written later are told from these."""
    for table, column in INCREMENTAL.items():
        warehouse.execute(f"update {warehouse.table(table)} set {column} = 'kept'")


def _kept(warehouse: Warehouse, table: str) -> set[date]:
    """Return the months whose rows are all marked."""
    rows = warehouse.rows(table, ("date_month", INCREMENTAL[table]), RANDOM)
    return {month for month, _ in rows} - {month for month, mark in rows if mark != "kept"}


@pytest.fixture(params=["duckdb", "postgres"])
def history(request: pytest.FixtureRequest, load_history: Callable[[str], History]) -> History:
    return load_history(request.param)


def test_tests_pass_and_warn_of_what_is_amiss(history: History) -> None:
    build = history.build
    assert build.statuses == {"success", "pass", "warn"}
    assert set(build.names("test", status="warn")) == WARNINGS
    assert set(build.names("model")) >= {f"amazon_appstore__{mart}" for mart in FIGURES}
    assert "assert_marts_add_up_to_the_report" in build.names("test")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_marts_are_as_worked_out_by_hand(history: History, case: Case) -> None:
    expectations = {expectation[:3]: expectation.rows for expectation in case.expectations}
    found = {key: case_rows(history.warehouse, *key) for key in expectations}
    assert found == expectations


def case_rows(
    warehouse: Warehouse, mart: str, condition: str, columns: tuple[str, ...]
) -> list[tuple[str, ...]]:
    """Return rows of a mart as the cases have them."""
    rows = warehouse.rows(mart, columns, f"source_relation = 'cases' and {condition}")
    return sorted(tuple(map(_text, row)) for row in rows)


def _text(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, Decimal):
        return f"{value.normalize() + 0:f}"
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize("mart", SALES_MARTS)
@pytest.mark.parametrize("delivery", [0, 1])
def test_sales_marts_equal_sums_of_lines(history: History, mart: str, delivery: int) -> None:
    columns = SALES_MARTS[mart].values()
    figures = expected.sales_by(history.rows[delivery], *columns)
    assert _by_key(history.marts[delivery][mart], 3 + len(columns)) == figures


@pytest.mark.parametrize("delivery", [0, 1])
def test_mrr_equals_that_computed_day_by_day(history: History, delivery: int) -> None:
    figures = expected.mrr(history.rows[delivery])
    assert _by_key(history.marts[delivery]["mrr"], len(SERIES)) == figures
    for movement in expected.MOVEMENTS:
        assert any(getattr(figure, movement) for figure in figures.values())


def test_final_mrr_does_not_change(history: History) -> None:
    first, second = (_by_key(marts["mrr"], len(SERIES)) for marts in history.marts)
    # A yearly plan's charge is in the restated February.
    final = {key: row for key, row in first.items() if not row[-1] and key[2] != "B0502"}
    newest = max(row["transaction_date"] for row in history.rows[0] if row["transaction_date"])
    # Two days for Amazon's lag, six for late renewals, and the day before these.
    assert max(day for day, *_ in final) == newest - timedelta(days=9)
    assert {key: second[key] for key in final} == final


@pytest.mark.parametrize("delivery", [0, 1])
def test_subscriptions_equal_sums_of_lines(history: History, delivery: int) -> None:
    figures = expected.subscriptions(history.rows[delivery], _subscriptions())
    assert _by_key(history.marts[delivery]["subscription_report"], 4) == figures
    assert any(figure.trial_conversions for figure in figures.values())


def _by_key(rows: Iterable[tuple[Any, ...]], width: int) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    return {row[:width]: row[width:] for row in rows}


def test_only_months_whose_lines_have_changed_are_rebuilt(history: History) -> None:
    months = {expected.month_of(row) for row in history.rows[1]} - {SEPTEMBER}
    # February is restated, March goes on, April begins. A line of December and one of January are in
    # February's report.
    changed = {date(2023, 12, 1), *(date(2024, month, 1) for month in (1, 2, 3, 4))}
    for table in INCREMENTAL:
        assert history.kept[table] == months - changed


def test_a_month_whose_only_line_has_moved_is_gone(history: History) -> None:
    days = [{day for day, *_ in marts["overview_report"]} for marts in history.marts]
    assert [min(days_) for days_ in days] == [date(2022, 9, 5), date(2022, 10, 31)]


def test_a_build_without_changes_rebuilds_no_month(
    load_history: Callable[[str], History],
) -> None:
    warehouse = load_history("duckdb").warehouse
    _mark(warehouse)
    tables = [warehouse.table(name).split(".")[1] for name in INCREMENTAL]
    _build(warehouse, f"--select={' '.join(f'+{table}' for table in tables)}", command="run")
    for table, column in INCREMENTAL.items():
        assert set(warehouse.rows(table, [column])) == {("kept",)}


def test_incremental_builds_equal_a_full_refresh(load_history: Callable[[str], History]) -> None:
    history = load_history("duckdb")
    _build(history.warehouse, "--full-refresh", command="run")
    assert _marts(history.warehouse) == history.marts[1]


def test_warehouses_agree(load_history: Callable[[str], History]) -> None:
    assert load_history("postgres").marts == load_history("duckdb").marts


def test_amounts_are_converted_to_a_reporting_currency_on_request(
    make_warehouse: Callable[[str, str], Warehouse],
) -> None:
    warehouse = make_warehouse("duckdb", "converted")
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
            sale("expired", date(2023, 11, 20), **ten, **euros),
            sale("dollars", day, **monthly),
            sale("euros", day, **monthly, **euros),
            sale("later", later, **ten, **euros),
            sale("unknown", later, **ten, marketplace_currency="SEK"),
        ],
    )
    rates = f"{warehouse.raw}.rates"
    warehouse.execute(
        f"create table {rates} as select date '2023-10-01' as date_day, 'EUR' as currency,"
        " 'USD' as reporting_currency, 1.05 as rate"
        " union all select date '2023-12-15', 'EUR', 'USD', 1.07"
        " union all select date '2024-01-01', 'EUR', 'USD', 1.10"
        " union all select date '2024-01-01', 'EUR', 'GBP', 0.86"
    )
    build = warehouse.build(
        allow_warnings=True,
        amazon_appstore_exchange_rates=rates,
        amazon_appstore_exchange_rate_days=31,
    )
    assert build.statuses == {"success", "pass", "warn"}
    assert build.names("test", status="warn") == ["assert_amounts_have_exchange_rates"]
    assert warehouse.rows("overview_report", ("date_day", "currency", "gross_sales")) == [
        (date(2023, 11, 20), "EUR", Decimal(10)),
        (day, "USD", Decimal("20.7")),
        (later, "SEK", Decimal(10)),
        (later, "USD", Decimal(11)),
    ]
    # MRR takes the last day's rate for all days, so that only subscribers move it.
    mrr = dict(warehouse.rows("mrr", ("date_day", "mrr")))
    assert set(mrr.values()) == {Decimal(21), Decimal(0)}
    assert [day for day, level in mrr.items() if level][-1] == date(2024, 1, 19)


def test_every_column_is_described(load_history: Callable[[str], History]) -> None:
    history = load_history("duckdb")
    sql = "select table_name, column_name from duckdb_columns where schema_name = 'history'"
    documented = {
        (node["name"], column["name"])
        for node in history.build.manifest["nodes"].values()
        if node["resource_type"] == "model" and node["description"]
        for column in node["columns"].values()
        if column["description"] and column["data_type"]
    }
    assert set(history.warehouse.execute(sql)) == documented


def test_dbt_sends_nothing_home(load_history: Callable[[str], History]) -> None:
    metadata = load_history("duckdb").build.manifest["metadata"]
    assert metadata["send_anonymous_usage_stats"] is False


@pytest.mark.nox
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
    assert warehouse.build().statuses == {"success", "pass"}
    _check(warehouse, list({row["line_id"]: row for row in [*first, *second]}.values()))


def _check(warehouse: Warehouse, rows: list[Row]) -> None:
    marts = {mart: warehouse.rows(mart, columns) for mart, columns in FIGURES.items()}
    for mart, dimensions in SALES_MARTS.items():
        sales = expected.sales_by(rows, *dimensions.values())
        assert _by_key(marts[mart], 3 + len(dimensions)) == sales
    assert _by_key(marts["mrr"], len(SERIES)) == expected.mrr(rows)
    subscriptions = expected.subscriptions(rows, _subscriptions())
    assert _by_key(marts["subscription_report"], 4) == subscriptions
