"""The data that the page embeds: the marts as columns of plain values.

    {
      "made_at": "2024-06-16T08:00:00+00:00",
      "missing": ["amazon_appstore__mrr"],       marts that do not exist
      "reporting": {"currency": "USD", "rates_date": "2024-06-14"},     null: no conversion
      "accounts": [{"name": "games", "first_day": "2023-01-01", "last_day": "2024-06-14", ...}],
      "cohorts_from": "2019-07-01",              first month with a cohort
      "kept": 200,                               see `Detail`
      "dimensions": {"app": ["Truck Game"], "country": ["US", null, ""], ...},
      "tables": {
        "countries": {
          "daily_from": "2023-06-01",
          "columns": {"day": [19875, 19876], "account": [0, 0], "app": [0, 0], "country": [0, 2], ...}
        }
      }
    }

Values of a dimension are places in its list, those of `account` in `accounts`. A product is
`[place of its app, item_type, vendor_sku, asin, item_name]`. The others together are "" among
countries and devices, and a product with nulls for each app and item type. `day` is in days since 1970,
`month` is year * 12 + month - 1. From `daily_from` on a table with days has a row per day, before it
(null: everywhere) a row per month, whose day is the month's last. Null is unknown, never 0.
"""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import dataclass
from datetime import date, datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

    from dashboard.warehouse import Result, Warehouse


Data = dict[str, Any]

ACCOUNTS = "amazon_appstore__last_days"
"""The mart of the accounts: without it no other is read."""

MARTS = {
    "sales": "amazon_appstore__overview_report",
    "countries": "amazon_appstore__country_report",
    "devices": "amazon_appstore__device_report",
    "products": "amazon_appstore__product_report",
    "subscriptions": "amazon_appstore__subscription_report",
    "marketplaces": "amazon_appstore__marketplace_report",
    "mrr": "amazon_appstore__mrr",
    "subscribers": "amazon_appstore__subscriber_report",
    "cohorts": "amazon_appstore__subscriber_cohorts",
    "trials": "amazon_appstore__trial_cohorts",
    "earnings": "amazon_appstore__earnings_report",
    "payers": "amazon_appstore__monthly_report",
    "report_months": "amazon_appstore__report_months",
}
"""The mart of each table, whose query is `sql/{table}.sql`."""

_TOTALS = ("sales", "subscriptions", "mrr", "subscribers")
_BREAKDOWNS = ("countries", "devices", "products", "marketplaces")
_ORDERS = {"app": "apps", "currency": "currencies"}
_DIMENSIONS = (
    "account",
    "app",
    "currency",
    "country",
    "device",
    "marketplace",
    "product",
    "report",
)
_PRODUCT = ("app", "item_type", "vendor_sku", "asin", "item_name")
_EPOCH = date(1970, 1, 1)

_QUERIES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "sql"),
    undefined=jinja2.StrictUndefined,
    autoescape=False,  # noqa: S701 - SQL, and all its parts come from this package
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True)
class Detail:
    """How much of the marts the page gets."""

    daily: tuple[str, ...]
    """Tables with days in the last 13 months."""
    kept: int
    """Countries, devices and products of an app that keep their names: as many by units, and as many
    by net sales in each currency."""
    cohorts: int
    """Months of which it has cohorts."""


DETAILS = (
    Detail(_TOTALS + _BREAKDOWNS, kept=200, cohorts=120),
    Detail(_TOTALS, kept=200, cohorts=60),
    Detail(_TOTALS, kept=50, cohorts=36),
    Detail(_TOTALS, kept=20, cohorts=24),
    Detail((), kept=5, cohorts=12),
)
"""From the most to the least: the first one with which the page is small enough is used."""


