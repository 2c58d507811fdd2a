"""Rows as the tap delivers them, and an account made of them."""

from __future__ import annotations

import calendar
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import count
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

Row = dict[str, Any]


def month_of(day: date) -> date:
    """Return the first day of a day's month."""
    return day.replace(day=1)


def add_months(day: date, months: int) -> date:
    """Return the same day some months later, or the last one there is."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return date(year, month + 1, min(day.day, last))


def sale(line_id: str, day: date, *, month: date | None = None, **changes: object) -> Row:
    """Return a line of the sales report: an item sold, unless told otherwise.

    Args:
        line_id: the key.
        day: when it was sold.
        month: the month whose report holds it; by default the day's.
        **changes: other columns.
    """
    report_month = month or month_of(day)
    return {
        "line_id": line_id,
        "report_month": report_month,
        "report_last_modified": datetime.combine(add_months(report_month, 1), time(6))
        + timedelta(days=3),
        "marketplace": "Amazon.com",
        "country_region_code": "US",
        "transaction_id": line_id,
        "transaction_at": datetime.combine(day, time(12)),
        "transaction_date": day,
        "transaction_type": "Charge",
        "adjustment": False,
        "asin": "B0401",
        "vendor_sku": "chess.hints",
        "title": "Chess",
        "item_name": "Hints",
        "item_type": "In-App",
        "units": 1,
        "marketplace_currency": "USD",
        "sales_price": Decimal("1.99"),
        "estimated_earnings": Decimal("1.39"),
        "digital_order_id": f"D01-{line_id}",
        "device_type": "Fire TV",
    } | changes


def subscription(line_id: str, day: date, **changes: object) -> Row:
    """Return a line of the subscription report."""
    return {
        "line_id": line_id,
        "report_month": month_of(day),
        "report_last_modified": datetime.combine(add_months(month_of(day), 1), time(6)),
        "date": day,
        "marketplace": "Amazon.com",
        "app_title": "Yoga",
        "asin": "B0501",
        "vendor_sku": "yoga.month",
        "subscription_title": "Yoga, monthly",
        "subscription_duration": "Monthly",
        "subscription_type": "paid",
        "active": 100,
        "started": 5,
        "ended": 4,
        "refunded": 1,
    } | changes


class Plan(NamedTuple):
    """A subscription on offer."""

    app: str
    asin: str
    sku: str
    term: str
    price: Decimal


PLANS = [
    Plan("Yoga", "B0501", "yoga.month", "Monthly", Decimal("9.99")),
    Plan("Yoga", "B0502", "yoga.year", "Annually", Decimal("79.99")),
    Plan("Yoga", "B0503", "yoga.quarter", "Quarterly", Decimal("24.99")),
    Plan("Chess", "B0504", "chess.week", "Weekly", Decimal("1.99")),
    Plan("Chess", "B0505", "chess.2weeks", "BiWeekly", Decimal("2.99")),
    Plan("Chess", "B0506", "chess.half", "SemiAnnually", Decimal("19.99")),
]
DAYS = {"Weekly": 7, "BiWeekly": 14}
MONTHS = {"Monthly": 1, "BiMonthly": 2, "Quarterly": 3, "SemiAnnually": 6, "Annually": 12}
CURRENCIES = [
    ("USD", "US", "Amazon.com"),
    ("EUR", "DE", "Amazon.de"),
    ("JPY", "JP", "Amazon.co.jp"),
]

FIRST_DAY = date(2022, 11, 15)
FIRST_DELIVERY = datetime(2024, 3, 16, 6)  # noqa: DTZ001 - as warehouses have it
SECOND_DELIVERY = datetime(2024, 4, 21, 6)  # noqa: DTZ001
RESTATED = date(2024, 2, 1)


def term_end(day: date, term: str) -> date:
    """Return the first day after a term that begins on a day."""
    if term in DAYS:
        return day + timedelta(days=DAYS[term])
    return add_months(day, MONTHS[term])


def deliveries() -> tuple[list[Row], list[Row]]:
    """Return an account's sales as they are loaded on two days, always the same.

    Whatever can happen does. Between the two days February is restated, March goes on and April
    begins. One line moves from December's report to February's, one that was alone in its month
    gets another day, and yearly plans of the year before are renewed late or refunded.
    """
    random = Random("account")  # noqa: S311
    rows = [*_purchases(random)]
    for number in range(60):
        rows += _subscriber(random, number)

    year = next(plan for plan in PLANS if plan.term == "Annually")
    rows += [_year("long-ago", date(2023, 1, 31), year), _year("refunded", date(2023, 6, 10), year)]
    moved = sale("moved", date(2023, 12, 31))
    alone = sale("alone", date(2022, 9, 5), month=RESTATED)
    withdrawn = [sale(f"withdrawn-{number}", RESTATED) for number in range(3)]
    first = [*_written(rows, FIRST_DELIVERY), moved, alone, *withdrawn]

    rows += [moved | {"report_month": RESTATED}, alone | {"transaction_date": date(2024, 2, 5)}]
    # What the second delivery has to say of yearly plans that were sold long before: one has been
    # renewed three days late, and one refunded.
    rows.append(_year("long-ago-2", date(2024, 2, 3), year) | {"app_user_id": "long-ago"})
    rows.append(_year("refund", date(2024, 4, 5), year) | {"transaction_type": "Refund"})
    rows[-1] |= {"app_user_id": None, "digital_order_id": "D01-refunded"}
    second = _written(rows, SECOND_DELIVERY)
    for row in second:
        if row["report_month"] == RESTATED:
            row["report_last_modified"] = SECOND_DELIVERY
            if row["transaction_type"] == "Charge":
                row["estimated_earnings"] += Decimal("0.01")
    return first, second


def _year(line_id: str, day: date, plan: Plan) -> Row:
    return _charge(line_id, day, plan, plan.price, "PAID") | {"app_user_id": line_id}


def _written(rows: list[Row], at: datetime) -> list[Row]:
    """Return the rows of what is known the day before a time, the open month's written then."""
    return [
        row | {"report_last_modified": min(row["report_last_modified"], at)}
        for row in rows
        if row["report_month"] < at.date() and (row["transaction_date"] or FIRST_DAY) < at.date()
    ]


