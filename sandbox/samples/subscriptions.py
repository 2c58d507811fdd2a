"""Sample subscription reports."""

from __future__ import annotations

import calendar
import math
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from sandbox.samples.catalogue import MARKETPLACES, PLANS, Marketplace, Product
from sandbox.samples.layout import Table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

_DOCUMENTED = (
    "Date",
    "Marketplace",
    "App Title",
    "ASIN",
    "Vendor SKU",
    "Subscription Title",
    "Subscription Duration",
    "Subscription Type",
    "Active",
    "Started",
    "Ended",
    "Refunded",
)
# Nobody has seen other names; but the order of columns varies.
_OBSERVED = _DOCUMENTED[1:8] + _DOCUMENTED[:1] + _DOCUMENTED[8:]


def table(month: date, rows: int, restatement: int, *, observed: bool) -> Table:
    """Make a subscription report of `rows` rows, one for each day and subscription.

    From one day to the next, across months too, the active ones of a subscription grow by those
    started less those ended.
    """
    lines = _lines(month, rows, restatement)
    if not observed:
        return Table(_DOCUMENTED, lines)
    order = [_DOCUMENTED.index(name) for name in _OBSERVED]
    return Table(_OBSERVED, ([line[place] for place in order] for line in lines))


class _Subscription(NamedTuple):
    """A plan in a marketplace, on trial or paid; `number` tells it from all others."""

    number: int
    plan: Product
    marketplace: Marketplace
    kind: str

    @classmethod
    def of(cls, number: int) -> _Subscription:
        """Return the subscription of a number: first all plans as they are, then variants."""
        number_of_plan, paid = divmod(number, 2)
        # Neither number divides the other, so that every plan meets every marketplace.
        variant = number_of_plan // (len(PLANS) * len(MARKETPLACES))
        marketplace = MARKETPLACES[number_of_plan % len(MARKETPLACES)]
        product = PLANS[number_of_plan % len(PLANS)]
        if variant:
            product = product._replace(
                asin=f"{product.asin[:2]}{variant:05}{product.asin[-3:]}",
                vendor_sku=f"{product.vendor_sku}.v{variant}",
                name=f"{product.name} (v{variant})",
            )
        return cls(number, product, marketplace, "paid" if paid else "trial")

    def active(self, day: int) -> int:
        """Return how many are active at the end of a day: up and down with the seasons."""
        size = 40 + self.number * 37 % 400
        season = math.sin((day + 13 * self.number) * math.tau / 365.25)
        return round(size * (1 + season / 4)) + (day * 7919 + self.number * 104729) % 7 // 3

    def line(self, day: date) -> list[str]:
        """Write the row of a day."""
        ordinal = day.toordinal()
        growth = self.active(ordinal) - self.active(ordinal - 1)
        renewed = (ordinal * 31 + self.number * 17) % 9 // 4
        ended = renewed + max(-growth, 0)
        return [
            f"{day.month:02}/{day.day:02}/{day.year % 100:02}",
            self.marketplace.name,
            self.plan.title,
            self.plan.asin,
            self.plan.vendor_sku,
            self.plan.name,
            self.plan.term,
            self.kind,
            str(self.active(ordinal)),
            str(renewed + max(growth, 0)),
            str(ended),
            str(ended // 4),
        ]


def _lines(month: date, rows: int, restatement: int) -> Iterator[list[str]]:
    random = Random(f"subscription {month:%Y-%m} {restatement}")
    for day, subscriptions in _days(month, rows, restatement):
        lines = (subscription.line(day) for subscription in subscriptions)
        yield from _restated(list(lines), random) if restatement else lines


def _days(month: date, rows: int, restatement: int) -> Iterator[tuple[date, list[_Subscription]]]:
    days = calendar.monthrange(month.year, month.month)[1]
    # On the last days there is one subscription more, if that is how the rows come out even.
    on_all_days, on_last_days = divmod(rows, days)
    # Each restatement withdraws a subscription and adds another one.
    subscriptions = [
        _Subscription.of(number) for number in range(restatement, restatement + on_all_days + 1)
    ]
    for day in range(1, days + 1):
        number = on_all_days + (day > days - on_last_days)
        yield month.replace(day=day), subscriptions[:number]


_CORRECTED = 0.05


def _restated(lines: list[list[str]], random: Random) -> list[list[str]]:
    title, refunded = _DOCUMENTED.index("Subscription Title"), _DOCUMENTED.index("Refunded")
    for line in lines:
        if random.random() < _CORRECTED:
            line[title] += " (HD)"
        if random.random() < _CORRECTED:
            line[refunded] = str(int(line[refunded]) + 1)
    random.shuffle(lines)
    return lines
