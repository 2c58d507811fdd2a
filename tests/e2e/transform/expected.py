"""The marts' figures, counted from the rows in the plainest way there is: day by day, one by one."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.e2e.transform.rows import Row, add_months, term_end

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

GRACE = timedelta(days=3)
TERMS_A_YEAR = {
    "Weekly": 52,
    "BiWeekly": 26,
    "Monthly": 12,
    "BiMonthly": 6,
    "Quarterly": 4,
    "SemiAnnually": 2,
    "Annually": 1,
}
MOVEMENTS = ("new", "expansion", "reactivated", "contraction", "churned")


def standing(rows: Iterable[Row]) -> list[Row]:
    """Return the rows that have not been withdrawn: those of their month's newest file."""
    rows = list(rows)
    newest = {
        month: max(row["report_last_modified"] for row in rows if row["report_month"] == month)
        for month in {row["report_month"] for row in rows}
    }
    return [row for row in rows if row["report_last_modified"] == newest[row["report_month"]]]


def day_of(row: Row) -> date:
    """Return the day on which a row counts."""
    day: date = row["transaction_date"] or row["report_month"]
    return day


def month_of(row: Row) -> date:
    """Return the first day of the month in which a row counts."""
    return day_of(row).replace(day=1)


def currency_of(row: Row) -> str:
    """Return the currency under which a row counts."""
    return {"CAN": "CAD", None: "XXX"}.get(
        row["marketplace_currency"], str(row["marketplace_currency"])
    )


class Sales(NamedTuple):
    """Measures of sales."""

    downloads: int
    in_app_units: int
    subscription_units: int
    other_units: int
    refunds: int
    chargebacks: int
    chargeback_reversals: int
    gross_sales: Decimal
    refunded_sales: Decimal
    charged_back_sales: Decimal
    reversed_sales: Decimal
    other_sales: Decimal
    net_sales: Decimal
    estimated_earnings: Decimal
    report_lines: int


_UNITS = {"Application": 0, "In-App": 1, "In-Game": 1, "Subscription": 2}
_BACK = {"Refund": 0, "Chargeback": 1, "Chargeback reversal": 2}


def sales_by(rows: Iterable[Row], *columns: str) -> dict[tuple[object, ...], Sales]:
    """Add sales up by day, app, some columns and currency."""
    groups: defaultdict[tuple[object, ...], list[Row]] = defaultdict(list)
    for row in standing(rows):
        app = row["title"] or "(no title)"
        dimensions = [row[column] for column in columns]
        key = (day_of(row), app, *dimensions, currency_of(row))
        groups[key].append(row)
    return {key: _sum(group) for key, group in groups.items()}


def _sum(rows: Sequence[Row]) -> Sales:
    units = [0, 0, 0, 0]
    units_back = [0, 0, 0]
    sales_back = [Decimal(0)] * 3
    gross = other = Decimal(0)
    for row in rows:
        kind, price = row["transaction_type"], row["sales_price"] or Decimal(0)
        if kind == "Charge":
            units[_UNITS.get(row["item_type"], 3)] += row["units"] or 0
            gross += price
        elif kind in _BACK:
            units_back[_BACK[kind]] += abs(row["units"] or 0)
            sales_back[_BACK[kind]] += abs(price)
        else:
            other += price
    net = gross - sales_back[0] - sales_back[1] + sales_back[2] + other
    earnings = sum((row["estimated_earnings"] or Decimal(0) for row in rows), Decimal(0))
    return Sales._make([*units, *units_back, gross, *sales_back, other, net, earnings, len(rows)])


class Mrr(NamedTuple):
    """Recurring revenue at the end of a day, and its movements since the day before."""

    mrr: Decimal
    new: Decimal
    expansion: Decimal
    reactivated: Decimal
    contraction: Decimal
    churned: Decimal
    subscribers: int


_Subscriber = tuple[str, str, str]
_Plan = tuple[str, str]


class _Period(NamedTuple):
    subscriber: _Subscriber
    """App, currency and who it is."""

    plan: _Plan
    begins: date
    ends: date
    price: Decimal
    stops: list[tuple[date, str]]

    def is_in_force(self, day: date) -> bool:
        if not self.begins <= day < self.ends:
            return False
        kinds = [kind for on, kind in self.stops if on <= day]
        reversals = kinds.count("Chargeback reversal")
        return "Refund" not in kinds and kinds.count("Chargeback") <= reversals


def mrr(rows: Iterable[Row]) -> dict[tuple[object, ...], Mrr]:
    """Return the recurring revenue by day, app, ASIN, SKU and currency."""
    lines = standing(rows)
    periods = _periods([row for row in lines if row["item_type"] == "Subscription"])
    day, last_day = min(period.begins for period in periods), _last_day(lines)
    before: dict[_Subscriber, dict[_Plan, Decimal]] = {}
    have_paid: set[_Subscriber] = set()
    seen: set[tuple[str, str, str, str]] = set()
    found: dict[tuple[object, ...], Mrr] = {}
    while day <= last_day:
        now: dict[_Subscriber, dict[_Plan, Decimal]] = defaultdict(dict)
        for period in periods:
            if period.is_in_force(day):
                now[period.subscriber][period.plan] = period.price
        moved = _movements(before, now, have_paid)
        have_paid |= now.keys()
        levels: defaultdict[tuple[str, str, str, str], list[Decimal]] = defaultdict(list)
        for (app, currency, _), prices in now.items():
            for plan, price in prices.items():
                series = (app, *plan, currency)
                levels[series].append(price)
        seen |= levels.keys()
        for series in seen:
            prices_now = levels[series]
            changes = [moved[series, movement] for movement in MOVEMENTS]
            key = (day, *series)
            found[key] = Mrr._make([sum(prices_now, Decimal(0)), *changes, len(prices_now)])
        before = now
        day += timedelta(days=1)
    return found


