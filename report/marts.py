"""The marts, and the queries that add their figures up by month."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2

if TYPE_CHECKING:
    from report.warehouse import Row

KEPT = 20
"""Of each app's countries, devices and products as many keep their names: the first by units, and
by net sales in each currency. The rest is shown together, lest thousands of products, each in each
month, make the page heavy."""

_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "sql"),
    undefined=jinja2.StrictUndefined,
    autoescape=False,  # noqa: S701 - this is SQL, and all that is put into it stands in this package
    trim_blocks=True,
    lstrip_blocks=True,
)


def sql(template: str, **parts: object) -> str:
    """Return a query in SQL."""
    return _TEMPLATES.get_template(template).render(parts)


@dataclass(frozen=True)
class Query:
    """A query of one mart; the columns are dimensions, counts and amounts, in this order."""

    template: str
    mart: str
    dimensions: tuple[str, ...]
    counts: tuple[str, ...]
    amounts: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    """The measures that the template takes as they stand on the last day, if it tells them apart."""
    flows: tuple[str, ...] = ()
    """Those that it then adds up over the days."""
    key: tuple[str, ...] = ()
    """The mart's columns that make up the last dimension, of a breakdown."""
    label: str = ""
    """The column that tells in words what the key is, if the key does not."""

    @property
    def text(self) -> str:
        """The query in SQL."""
        return sql(self.template, query=self, kept=KEPT)

    def split(self, row: Row) -> tuple[tuple[Any, ...], Any, tuple[Any, ...]]:
        """Return all dimensions but the last, the last, and the measures.

        The last is a tuple if several columns make it up, and None if they are all null.
        """
        simple, measures = len(self.dimensions) - 1, len(self.counts) + len(self.amounts)
        last = row[simple:-measures]
        if all(value is None for value in last):
            return row[:simple], None, row[-measures:]
        return row[:simple], last if len(last) > 1 else last[0], row[-measures:]


_ACTIVE = ("active", "paid_active", "trial_active")
_EVENTS = ("started", "ended", "refunded", "paid_ended", "trial_ended", "trial_conversions")
_MOVEMENTS = ("new", "expansion", "reactivated", "contraction", "churned")

QUERIES = {
    "overview": Query(
        "overview.sql",
        "amazon_appstore__overview_report",
        ("month", "app", "currency"),
        ("downloads", "in_app_units", "subscription_units"),
        ("gross_sales", "net_sales", "estimated_earnings"),
    ),
    "countries": Query(
        "breakdown.sql",
        "amazon_appstore__country_report",
        ("month", "app", "currency", "country"),
        ("units", "downloads"),
        ("net_sales",),
        key=("country_short",),
    ),
    "devices": Query(
        "breakdown.sql",
        "amazon_appstore__device_report",
        ("month", "app", "currency", "device"),
        ("units", "downloads"),
        ("net_sales",),
        key=("device",),
    ),
    "products": Query(
        "breakdown.sql",
        "amazon_appstore__product_report",
        ("month", "app", "currency", "product"),
        ("units",),
        ("net_sales",),
        key=("item_type", "vendor_sku", "asin"),
        label="item_name",
    ),
    "subscriptions": Query(
        "subscriptions.sql",
        "amazon_appstore__subscription_report",
        ("month", "app"),
        (*_ACTIVE, "paid_active_before", *_EVENTS),
        levels=_ACTIVE,
        flows=_EVENTS,
    ),
    "mrr": Query(
        "mrr.sql",
        "amazon_appstore__mrr",
        ("month", "app", "currency"),
        ("subscribers",),
        ("mrr", *_MOVEMENTS),
        levels=("subscribers", "mrr"),
        flows=_MOVEMENTS,
    ),
}
