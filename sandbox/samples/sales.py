"""Sample sales reports: subscriptions as they were simulated, and everything else that is sold."""

from __future__ import annotations

import hashlib
from base64 import b64encode, urlsafe_b64encode
from collections import deque
from datetime import date, datetime, timezone
from decimal import Decimal
from functools import lru_cache
from heapq import merge
from itertools import cycle, islice
from random import Random
from typing import TYPE_CHECKING

from sandbox.samples import catalogue
from sandbox.samples.catalogue import MARKETPLACE_WEIGHTS, MARKETPLACES, amounts, identify
from sandbox.samples.layout import Table, add_months, documented_time, observed_time, timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.samples.business import Business, SubscriptionLine
    from sandbox.samples.catalogue import Marketplace, Product

    Line = tuple[float, list[str]]
    """When it happened, and its cells."""

_HEADER = (
    "Marketplace,Country/Region Code,Invoice Id,Transaction Id,Transaction Time,"
    "Transaction Type,Adjustment,ASIN,Vendor SKU,Title,Item Name,Item Type,"
    "In-App Subscription Term,In-App Subscription Status,Units,Usage Time,Marketplace Currency,"
    "Sales Price,Estimated Earnings,App User ID,Receipt ID,Digital Order ID,Device Type,"
    "Sales Channel,Device OS"
)
_FIELDS = tuple(_HEADER.split(","))
_DOCUMENTED = _FIELDS[:-2]
_OBSERVED_ORDER = (0, 23, 1, 2, 3, 21, *range(4, 21), 22, 24)
OBSERVED_NAMES = {
    "Invoice Id": "Invoice ID",
    "Transaction Id": "Transaction ID",
    "In-App Subscription Status": "In-App Subscription Status (Trial / Paid)",
    "Usage Time": "Usage Time for Underground Apps (seconds)",
    "Sales Price": "Sales Price (Marketplace Currency)",
    "Estimated Earnings": "Estimated Earnings (Marketplace Currency)",
}
_INVOICE, _TIME, _TYPE, _ADJUSTMENT = 2, 4, 5, 6
_PRICE, _EARNINGS = 17, 18

# Device type, sales channel and device OS.
_DEVICES = (
    ("Fire TV", "Amazon Appstore", "Fire OS"),
    ("Fire Tablet", "Amazon Appstore", "Fire OS"),
    ("Fire Tablet", "Amazon Appstore", "Fire OS"),
    ("Android Phone", "Amazon Appstore", "Android"),
    ("Others", "Web", ""),
)
# How many of a hundred line items that are no subscriptions are of which kind.
_MIX = {
    "install": 49,
    "item": 26,
    "purchase": 9,
    "game": 6,
    "refund": 3,
    "chargeback": 1,
    "reversal": 1,
    "adjustment": 1,
    "test": 1,
    "late": 3,
}
# In which order they come: any hundred has all of them.
_SEQUENCE = Random(1).sample(list(_MIX), 100, counts=_MIX.values())


def make_table(
    business: Business, month: date, until: date, *, observed: bool, rows: int | None = None
) -> Table:
    """Make a sales report: `rows` line items, or as many as the business has before `until`.

    `until` is a midnight in UTC. Memory does not grow with the number of rows.
    """
    lines = make_lines(business, month, until, observed_time if observed else documented_time, rows)
    order = [_FIELDS[i] for i in _OBSERVED_ORDER] if observed else _DOCUMENTED
    names = OBSERVED_NAMES if observed else {}
    return Table(_FIELDS, {field: names.get(field, field) for field in order}, lines)


