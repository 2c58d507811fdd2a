"""The data that the dashboard embeds: what the marts have, nothing lost, null never 0."""

from __future__ import annotations

import base64
import gzip
import json
from collections import defaultdict
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from dashboard import render
from dashboard.data import (
    ACCOUNTS,
    DETAILS,
    MARTS,
    Data,
    Places,
    encode_columns,
    is_empty,
    pack,
    read_data,
)
from dashboard.warehouse import Result, Warehouse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DESCRIPTION = Path(__file__).parents[2] / "transform" / "models" / "marts" / "_marts.yml"
COLUMNS: dict[str, dict[str, str]] = {
    model["name"]: {column["name"]: column["data_type"] for column in model["columns"]}
    for model in YAML(typ="safe").load(DESCRIPTION)["models"]
}
"""The columns of the marts as their contracts have them."""
TYPES = {"numeric": "decimal(28, 6)", "integer": "bigint"}
LAST_DAY = date(2024, 6, 14)
DAILY_FROM = date(2023, 6, 1)
EPOCH = date(1970, 1, 1)
MADE_AT = datetime(2024, 6, 16, 8, tzinfo=timezone.utc)
UNITS = ("downloads", "in_app_units", "subscription_units", "other_units")

Row = dict[str, Any]


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """A database with all marts, without rows but for one account."""
    with duckdb.connect() as connection:
        for mart in (ACCOUNTS, *MARTS.values()):
            columns = ", ".join(
                f"{name} {TYPES.get(kind, kind)}" for name, kind in COLUMNS[mart].items()
            )
            connection.execute(f"create table {mart} ({columns})")
        insert(connection, ACCOUNTS, [account("games")])
        yield connection


def account(name: str, last_day: date = LAST_DAY, **others: object) -> Row:
    days = {"first_day": date(2022, 1, 5), "last_day": last_day, "last_final_day": last_day}
    return {"source_relation": name, **days, **others}


def insert(connection: duckdb.DuckDBPyConnection, mart: str, rows: list[Row]) -> None:
    table = pa.Table.from_pylist(rows)  # by rows it takes twenty times as long
    connection.register("added", table)
    connection.execute(f"insert into {mart} by name select * from added")


def read(connection: duckdb.DuckDBPyConnection, detail: int = 0, **changes: Any) -> Data:  # noqa: ANN401
    warehouse = Warehouse(connection.execute, duckdb.Error)
    return read_data(warehouse, replace(DETAILS[detail], **changes))


def rows_of(data: Data, table: str) -> list[Row]:
    """Return a table's rows with the values of dimensions."""
    columns = data["tables"][table]["columns"]
    values = {
        name: [data["dimensions"][name][place] for place in places]
        if name in data["dimensions"]
        else places
        for name, places in columns.items()
    }
    return [
        dict(zip(values, row, strict=True)) | {"day": EPOCH + timedelta(row[0])}
        if "day" in values
        else dict(zip(values, row, strict=True))
        for row in zip(*values.values(), strict=True)
    ]


def period_end(day: date) -> date:
    """Return the day under which the page has a day's figures: itself, or its month's last."""
    if day >= DAILY_FROM:
        return day
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


# ---- Columns


@given(
    st.lists(
        st.tuples(
            st.sampled_from([None, "Chess", "Ünïcödé", ""]),
            st.decimals(-(10**9), 10**9, allow_nan=False, places=6) | st.none(),
            st.integers() | st.none(),
            st.booleans() | st.none(),
            st.dates(),
        )
    )
)
def test_columns_have_the_values_of_the_rows(rows: list[tuple[Any, ...]]) -> None:
    places = {"app": Places()}
    result = Result(["app", "net_sales", "downloads", "is_final", "day"], rows)

    columns = json.loads(json.dumps(encode_columns(result, places)), parse_float=Decimal)

    columns["app"] = [places["app"].values[place] for place in columns["app"]]
    columns["day"] = [EPOCH + timedelta(days) for days in columns["day"]]
    assert list(zip(*columns.values(), strict=True)) == rows


