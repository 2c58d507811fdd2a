"""The simulated business behind the samples: how large it is, and who subscribes.

All reports of an account come from it, so they agree. A business of `size` sells about `size` line
items a month in 2026, more later and fewer before. Large ones are several `copies` of a small one,
with their own customers: time and memory do not grow with a report's subscribers.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from functools import lru_cache
from itertools import count
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from sandbox.samples.catalogue import (
    MARKETPLACE_WEIGHTS,
    MARKETPLACES,
    PLAN_WEIGHTS,
    PLANS,
    Marketplace,
    Product,
)
from sandbox.samples.layout import add_months, timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator

TRIAL = "TRIAL"
PAID = "PAID"
INTRODUCTION = "Introductory Price - All Customers"
PROMOTION = "Promotional Price - Lapsed Customers"

_LARGEST = 2_000
_GROWTH = 1.022
# More devices are activated around Christmas, Prime Day and Black Friday.
_SEASONS = (1.15, 1.0, 0.95, 0.93, 0.92, 0.95, 1.08, 1.0, 0.92, 0.95, 1.05, 1.2)
_SUBSCRIBERS = 0.065
"""New subscribers a month per line item: nearly half of the line items are subscriptions then."""
_STARTS = {TRIAL: 70, INTRODUCTION: 14, PROMOTION: 6, PAID: 10}
_CONVERSION = 0.45
_GOLDEN_RATIO = 0.618034
_LONGEST = 36
"""Months after which the last subscription of a cohort has ended."""
# Months or days of a term, and the share that is not renewed after it.
_TERMS = {
    "Weekly": (0, 7, 0.07),
    "BiWeekly": (0, 14, 0.08),
    "Monthly": (1, 0, 0.045),
    "BiMonthly": (2, 0, 0.07),
    "Quarterly": (3, 0, 0.10),
    "SemiAnnually": (6, 0, 0.17),
    "Annually": (12, 0, 0.25),
}
_REFUNDED, _CHARGED_BACK, _REVERSED = 0.012, 0.006, 0.5
_DAY = 86_400.0


class SubscriptionLine(NamedTuple):
    """A line item of a subscription."""

    time: float
    subscriber: str
    transaction_id: str
    plan: Product
    marketplace: Marketplace
    transaction_type: str
    status: str
    period: int
    """0: the trial; then the number of the paid period."""
    us_dollars: Decimal


class Subscription(NamedTuple):
    """What one row a day of the subscription report is about."""

    plan: Product
    marketplace: Marketplace
    kind: str


@dataclass
class Cohort:
    """Everything that happens to the subscribers who start in a month."""

    lines: defaultdict[date, list[SubscriptionLine]] = field(
        default_factory=lambda: defaultdict(list)
    )
    """By the marketplace's month."""
    changes: defaultdict[date, Counter[tuple[Subscription, str]]] = field(
        default_factory=lambda: defaultdict(Counter)
    )
    """How many subscriptions are `started`, `ended` and `refunded`, by day in UTC."""


@dataclass(frozen=True)
class Business:
    """A developer's business; `seed` distinguishes developers."""

    size: float
    seed: str = ""

    @property
    def copies(self) -> int:
        """How many times the simulated subscribers exist."""
        return max(1, math.ceil(self.size / _LARGEST))

    def count_lines(self, month: date) -> int:
        """Return the number of line items of a month."""
        return round(self.size * level(month))

    def cohorts(self, month: date) -> Iterator[Cohort]:
        """Yield the cohorts that can be active in a month, or a few hours before or after it."""
        for age in range(_LONGEST + 2, -2, -1):
            yield _make_cohort(add_months(month, -age), self.size / self.copies, self.seed)


def level(month: date) -> float:
    """Return the size of business in a month; 1 is an average month around 2026-01."""
    months = (month.year - 2026) * 12 + month.month - 1
    return float(_GROWTH**months) * _SEASONS[month.month - 1]


@lru_cache(maxsize=2 * _LONGEST)
def _make_cohort(month: date, size: float, seed: str) -> Cohort:
    random = Random(f"{seed} cohort {month:%Y-%m}")
    cohort = Cohort()
    for number in range(max(1, round(size * _SUBSCRIBERS * level(month)))):
        _Subscriber(cohort, month, number, random).live(random)
    return cohort