def make_lines(
    business: Business,
    month: date,
    until: date,
    format_time: Callable[[datetime], str] = observed_time,
    rows: int | None = None,
) -> Iterator[list[str]]:
    """Yield the line items of a month, each copy of the business in the order of their time."""
    total = business.count_lines(month) if rows is None else rows
    end = timestamp(until, timezone.utc)
    subscriptions = [line for c in business.cohorts(month) for line in c.lines.get(month, ())]
    subscriptions.sort()
    share, rest = divmod(total, business.copies)
    for copy in range(business.copies):
        number = share + (copy < rest)
        seller = _Seller(business.seed, month, copy, format_time)
        others = seller.sell(max(0, number - len(subscriptions)))
        lines = merge(map(seller.charge, subscriptions), others, key=lambda line: line[0])
        for time, line in islice(lines, number if rows is not None else None):
            if time < end:
                yield line


@lru_cache(maxsize=24)
def sum_earnings(business: Business, month: date) -> dict[str, list[Decimal]]:
    """Sum a month's estimated earnings up by marketplace: first sales, then adjustments."""
    sums = {marketplace.name: [Decimal(), Decimal()] for marketplace in MARKETPLACES}
    for line in make_lines(business, month, date.max, lambda _: ""):
        sums[line[0]][line[_ADJUSTMENT] == "Yes"] += Decimal(line[_EARNINGS])
    return sums


