"""The figures of the page, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from report.marts import QUERIES, Query, sql

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
    from decimal import Decimal

    from report.warehouse import Row, Warehouse

Results = dict[str, "Sequence[Row]"]


@dataclass(frozen=True)
class Figures:
    """The figures, ready for JSON."""

    missing: list[str]
    """The marts that are not there."""
    dimensions: dict[str, list[Any]]
    """The values of each dimension; null stands for what is shown together as others."""
    tables: dict[str, dict[str, Any]]
    """The result of each query, such as this one of the devices of one app in one month:

        "columns": ["month", "app", "currency", "device", "units", "downloads", "net_sales"],
        "amounts": ["net_sales"],
        "rows": [[[0, 2, 1], [[0, 15, 9, 41.85], [3, 7, 7, 0]]]]

    These are two rows: `[0, 2, 1, 0, 15, 9, 41.85]` and `[0, 2, 1, 3, 7, 7, 0]`. What they have in
    common, all dimensions but the last, is written once. Instead of a dimension's value there is
    its place in `dimensions`; `amounts` are the columns that are amounts of money."""
    last_days: dict[str, str | None]
    """The last day that sales and subscriptions have figures of."""

    @property
    def is_empty(self) -> bool:
        """Whether no mart has any row."""
        return not any(table["rows"] for table in self.tables.values())


def read_figures(warehouse: Warehouse) -> Figures:
    """Read the figures of the marts that are there.

    Raises:
        WarehouseError: a mart cannot be read.
    """
    there = {name for (name,) in warehouse.rows(sql("tables.sql"))}
    results = {
        name: warehouse.rows(query.text) for name, query in QUERIES.items() if query.mart in there
    }
    places = _places(warehouse, results)
    return Figures(
        missing=[query.mart for query in QUERIES.values() if query.mart not in there],
        tables={
            name: _table(query, results.get(name, ()), places) for name, query in QUERIES.items()
        },
        # After the tables, which add what they find to the places.
        dimensions={name: _plain(values.places) for name, values in places.items()},
        last_days={
            name: _last_day(warehouse, results, name, figure)
            for name, figure in {"overview": "downloads", "subscriptions": "active"}.items()
        },
    )


@dataclass(frozen=True)
class _Places:
    """The places of a dimension's values; a value that is new gets the next one."""

    places: dict[Hashable, int] = field(default_factory=dict)

    def of(self, value: Hashable) -> int:
        return self.places.setdefault(value, len(self.places))

    def add(self, values: Iterable[Hashable]) -> None:
        for value in values:
            self.of(value)


def _places(warehouse: Warehouse, results: Results) -> dict[str, _Places]:
    """Return the places, with the order that the page keeps where it gives colours or opens."""
    places = {name: _Places() for query in QUERIES.values() for name in query.dimensions}
    places["month"].add(_months([row[0] for rows in results.values() for row in rows]))
    if "overview" in results:
        mart = QUERIES["overview"].mart
        for name, template in {"app": "apps.sql", "currency": "currencies.sql"}.items():
            places[name].add(value for (value,) in warehouse.rows(sql(template, mart=mart)))
    return places


def _months(months: Collection[date]) -> list[date]:
    """Return all months from the first to the last, those without figures too."""
    if not months:
        return []
    first, last = (month.year * 12 + month.month - 1 for month in (min(months), max(months)))
    return [date(index // 12, index % 12 + 1, 1) for index in range(first, last + 1)]


def _table(query: Query, rows: Sequence[Row], places: Mapping[str, _Places]) -> dict[str, Any]:
    *shared, last = (places[name] for name in query.dimensions)
    groups: dict[tuple[int, ...], list[list[Any]]] = {}
    for row in rows:
        common, value, measures = query.split(row)
        group = tuple(place.of(one) for place, one in zip(shared, common, strict=True))
        groups.setdefault(group, []).append([last.of(value), *map(_number, measures)])
    return {
        "columns": [*query.dimensions, *query.counts, *query.amounts],
        "amounts": query.amounts,
        "rows": list(groups.items()),
    }


def _number(value: int | Decimal) -> float:
    # The shortest float that reads as the amount: its digits are the amount's again in JSON.
    return int(value) if value == int(value) else float(value)


def _plain(values: Iterable[Any]) -> list[Any]:
    return [f"{value:%Y-%m}" if isinstance(value, date) else value for value in values]


def _last_day(warehouse: Warehouse, results: Results, name: str, figure: str) -> str | None:
    if name not in results:
        return None
    ((day,),) = warehouse.rows(sql("last_day.sql", mart=QUERIES[name].mart, figure=figure))
    return day.isoformat() if day else None
