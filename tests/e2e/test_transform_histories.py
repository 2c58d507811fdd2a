"""Incremental builds of any history of reports equal a full refresh."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.e2e.transform.rows import Row, add_months, sale

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.transform.warehouses import Warehouse

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("transform")]

MONTHS = [date(2024, month, 1) for month in range(1, 6)]
TABLES = [
    "int_amazon_appstore__sales_daily",
    *(f"amazon_appstore__{mart}_report" for mart in ("country", "device", "product")),
]
ACCOUNTS = 8
DELIVERIES = 3

# What happens to a month's report between two deliveries.
Change = st.sampled_from(
    ["none", "none", "rewritten", "restated", "grown", "withdrawn", "moved", "emptied", "renamed"]
)
# Of each account: first the lines of each month, then what happens to each month.
History = st.tuples(
    st.lists(st.integers(1, 4), min_size=len(MONTHS), max_size=len(MONTHS)),
    st.lists(
        st.lists(Change, min_size=len(MONTHS), max_size=len(MONTHS)),
        min_size=DELIVERIES - 1,
        max_size=DELIVERIES - 1,
    ),
)
schemas = (f"history_{number}" for number in count())


@given(st.lists(History, min_size=ACCOUNTS, max_size=ACCOUNTS))
@settings(
    max_examples=2,
    phases=[Phase.generate],
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
def test_incremental_builds_equal_a_full_refresh(
    make_warehouse: Callable[[str, str], Warehouse],
    histories: list[tuple[list[int], list[list[str]]]],
) -> None:
    warehouse = make_warehouse("duckdb", next(schemas))
    accounts = [f"account_{number}" for number in range(len(histories))]
    reports = [
        {month: _lines(month, lines) for month, lines in zip(MONTHS, first, strict=True)}
        for first, _ in histories
    ]
    for account in accounts:
        warehouse.create("sales", schema=account)
    for delivery in range(DELIVERIES):
        for account, report, (_, changes) in zip(accounts, reports, histories, strict=True):
            if delivery:
                for month, change in zip(MONTHS, changes[delivery - 1], strict=True):
                    report[month] = _change(report[month], change, delivery)
            warehouse.load("sales", [row for rows in report.values() for row in rows], account)
        _run(warehouse, accounts)
    incremental = {table: warehouse.rows(table, ["*"]) for table in TABLES}
    _run(warehouse, accounts, "--full-refresh")
    assert incremental == {table: warehouse.rows(table, ["*"]) for table in TABLES}


def _run(warehouse: Warehouse, accounts: list[str], *arguments: str) -> None:
    sources = [{"schema": account} for account in accounts]
    models = " ".join(f"+{table}" for table in TABLES)
    warehouse.build(
        f"--select={models}", *arguments, command="run", amazon_appstore_sources=sources
    )


def _lines(month: date, number: int, prefix: str = "line") -> list[Row]:
    return [
        sale(
            f"{prefix}-{month}-{index}",
            month + timedelta(days=5 * index),
            month=month,
            asin=f"B{index}",
            country_region_code=["US", "DE", None][index % 3],
        )
        for index in range(number)
    ]


def _change(rows: list[Row], change: str, delivery: int) -> list[Row]:
    """Return a month's lines as the file of a delivery has them."""
    if change == "none" or not rows:
        return rows
    changes: dict[str, Any] = {
        "report_last_modified": datetime(2024, 7, delivery)  # noqa: DTZ001 - as warehouses have it
    }
    if change == "restated":
        changes["estimated_earnings"] = Decimal(delivery)
    elif change == "renamed":
        changes["title"] = f"title {delivery}"
    elif change == "emptied":
        changes["transaction_date"] = add_months(rows[0]["report_month"], 7)
    changed = [row | changes for row in rows]
    if change == "grown":
        new = _lines(rows[0]["report_month"], 2, f"new-{delivery}")
        changed += [row | changes for row in new]
    elif change == "withdrawn" and len(changed) > 1:
        changed = changed[1:]
    elif change == "moved":
        changed[0]["transaction_date"] = add_months(changed[0]["transaction_date"], -1)
    return changed