class _Subscriber:
    """Adds what happens to a subscriber to the cohort."""

    def __init__(self, cohort: Cohort, month: date, number: int, random: Random) -> None:
        (self._plan,) = random.choices(PLANS, cum_weights=PLAN_WEIGHTS)
        (self._marketplace,) = random.choices(MARKETPLACES, cum_weights=MARKETPLACE_WEIGHTS)
        self._months, self._days, self._churn = _TERMS[self._plan.term]
        self._cohort = cohort
        self._number = number
        self._id = f"{month:%y%m}{number:06}"
        zone = self._marketplace.zone
        begin, end = timestamp(month, zone), timestamp(add_months(month, 1), zone)
        self._start = begin + random.random() * (end - begin)

    def live(self, random: Random) -> None:
        """Simulate a trial (or none) and paid periods until the end."""
        (status,) = random.choices(list(_STARTS), list(_STARTS.values()))
        start = self._start
        if status == TRIAL:
            start += (7 if self._months else 3) * _DAY
            self._add_line(self._start, 0, TRIAL, Decimal(0))
            self._add_span("trial", self._start, start)
            # Evenly spread, so that small samples convert as large ones do.
            if (self._number * _GOLDEN_RATIO + 0.3) % 1 >= _CONVERSION:
                return
            status = PAID
        end, refunded = self._pay(start, status, random)
        self._add_span("paid", start, end, refunded=refunded)

    def _pay(self, start: float, status: str, random: Random) -> tuple[float, bool]:
        """Add the charges of all periods; returns when the last one ends, and if by a refund."""
        full = self._plan.us_dollars
        for period in count(1):
            begin, end = self._term_start(start, period - 1), self._term_start(start, period)
            if status in (INTRODUCTION, PROMOTION) and period > (2 if self._months == 1 else 1):
                status = PAID
            price = full if status == PAID else full / 2
            self._add_line(begin, period, status, price)
            fate = random.random()
            if fate < _REFUNDED + _CHARGED_BACK:
                refunded = fate < _REFUNDED
                kind = "Refund" if refunded else "Chargeback"
                back = begin + (0.1 + 0.8 * random.random()) * min(end - begin, 25 * _DAY)
                self._add_line(back, period, status, price, kind)
                if not refunded and random.random() < _REVERSED:
                    self._add_line(back + 12 * _DAY, period, status, price, "Chargeback reversal")
                return back, refunded
            left = _LONGEST * 30 * _DAY - (self._term_start(start, period + 1) - self._start)
            if random.random() < self._churn or left < 0:
                return end, False
        raise AssertionError

    def _term_start(self, start: float, terms: int) -> float:
        if self._days:
            return start + terms * self._days * _DAY
        first = datetime.fromtimestamp(start, self._marketplace.zone)
        month = add_months(first.date(), terms * self._months)
        last_day = (add_months(month, 1) - timedelta(days=1)).day
        day = min(first.day, last_day)
        return first.replace(month.year, month.month, day).timestamp()

    def _add_line(
        self, time: float, period: int, status: str, price: Decimal, kind: str = "Charge"
    ) -> None:
        month = datetime.fromtimestamp(time, self._marketplace.zone).date().replace(day=1)
        self._cohort.lines[month].append(
            SubscriptionLine(
                time=time,
                subscriber=self._id,
                transaction_id=f"1{self._id}{period:03}",
                plan=self._plan,
                marketplace=self._marketplace,
                transaction_type=kind,
                status=status,
                period=period,
                us_dollars=price,
            )
        )

    def _add_span(self, kind: str, start: float, end: float, *, refunded: bool = False) -> None:
        subscription = Subscription(self._plan, self._marketplace, kind)
        changes = self._cohort.changes
        changes[_utc_day(start)][subscription, "started"] += 1
        changes[_utc_day(end)][subscription, "ended"] += 1
        if refunded:
            changes[_utc_day(end)][subscription, "refunded"] += 1


def _utc_day(time: float) -> date:
    return datetime.fromtimestamp(time, timezone.utc).date()