class _Seller:
    """Makes the line items of one copy of the business in a month."""

    def __init__(
        self, seed: str, month: date, copy: int, format_time: Callable[[datetime], str]
    ) -> None:
        self._random = Random(f"{seed} sales {month:%Y-%m} {copy}")
        self._seed = seed
        self._name = f"{seed} {copy}"
        self._copy = copy
        self._month, self._next_month = month, add_months(month, 1)
        self._format_time = format_time
        self._number = 0
        self._charges: deque[Line] = deque(maxlen=50)
        self._chargebacks: deque[Line] = deque(maxlen=50)

    def charge(self, line: SubscriptionLine) -> Line:
        """Make the line item of a subscription."""
        # Copies differ in the seconds; the day, which the subscription report counts, is the same.
        time = line.time // 60 * 60 + self._copy * 7 % 60
        cells = self._make_cells(
            line.plan._replace(us_dollars=line.us_dollars),
            line.marketplace,
            time,
            f"{line.transaction_id}{self._copy:04}0",
            customer=f"subscriber {line.subscriber}",
            receipt_end=f":1:{line.period}",
            status=line.status,
        )
        if line.transaction_type == "Charge":
            return time, cells
        return time, self._take_back(cells, line.transaction_type)

    def sell(self, number: int) -> Iterator[Line]:
        """Make line items that are no subscriptions, each a little later than the one before.

        Refunds follow their charges; the last of a few charges are remembered for that.
        """
        makers: dict[str, Callable[[float], Line]] = {
            "install": lambda at: self._sell_any(catalogue.FREE_APPS, at),
            "item": lambda at: self._sell_any(catalogue.ITEMS, at, ":3:11"),
            "purchase": lambda at: self._sell_any(catalogue.PAID_APPS, at),
            "game": lambda at: self._sell_any(catalogue.GAMES, at, ":1:11"),
            "refund": lambda at: self._follow_up(self._charges, at, "Refund"),
            "chargeback": lambda at: self._follow_up(self._charges, at, "Chargeback"),
            "reversal": lambda at: self._follow_up(self._chargebacks, at, "Chargeback reversal"),
            "adjustment": self._adjust,
            "test": lambda at: self._sell_any((catalogue.TEST_ITEM,), at, ":3:11"),
            # A sale of the last two days before the month.
            "late": lambda at: self._sell_any(catalogue.ITEMS, -0.06 * at - 0.0001, ":3:11"),
        }
        for place, kind in enumerate(islice(cycle(_SEQUENCE), number)):
            self._number = place
            yield makers[kind]((place + self._random.random()) / number)

    def _sell_any(self, products: tuple[Product, ...], at: float, receipt_end: str = "") -> Line:
        """Sell one of `products` when the share `at` of the month has passed."""
        random = self._random
        product = products[int(random.random() * len(products))]
        (marketplace,) = random.choices(MARKETPLACES, cum_weights=MARKETPLACE_WEIGHTS)
        time = self._find_time(at, marketplace)
        customer = f"customer {int(random.random() ** 2 * 400)}" if receipt_end else ""
        cells = self._make_cells(
            product,
            marketplace,
            time,
            f"2{self._month:%y%m}{self._copy:04}{self._number:06}0",
            customer=customer,
            receipt_end=receipt_end,
        )
        if product.us_dollars and at >= 0:
            self._charges.append((time, cells))
        return time, cells

    def _follow_up(self, earlier: deque[Line], at: float, kind: str) -> Line:
        """Refund or charge back an earlier charge, or reverse that; all have one Transaction Id."""
        if not earlier:
            return self._sell_any(catalogue.ITEMS, at, ":3:11")
        time, cells = earlier.popleft()
        cells = cells.copy()
        for amount in (_PRICE, _EARNINGS):
            cells[amount] = cells[amount].removeprefix("-")
        cells[_INVOICE] = _make_invoice_id(self._random)
        (marketplace,) = (m for m in MARKETPLACES if m.name == cells[0])
        time = max(time, self._find_time(at, marketplace))
        cells[_TIME] = self._format_time(datetime.fromtimestamp(time, marketplace.zone))
        line = time, self._take_back(cells, kind)
        if kind == "Chargeback":
            self._chargebacks.append(line)
        return line

    def _take_back(self, cells: list[str], kind: str) -> list[str]:
        cells[_TYPE] = kind
        if kind != "Chargeback reversal":
            # Amazon documents a negative price, but there are reports where only earnings are.
            if self._random.random() < 0.5:  # noqa: PLR2004
                cells[_PRICE] = f"-{cells[_PRICE]}"
            cells[_EARNINGS] = f"-{cells[_EARNINGS]}"
        return cells

    def _adjust(self, at: float) -> Line:
        """Refund half of a charge of an earlier month."""
        time, cells = self._sell_any(catalogue.ITEMS, at)
        self._charges.pop()
        half = Decimal(cells[_EARNINGS]) / 2
        cells[_ADJUSTMENT] = "Yes"
        cells[_EARNINGS] = str(half.quantize(Decimal(cells[_EARNINGS])))
        return time, self._take_back(cells, "Refund")

    def _find_time(self, at: float, marketplace: Marketplace) -> float:
        begin = timestamp(self._month, marketplace.zone)
        return begin + at * (timestamp(self._next_month, marketplace.zone) - begin)

    def _make_cells(  # noqa: PLR0913
        self,
        product: Product,
        marketplace: Marketplace,
        time: float,
        transaction_id: str,
        *,
        customer: str,
        receipt_end: str,
        status: str = "",
    ) -> list[str]:
        device_type, sales_channel, device_os = _DEVICES[int(self._random.random() * len(_DEVICES))]
        customer = customer and f"{self._name} {customer}"
        return [
            marketplace.name,
            marketplace.country,
            _make_invoice_id(self._random),
            transaction_id,
            self._format_time(datetime.fromtimestamp(time, marketplace.zone)),
            "Charge",
            "No",
            *identify(product, self._seed),
            product.title,
            product.name,
            product.item_type,
            product.term,
            status,
            "1",
            "",
            marketplace.currency,
            *amounts(product.us_dollars, marketplace),
            _make_user_id(customer) if customer else "",
            _make_receipt_id(customer, product) + receipt_end if customer else "",
            _make_order_id(self._random),
            device_type,
            sales_channel,
            device_os,
        ]


def _make_invoice_id(random: Random) -> str:
    digits = f"{random.getrandbits(144):036x}"
    return f"{digits[:9]}-{digits[9:22]}-{digits[22:]}"


def _make_order_id(random: Random) -> str:
    return f"D01-{int(random.random() * 1e7):07}-{int(random.random() * 1e7):07}"


def _make_user_id(customer: str) -> str:
    return b64encode(hashlib.sha256(customer.encode()).digest()).decode()


def _make_receipt_id(customer: str, product: Product) -> str:
    receipt = f"{customer} {product.asin}"
    return urlsafe_b64encode(hashlib.sha256(receipt.encode()).digest()).decode()