def _movements(
    before: dict[_Subscriber, dict[_Plan, Decimal]],
    now: dict[_Subscriber, dict[_Plan, Decimal]],
    have_paid: set[_Subscriber],
) -> defaultdict[tuple[tuple[str, str, str, str], str], Decimal]:
    moved: defaultdict[tuple[tuple[str, str, str, str], str], Decimal] = defaultdict(Decimal)
    for subscriber in before.keys() | now.keys():
        app, currency, _ = subscriber
        old, new = before.get(subscriber, {}), now.get(subscriber, {})
        if not old:
            up, down = ("reactivated" if subscriber in have_paid else "new"), ""
        else:
            up, down = "expansion", "contraction" if new else "churned"
        for plan in old.keys() | new.keys():
            change = new.get(plan, Decimal(0)) - old.get(plan, Decimal(0))
            if change:
                moved[(app, *plan, currency), up if change > 0 else down] += abs(change)
    return moved


def _periods(lines: Sequence[Row]) -> list[_Period]:
    charges = sorted(
        (row for row in lines if row["transaction_type"] == "Charge" and row["sales_price"] > 0),
        key=day_of,
    )
    periods = []
    for number, row in enumerate(charges):
        subscriber = (row["title"], currency_of(row), _subscriber(row))
        begins, term = day_of(row), row["in_app_subscription_term"]
        ends = term_end(begins, term)
        following = (
            day_of(other)
            for other in charges[number + 1 :]
            if (other["title"], currency_of(other), _subscriber(other)) == subscriber
            and other["vendor_sku"] == row["vendor_sku"]
        )
        renewed = next(following, None)
        if renewed and renewed <= ends + GRACE:
            ends = renewed
        stops = [
            (day_of(other), str(other["transaction_type"]))
            for other in lines
            if other["transaction_type"] in _BACK
            and other["digital_order_id"] == row["digital_order_id"]
        ]
        price = (row["sales_price"] * TERMS_A_YEAR[term] / 12).quantize(Decimal("0.000001"))
        plan = (row["asin"], row["vendor_sku"])
        periods.append(_Period(subscriber, plan, begins, ends, price, stops))
    return periods


def _subscriber(row: Row) -> str:
    return row.get("app_user_id") or str(row["receipt_id"]).split(":", maxsplit=1)[0]


class Subscriptions(NamedTuple):
    """Subscriptions of a day; None where the subscription report has no row."""

    active: int | None
    paid_ended: int | None
    churn_rate: Decimal | None
    trial_conversions: int
    trial_conversion_rate: Decimal | None


def subscriptions(
    sales: Iterable[Row], report: Iterable[Row]
) -> dict[tuple[object, ...], Subscriptions]:
    """Return the counts of subscriptions by day, app, ASIN and SKU."""
    counts: defaultdict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    for row in standing(report):
        key = (row["date"], row["app_title"], row["asin"], row["vendor_sku"])
        for measure in ("active", "ended"):
            counts[key][measure] += row[measure]
            counts[key][f"{row['subscription_type']}_{measure}"] += row[measure]
    converted = _conversions(standing(sales))
    found: dict[tuple[object, ...], Subscriptions] = {}
    for day, *series in counts.keys() | converted.keys():
        key = (day, *series)
        today, before = counts.get(key), counts.get((day - timedelta(days=1), *series))
        conversions = converted[key]
        decided = conversions + today["trial_ended"] if today else 0
        found[key] = Subscriptions(
            active=today["active"] if today else None,
            paid_ended=today["paid_ended"] if today else None,
            churn_rate=_share(today["paid_ended"], before["paid_active"])
            if today and before
            else None,
            trial_conversions=conversions,
            trial_conversion_rate=_share(conversions, decided),
        )
    return found


def _share(part: int, whole: int) -> Decimal | None:
    return (Decimal(part) / whole).quantize(Decimal("0.000001")) if whole else None


def _conversions(lines: Iterable[Row]) -> Counter[tuple[Any, ...]]:
    """Count those who first paid on a day, and had tried the same subscription before."""
    tried: dict[tuple[Any, ...], date] = {}
    paid: dict[tuple[Any, ...], date] = {}
    for row in sorted(lines, key=day_of):
        if row["item_type"] == "Subscription" and row["transaction_type"] == "Charge":
            key = (_subscriber(row), row["title"], row["asin"], row["vendor_sku"])
            is_trial = row["in_app_subscription_status"] == "TRIAL"
            (tried if is_trial else paid).setdefault(key, day_of(row))
    return Counter(
        (day, *key[1:]) for key, day in paid.items() if key in tried and tried[key] <= day
    )


def _last_day(lines: Iterable[Row]) -> date:
    """Return the last day that the reports tell of: of closed months, the month's."""

    def known(row: Row) -> date:
        end = add_months(row["report_month"], 1) - timedelta(days=1)
        return end if row["report_last_modified"].date() > end else min(day_of(row), end)

    return max(map(known, lines))
