"""The marts' figures, computed from the rows in the plainest way: day by day, one by one."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.e2e.transform.rows import DAYS, Row, add_months, term_end

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

GRACE = timedelta(days=6)
LAG = timedelta(days=2)
TERMS_A_YEAR = {
    "Weekly": 52,
    "BiWeekly": 26,
    "Monthly": 12,
    "BiMonthly": 6,
    "Quarterly": 4,
    "SemiAnnually": 2,
    "Annually": 1,
}
MOVEMENTS = ("new", "expansion", "reactivated", "contraction", "churned", "plan_change")


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
    adjustments: int
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
    adjustments = sum(1 for row in rows if row["adjustment"])
    for row in rows:
        if row["adjustment"]:
            continue
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
    return Sales._make(
        [*units, *units_back, adjustments, gross, *sales_back, other, net, earnings, len(rows)]
    )


class Mrr(NamedTuple):
    """Recurring revenue at the end of a day, and its movements since the day before."""

    mrr: Decimal
    new: Decimal
    expansion: Decimal
    reactivated: Decimal
    contraction: Decimal
    churned: Decimal
    plan_change: Decimal
    subscribers: int
    subscriptions: int
    is_provisional: bool


_Plan = tuple[str, str, str]
"""ASIN, SKU and currency."""
_Person = tuple[str, str]
"""App and who it is."""
_Prices = dict[_Person, dict[_Plan, Decimal]]


class _Period(NamedTuple):
    person: _Person
    plan: _Plan
    begins: date
    ends: date
    price: Decimal
    stops: list[tuple[date, str]]

    def is_in_force(self, day: date) -> bool:
        return self.begins <= day < self.ends and not _is_stopped(self.stops, day)


def _is_stopped(stops: list[tuple[date, str]], day: date) -> bool:
    kinds = [kind for on, kind in stops if on <= day]
    reversals = kinds.count("Chargeback reversal")
    return "Refund" in kinds or kinds.count("Chargeback") > reversals


def mrr(rows: Iterable[Row]) -> dict[tuple[object, ...], Mrr]:
    """Return the recurring revenue by day, app, ASIN, SKU and currency."""
    lines = standing(rows)
    last_day, last_final_day = last_days(lines)
    periods = _periods([row for row in lines if row["item_type"] == "Subscription"], last_final_day)
    day = min(period.begins for period in periods)
    before: _Prices = {}
    began: dict[tuple[_Person, _Plan], date] = {}
    have_paid: set[tuple[_Person, str]] = set()
    seen: set[tuple[str, _Plan]] = set()
    found: dict[tuple[object, ...], Mrr] = {}
    while day <= last_day:
        now: defaultdict[_Person, dict[_Plan, Decimal]] = defaultdict(dict)
        for period in periods:
            if period.is_in_force(day):
                now[period.person][period.plan] = period.price
        moved = _movements(before, now, have_paid)
        levels: defaultdict[tuple[str, _Plan], list[Decimal]] = defaultdict(list)
        people: Counter[tuple[str, _Plan]] = Counter()
        for person, prices in now.items():
            for plan, price in prices.items():
                levels[person[0], plan].append(price)
                have_paid.add((person, plan[2]))
                if plan not in before.get(person, {}):
                    began[person, plan] = day
            newest = min(prices, key=lambda plan: (-began[person, plan].toordinal(), plan))
            people[person[0], newest] += 1
        seen |= levels.keys()
        for app, plan in seen:
            prices_now = levels[app, plan]
            found[(day, app, *plan)] = Mrr._make(
                [
                    sum(prices_now, Decimal(0)),
                    *(moved[app, plan, movement] for movement in MOVEMENTS),
                    people[app, plan],
                    len(prices_now),
                    day > last_final_day - GRACE - timedelta(days=1),
                ]
            )
        before = now
        day += timedelta(days=1)
    return found


def _movements(
    before: _Prices, now: _Prices, have_paid: set[tuple[_Person, str]]
) -> defaultdict[tuple[str, _Plan, str], Decimal]:
    """Return the movements by app, plan and kind, of each person and currency net."""
    moved: defaultdict[tuple[str, _Plan, str], Decimal] = defaultdict(Decimal)
    for person in before.keys() | now.keys():
        old, new = before.get(person, {}), now.get(person, {})
        for currency in {plan[2] for plan in old.keys() | new.keys()}:
            changes = {
                plan: new.get(plan, Decimal(0)) - old.get(plan, Decimal(0))
                for plan in sorted(old.keys() | new.keys())
                if plan[2] == currency
            }
            changes = {plan: change for plan, change in changes.items() if change}
            if not changes:
                continue
            net = sum(changes.values())
            if not any(plan[2] == currency for plan in old):
                kind = "reactivated" if (person, currency) in have_paid else "new"
            elif not any(plan[2] == currency for plan in new):
                kind = "churned"
            else:
                kind = "expansion" if net > 0 else "contraction"
            sign = -1 if net < 0 else 1
            one_way = all(change > 0 for change in changes.values()) or all(
                change < 0 for change in changes.values()
            )
            booked = changes
            if not one_way:
                most = max(changes, key=lambda plan: sign * changes[plan])
                booked = {most: net} if net else {}
            for plan, change in changes.items():
                movement = booked.get(plan, Decimal(0))
                moved[person[0], plan, kind] += abs(movement)
                moved[person[0], plan, "plan_change"] += change - movement
    return moved


class _Charge(NamedTuple):
    row: Row
    person: _Person
    plan: _Plan
    day: date
    due: date
    stops: list[tuple[date, str]]

    @property
    def is_returned(self) -> bool:
        return _is_stopped(self.stops, date.max)


def _periods(lines: Sequence[Row], last_final_day: date) -> list[_Period]:
    plans: defaultdict[tuple[_Person, _Plan], list[_Charge]] = defaultdict(list)
    for charge in _charges(lines):
        earlier = plans[charge.person, charge.plan]
        kept = [other.due for other in earlier if not other.is_returned]
        # Bought by mistake and given back, long before it is due.
        if not (charge.is_returned and kept and charge.day < max(kept) - GRACE):
            earlier.append(charge)
    begins = [
        (person, plan, charge.day)
        for (person, plan), charges in plans.items()
        for before, charge in zip([None, *charges[:-1]], charges, strict=True)
        if before is None or charge.day > before.due + GRACE
    ]
    periods = []
    for (person, plan), charges in plans.items():
        for charge, following in zip(charges, [*charges[1:], None], strict=True):
            in_time = [
                day
                for other, other_plan, day in begins
                if other == person
                and other_plan != plan
                and charge.due <= day <= charge.due + GRACE
            ]
            if following and following.day <= charge.due + GRACE:
                ends = following.day
            elif in_time:
                ends = min(in_time)
            else:
                ends = charge.due if charge.due + GRACE < last_final_day else date.max
            row = charge.row
            worth = row["sales_price"] * TERMS_A_YEAR[row["in_app_subscription_term"]] / 12
            price = worth.quantize(Decimal("0.000001"))
            periods.append(_Period(person, plan, charge.day, ends, price, charge.stops))
    return periods


def _charges(lines: Sequence[Row]) -> Iterable[_Charge]:
    days_of_month: dict[tuple[_Person, _Plan], int] = {}
    for row in sorted(lines, key=day_of):
        if row["transaction_type"] != "Charge" or row["sales_price"] <= 0 or row["adjustment"]:
            continue
        person = (row["title"], _subscriber(row))
        plan = (row["asin"], row["vendor_sku"], currency_of(row))
        day, term = day_of(row), row["in_app_subscription_term"]
        key = (person, plan)
        days_of_month[key] = max(day.day, days_of_month.get(key, 0))
        due = term_end(day, term)
        if term not in DAYS and day == month_end(day):
            last = month_end(due)
            due = last.replace(day=min(last.day, days_of_month[key]))
        stops = [
            (day_of(other), str(other["transaction_type"]))
            for other in lines
            if other["transaction_type"] in _BACK
            and not other["adjustment"]
            and other["digital_order_id"] == row["digital_order_id"]
        ]
        yield _Charge(row, person, plan, day, due, stops)


def month_end(day: date) -> date:
    """Return the last day of a day's month."""
    return add_months(day.replace(day=1), 1) - timedelta(days=1)


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
    """Count trials by the day on which they converted, with app, ASIN and SKU of the trial."""
    lines = [row for row in lines if row["item_type"] == "Subscription"]
    trials = [row for row in lines if row["in_app_subscription_status"] == "TRIAL"]
    paid: dict[_Person, date] = {}
    for charge in _charges(lines):
        if not any(
            day == charge.day for day, kind in charge.stops if kind in ("Refund", "Chargeback")
        ):
            paid.setdefault(charge.person, charge.day)
    found: Counter[tuple[Any, ...]] = Counter()
    for row in trials:
        converted = paid.get((row["title"], _subscriber(row)))
        latest = term_end(day_of(row), row["in_app_subscription_term"]) + GRACE
        if converted and day_of(row) <= converted <= latest:
            found[converted, row["title"], row["asin"], row["vendor_sku"]] += 1
    return found


def last_days(lines: Iterable[Row]) -> tuple[date, date]:
    """Return the last known day, of closed months the month's, and the last final one."""
    known = []
    for row in lines:
        end, written = month_end(row["report_month"]), row["report_last_modified"].date()
        day = end if written > end else min(day_of(row), end)
        known.append((day, day if written > day + LAG else day - LAG))
    return max(day for day, _ in known), max(day for _, day in known)