def _purchases(random: Random) -> Iterator[Row]:
    numbers = count()
    month = month_of(FIRST_DAY)
    while month <= SECOND_DELIVERY.date():
        for _ in range(12):
            day = month + timedelta(days=random.randrange(28))
            currency, country, marketplace = random.choice(CURRENCIES)
            row = sale(
                f"item-{next(numbers)}",
                day,
                marketplace=marketplace,
                country_region_code=country,
                marketplace_currency=currency,
                device_type=random.choice(["Fire TV", "Fire Tablet", "Others", None]),
            )
            kind = random.choice(["install", "app", "item", "game", "refund", "chargeback"])
            if kind in ("install", "app"):
                row |= {"item_type": "Application", "asin": "B0101", "vendor_sku": "chess"}
            if kind == "install":
                row |= {"sales_price": Decimal(0), "estimated_earnings": Decimal(0)}
            if kind == "game":
                row |= {"item_type": "Game", "title": "Truck", "asin": "B0402"}
            if kind in ("refund", "chargeback"):
                row |= _given_back(random, kind.capitalize(), row)
            yield row
        # A sale of the month's last days that the next month's report brings.
        yield sale(f"late-{next(numbers)}", add_months(month, 1) - timedelta(days=1))
        yield sale(f"later-{next(numbers)}", month - timedelta(days=1), month=month)
        month = add_months(month, 1)
    month = date(2023, 5, 1)
    yield sale("no-day", month, transaction_date=None, transaction_at=None)
    yield sale("no-title", month, title=None, item_name=None, asin="B0000")
    yield sale("no-currency", month, marketplace_currency=None)
    yield sale(
        "no-type", month, transaction_type=None, item_type=None, sales_price=Decimal("-0.50")
    )
    # Types that are not documented keep their signs: these two come to 2.00.
    unknown: Row = {"transaction_type": "Correction", "item_type": "Application"}
    yield sale("more", month, **unknown, sales_price=Decimal("5.00"))
    yield sale("less", month, **unknown, sales_price=Decimal("-3.00"))
    yield sale("canada", month, marketplace_currency="CAN", country_region_code="CA")
    yield sale("nothing", month, units=None, sales_price=None, estimated_earnings=None, asin=None)