def test_timestamps_are_in_utc_and_months_are_numbers() -> None:
    written = datetime(2024, 3, 1, 6, 30)  # noqa: DTZ001 - as warehouses have it
    result = Result(["month", "report_last_modified"], [(date(2024, 3, 1), written)])

    columns = encode_columns(result, {})

    assert columns == {
        "month": [2024 * 12 + 2],
        "report_last_modified": ["2024-03-01T06:30:00+00:00"],
    }


# ---- Sales


def sales(seed: int, number: int = 400) -> list[Row]:
    """Return rows that fit all sales marts, in three years, with nulls in all dimensions."""
    random = Random(seed)  # noqa: S311
    rows = []
    for _ in range(number):
        day = date(2022, 1, 5) + timedelta(days=random.randrange(890))
        net = Decimal(random.randrange(-500, 5000)) / 100
        asin = random.choice([None, *(f"B{number}" for number in range(12))])
        rows.append(
            {
                "source_relation": random.choice(["games", "music"]),
                "date_day": day,
                "date_month": day.replace(day=1),
                "app_name": random.choice(["Chess", "Truck"]),
                "currency": random.choice(["USD", "EUR"]),
                "country_short": random.choice([None, "US", "DE", "FR", "JP"]),
                "device": random.choice([None, "Fire TV", "Others"]),
                "asin": asin,
                "vendor_sku": asin and f"sku.{asin}",
                "item_name": asin and f"Item {asin}",
                "item_type": random.choice([None, "Application", "In-App"]),
                **{name: random.randrange(4) for name in UNITS},
                "net_sales": net,
                "gross_sales": abs(net),
                "report_lines": 1,
            }
        )
    return rows


def add_sales(connection: duckdb.DuckDBPyConnection, rows: list[Row]) -> None:
    for table in ("sales", "countries", "devices", "products"):
        columns = COLUMNS[MARTS[table]]
        fitting = [{k: v for k, v in row.items() if k in columns} for row in rows]
        insert(connection, MARTS[table], fitting)


def sums(rows: list[Row], key: Callable[[Row], Any]) -> dict[Any, tuple[int, float]]:
    """Return downloads and net sales by a key."""
    found: dict[Any, tuple[int, float]] = defaultdict(lambda: (0, 0.0))
    for row in rows:
        downloads, net = found[key(row)]
        found[key(row)] = (downloads + row["downloads"], round(net + float(row["net_sales"]), 6))
    return dict(found)


@pytest.mark.parametrize(
    ("table", "column"),
    [("sales", "currency"), ("countries", "country_short"), ("devices", "device")],
)
@pytest.mark.parametrize("detail", range(len(DETAILS)))
def test_sales_add_up_by_day_and_by_month(
    connection: duckdb.DuckDBPyConnection, table: str, column: str, detail: int
) -> None:
    rows = sales(1)
    add_sales(connection, rows)
    insert(connection, ACCOUNTS, [account("music")])

    data = read(connection, detail, kept=99)

    has_days = table in DETAILS[detail].daily
    name = {"country_short": "country"}.get(column, column)
    assert data["tables"][table]["daily_from"] == (DAILY_FROM.isoformat() if has_days else None)
    assert sums(
        rows_of(data, table),
        lambda row: (
            row["day"] if has_days else row["day"].replace(day=1),
            data["accounts"][row["account"]]["name"],
            row["app"],
            row[name],
        ),
    ) == sums(
        rows,
        lambda row: (
            period_end(row["date_day"]) if has_days else row["date_month"],
            row["source_relation"],
            row["app_name"],
            row[column],
        ),
    )