def read_data(warehouse: Warehouse, detail: Detail = DETAILS[0]) -> Data:
    """Read the marts that exist.

    Raises:
        WarehouseError: a mart cannot be read.
    """
    existing = {name for (name,) in warehouse.query(_query("tables")).rows}
    missing = [mart for mart in (*MARTS.values(), ACCOUNTS) if mart not in existing]
    data: Data = {"missing": missing, "accounts": [], "dimensions": {}, "tables": {}}
    accounts = [] if ACCOUNTS in missing else warehouse.query(_query("last_days", ACCOUNTS)).dicts()
    if not (newest := _newest_month(accounts)):
        return data

    tables = {name: mart for name, mart in MARTS.items() if mart in existing}
    places = {name: Places() for name in _DIMENSIONS}
    places["account"].add(account["name"] for account in accounts)
    if "sales" in tables:
        for name, query in _ORDERS.items():
            rows = warehouse.query(_query(query, tables["sales"])).rows
            places[name].add(value for (value,) in rows)
    first_day, first_cohort = _add_months(newest, -12), _add_months(newest, 1 - detail.cohorts)
    for name, mart in tables.items():
        daily_from = first_day if name in detail.daily else None
        query = _query(
            name,
            mart,
            daily_from=daily_from or date.max,
            cohorts_from=first_cohort,
            kept=detail.kept,
        )
        table: Data = {"columns": encode_columns(warehouse.query(query), places)}
        data["tables"][name] = table
        if name in _TOTALS + _BREAKDOWNS:
            table["daily_from"] = daily_from and daily_from.isoformat()

    del places["account"]
    return data | {
        "reporting": _reporting(accounts),
        "accounts": [{k: _plain(k, v) for k, v in account.items()} for account in accounts],
        "cohorts_from": first_cohort.isoformat(),
        "kept": detail.kept,
        "dimensions": {name: one.values for name, one in places.items()},
    }


def is_empty(data: Data) -> bool:
    """Return whether there is no row of any mart."""
    return not any(any(table["columns"].values()) for table in data["tables"].values())


def pack(data: Data, made_at: datetime) -> str:
    """Return the data as JSON, compressed by gzip, in base64."""
    content = {"made_at": made_at.isoformat(timespec="seconds"), **data}
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def encode_columns(result: Result, places: dict[str, Places]) -> dict[str, list[Any]]:
    """Return the columns of a query's result as plain values, or places in dimensions."""
    rows = zip(*result.rows, strict=True) if result.rows else ([] for _ in result.columns)
    columns = {
        name: places[name].add(values) if name in places else [_plain(name, one) for one in values]
        for name, values in zip(result.columns, rows, strict=True)
    }
    if "item_type" in columns:
        parts = [columns[name] if name == "app" else columns.pop(name) for name in _PRODUCT]
        columns["product"] = places["product"].add(zip(*parts, strict=True))
    return columns


class Places:
    """The distinct values of a dimension, in the order in which they were added."""

    def __init__(self) -> None:
        self._places: dict[Hashable, int] = {}

    def add(self, values: Iterable[Hashable]) -> list[int]:
        """Return the place of each value; one that is new gets the next place."""
        return [self._places.setdefault(value, len(self._places)) for value in values]

    @property
    def values(self) -> list[Hashable]:
        """The values, by place."""
        return list(self._places)


def _query(name: str, mart: str = "", **parts: object) -> str:
    return _QUERIES.get_template(f"{name}.sql").render(mart=mart, **parts)


def _plain(name: str, value: Any) -> Any:  # noqa: ANN401
    """Return a value of a column as JSON has it."""
    if isinstance(value, Decimal):
        # The shortest float that reads as the amount: its digits are the amount's again in JSON.
        return int(value) if value == value.to_integral_value() else float(round(value, 6))
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=timezone.utc)).isoformat()
    if isinstance(value, date):
        if name == "day":
            return (value - _EPOCH).days
        if name == "month":
            return value.year * 12 + value.month - 1
        return value.isoformat()
    return value


def _newest_month(accounts: Sequence[Mapping[str, Any]]) -> date | None:
    """Return the first day of the month of the newest day that any account has figures of."""
    days = [account[name] for account in accounts for name in ("last_day", "last_subscription_day")]
    return max((day.replace(day=1) for day in days if day), default=None)


def _add_months(month: date, months: int) -> date:
    index = month.year * 12 + month.month - 1 + months
    return date(index // 12, index % 12 + 1, 1)


def _reporting(accounts: Sequence[Mapping[str, Any]]) -> Data | None:
    """Return the currency that amounts are converted to, and the day of the newest rate."""
    converted = [account for account in accounts if account["reporting_currency"]]
    if not converted:
        return None
    days = [account["last_rate_day"] for account in converted if account["last_rate_day"]]
    return {
        "currency": converted[0]["reporting_currency"],
        "rates_date": max(days).isoformat() if days else None,
    }