def _subscriber(random: Random, number: int) -> Iterator[Row]:
    """Yield what a subscriber is charged and gets back, until they leave or the reports end."""
    currency, country, marketplace = CURRENCIES[number % len(CURRENCIES)]
    plan = random.choice(PLANS)
    price = plan.price
    day = FIRST_DAY + timedelta(days=random.randrange(400))
    user = {"receipt_id": f"receipt/{number}=:1:0"}
    if number % 5:
        user["app_user_id"] = f"user/{number}="
    if random.random() < 0.4:
        yield _charge(f"trial-{number}", day, plan, Decimal(0), "TRIAL") | user
        day += timedelta(days=7)
    for renewal in count(1):
        if day > SECOND_DELIVERY.date():
            return
        charge = _charge(f"sub-{number}-{renewal}", day, plan, price, "PAID") | user
        charge |= {
            "marketplace": marketplace,
            "country_region_code": country,
            "marketplace_currency": currency,
            "receipt_id": f"receipt/{number}=:1:{renewal}",
        }
        yield charge
        yield from _aftermath(random, charge, day)
        day = term_end(day, plan.term)
        fate = random.random()
        if fate < 0.08:
            return
        if fate < 0.2:
            day += timedelta(days=random.randrange(4, 80))
        elif fate < 0.5:
            day += timedelta(days=random.randrange(-2, 4))
        elif fate < 0.65:
            price = (price * random.choice([Decimal("0.8"), Decimal("1.25")])).quantize(plan.price)
        elif fate < 0.75:
            plan = random.choice([other for other in PLANS if other.app == plan.app])
            price = plan.price


def _charge(line_id: str, day: date, plan: Plan, price: Decimal, status: str) -> Row:
    return sale(
        line_id,
        day,
        title=plan.app,
        asin=plan.asin,
        vendor_sku=plan.sku,
        item_name=plan.sku,
        item_type="Subscription",
        in_app_subscription_term=plan.term,
        in_app_subscription_status=status,
        sales_price=price,
        estimated_earnings=(price * Decimal("0.7")).quantize(Decimal("0.01")),
    )


def _aftermath(random: Random, charge: Row, day: date) -> Iterator[Row]:
    """Yield the refund of a charge, or its chargeback and the reversal of that, if there are any."""
    fate = random.random()
    if fate > 0.15:
        return
    kinds = ["Refund"] if fate < 0.05 else ["Chargeback", "Chargeback reversal"]
    for kind in kinds[: random.randrange(1, 3)]:
        day += timedelta(days=random.randrange(25))
        line_id = f"{charge['line_id']}-{kind}"
        when = {column: sale(line_id, day)[column] for column in _OF_A_LINES_OWN}
        yield charge | when | _given_back(random, kind, charge) | random.choice(_ANONYMOUS)


_OF_A_LINES_OWN = (
    "line_id",
    "report_month",
    "report_last_modified",
    "transaction_at",
    "transaction_date",
)
# Adjustments name nobody; whether refunds share the transaction or only the order is not known.
_ANONYMOUS: list[Row] = [
    {},
    {"adjustment": True, "app_user_id": None, "receipt_id": None},
    {"transaction_id": None, "app_user_id": None},
]


def _given_back(random: Random, kind: str, charge: Row) -> Row:
    sign = 1 if kind == "Chargeback reversal" else -1
    return {
        "transaction_type": kind,
        "sales_price": charge["sales_price"] * random.choice([-1, 1]),
        "estimated_earnings": charge["estimated_earnings"] * sign,
    }