def test_products_beyond_the_kept_ones_are_added_up_by_kind(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    rows = sales(2)
    add_sales(connection, rows)

    data = read(connection, kept=2)

    kept = {tuple(product) for product in data["dimensions"]["product"]}
    named = {product for product in kept if product[3]}
    apps = data["dimensions"]["app"]
    for place, app in enumerate(apps):
        units: dict[Any, int] = defaultdict(int)
        for row in rows:
            if row["app_name"] == app:
                units[row["asin"]] += sum(row[name] for name in UNITS)
        first = sorted(units, key=lambda asin: (-units[asin], asin or ""))[:2]
        assert {asin for asin in first if asin} <= {p[3] for p in named if p[0] == place}
    # Two by units, and two in each of two currencies, at most.
    assert len({(product[0], product[3]) for product in named}) <= 2 * 6
    found = [row | {"kind": row["product"][1]} for row in rows_of(data, "products")]
    assert sums(found, lambda row: (row["app"], row["kind"])) == sums(
        rows, lambda row: (row["app_name"], row["item_type"])
    )
    assert len(kept) == len({product[:4] for product in kept})


def test_other_countries_are_told_from_unknown_ones(connection: duckdb.DuckDBPyConnection) -> None:
    add_sales(connection, sales(3))

    assert set(read(connection, kept=99)["dimensions"]["country"]) == {None, "US", "DE", "FR", "JP"}
    assert "" in read(connection, kept=1)["dimensions"]["country"]


# ---- Levels


def test_levels_are_those_of_the_last_day_and_flows_are_sums(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    days = [date(2023, 4, 10) + timedelta(days=number) for number in range(90)]
    rows: list[Row] = [
        {
            "source_relation": "games",
            "date_day": day,
            "date_month": day.replace(day=1),
            "app_name": "Chess",
            "currency": "USD",
            "vendor_sku": sku,
            "mrr": Decimal(number + 1) / 4,
            "subscribers": number,
            "new_mrr": Decimal("0.25"),
        }
        for number, day in enumerate(days)
        for sku in ("month", "year")
        # One plan ends within April: it has no part in the level of April's last day.
        if sku == "month" or day < date(2023, 4, 20)
    ]
    insert(connection, MARTS["mrr"], rows)

    expected: dict[date, tuple[float, float]] = {}
    for row in rows:
        end = period_end(row["date_day"])
        level, flow = expected.get(end, (0.0, 0.0))
        last = max(one["date_day"] for one in rows if period_end(one["date_day"]) == end)
        is_last = row["date_day"] == last
        expected[end] = (level + float(row["mrr"]) * is_last, flow + 0.25)
    found = {row["day"]: (row["mrr"], row["new_mrr"]) for row in rows_of(read(connection), "mrr")}
    assert found == expected
    assert found[date(2023, 4, 30)] == (21 / 4, 31 * 0.25)


def test_days_without_levels_have_no_row_and_unknown_levels_are_null(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    # Before the first count there are rows on the days of conversions only.
    columns = {"source_relation": "games", "app_name": "Chess", "trial_conversions": 2}
    rows = [
        columns | {"date_day": day, "date_month": day.replace(day=1), "active": active}
        for day, active in ((date(2023, 1, 3), None), (date(2024, 6, 3), None), (LAST_DAY, 4))
    ]
    insert(connection, MARTS["subscriptions"], rows)

    (row,) = rows_of(read(connection), "subscriptions")

    assert (row["day"], row["active"]) == (LAST_DAY, 4)
    assert {row[name] for name in ("paid_active", "trial_active", "started", "ended")} == {None}


def test_accounts_that_end_on_different_days_keep_their_own_last_level(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    insert(connection, ACCOUNTS, [account("music", date(2023, 2, 10))])
    rows = [
        {
            "source_relation": name,
            "app_name": "Chess",
            "date_day": day,
            "date_month": date(2023, 2, 1),
            "subscribers": subscribers,
        }
        for name, day, subscribers in (
            ("games", date(2023, 2, 28), 7),
            ("games", date(2023, 2, 10), 5),
            ("music", date(2023, 2, 10), 3),
        )
    ]
    insert(connection, MARTS["subscribers"], rows)

    data = read(connection)

    levels = [(row["account"], row["subscribers"]) for row in rows_of(data, "subscribers")]
    assert levels == [(0, 7), (1, 3)]
    assert [one["last_day"] for one in data["accounts"]] == ["2024-06-14", "2023-02-10"]


# ---- The whole


def test_cohorts_reach_back_as_far_as_the_detail_says(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    cohorts = [
        {"source_relation": "games", "app_name": "Chess", "currency": "USD", "months_since": 0}
        | {"cohort_month": date(year, 6, 1), "subscribers": 1}
        for year in (2022, 2023, 2024)
    ]
    insert(connection, MARTS["cohorts"], cohorts)

    data = read(connection, cohorts=13)

    assert data["cohorts_from"] == "2023-06-01"
    assert [row["month"] for row in rows_of(data, "cohorts")] == [2023 * 12 + 5, 2024 * 12 + 5]


def test_amounts_say_what_they_are_converted_to(connection: duckdb.DuckDBPyConnection) -> None:
    assert read(connection)["reporting"] is None
    rates: Row = {"reporting_currency": "USD", "last_rate_day": date(2024, 6, 1)}
    insert(connection, ACCOUNTS, [account("music", **rates)])
    assert read(connection)["reporting"] == {"currency": "USD", "rates_date": "2024-06-01"}


@pytest.mark.parametrize("mart", MARTS.values())
def test_a_mart_that_does_not_exist_is_missing_and_the_others_are_read(
    connection: duckdb.DuckDBPyConnection, mart: str
) -> None:
    add_sales(connection, sales(4, 20))
    connection.execute(f"drop table {mart}")

    data = read(connection)

    assert data["missing"] == [mart]
    assert data["tables"].keys() == {name for name, other in MARTS.items() if other != mart}


def test_without_accounts_nothing_is_read(connection: duckdb.DuckDBPyConnection) -> None:
    assert is_empty(read(connection))
    connection.execute(f"drop table {ACCOUNTS}")
    data = read(connection)
    assert is_empty(data)
    assert data["missing"] == [ACCOUNTS]


def test_the_page_has_as_much_detail_as_fits(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_sales(connection, sales(5, 3000))
    warehouse = Warehouse(connection.execute, duckdb.Error)
    monkeypatch.setattr(render, "_library", lambda: "")
    sizes = [
        len(render.render(read_data(warehouse, detail), MADE_AT).encode()) for detail in DETAILS
    ]
    assert sizes[0] > sizes[1] > sizes[-1]

    for largest, expected in (
        (sizes[0], sizes[0]),
        (sizes[0] - 1, sizes[1]),
        (sizes[-1], sizes[-1]),
        (1, sizes[-1]),
    ):
        monkeypatch.setattr(render, "LARGEST", largest)
        page, missing = render.make_page(warehouse, MADE_AT)
        assert len(page.encode()) == expected
        assert missing == []


def test_the_page_embeds_the_data_and_no_text_of_them(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = "</script><img src=x onerror=alert(1)>"
    rows = sales(6, 5)
    add_sales(connection, [row | {"app_name": hostile} for row in rows])
    monkeypatch.setattr(render, "_library", lambda: "")
    data = read(connection)

    page = render.render(data, MADE_AT)

    assert hostile not in page
    packed = page.partition('id="data">')[2].partition("<")[0]
    assert packed == pack(data, MADE_AT)
    content = json.loads(gzip.decompress(base64.b64decode(packed)))
    assert content["dimensions"]["app"] == [hostile]
    assert content["made_at"] == "2024-06-16T08:00:00+00:00"
    assert content["tables"] == json.loads(json.dumps(data["tables"]))
