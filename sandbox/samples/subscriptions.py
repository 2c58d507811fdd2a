"""Sample subscription reports."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date, timedelta
from typing import TYPE_CHECKING

from sandbox.samples.business import Subscription
from sandbox.samples.catalogue import identify
from sandbox.samples.layout import Table, add_months

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.samples.business import Business

_HEADER = (
    "Date,Marketplace,App Title,ASIN,Vendor SKU,Subscription Title,Subscription Duration,"
    "Subscription Type,Active,Started,Ended,Refunded"
)
_FIELDS = tuple(_HEADER.split(","))
# No other names are known; but the order of columns varies.
_OBSERVED = _FIELDS[1:8] + _FIELDS[:1] + _FIELDS[8:]


def make_table(business: Business, month: date, until: date, *, observed: bool) -> Table:
    """Make a subscription report: a row for each day before `until` and each subscription.

    `Active` is what it was the day before (nothing, without a row), plus those started, less those
    ended.
    """
    order = _OBSERVED if observed else _FIELDS
    return Table(_FIELDS, dict(zip(order, order, strict=True)), _make_rows(business, month, until))


def _make_rows(business: Business, month: date, until: date) -> Iterator[list[str]]:
    # What happened before the month counts for the day before it.
    eve = month - timedelta(days=1)
    changes: defaultdict[date, Counter[tuple[Subscription, str]]] = defaultdict(Counter)
    for cohort in business.cohorts(month):
        for day, counts in cohort.changes.items():
            changes[max(day, eve)].update(counts)
    active = Counter[Subscription]()
    for offset in range((min(add_months(month, 1), until) - eve).days):
        day = eve + timedelta(days=offset)
        for subscription in sorted({*active, *(key[0] for key in changes[day])}):
            started, ended, refunded = (
                changes[day][subscription, what] for what in ("started", "ended", "refunded")
            )
            active[subscription] += started - ended
            numbers = (active[subscription], started, ended, refunded)
            if day >= month and any(numbers):
                yield [f"{day:%m/%d/%y}", *_describe(subscription, business.seed)] + [
                    str(number * business.copies) for number in numbers
                ]


def _describe(subscription: Subscription, seed: str) -> list[str]:
    plan, marketplace, kind = subscription
    identity = identify(plan, seed)
    return [marketplace.name, plan.title, *identity, plan.name, plan.term, kind]
