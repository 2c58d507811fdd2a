"""The sample developer's business: what happens in a month, sale by sale."""

from __future__ import annotations

import hashlib
from base64 import b64encode, urlsafe_b64encode
from collections import deque
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from itertools import count, cycle, islice
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from sandbox.samples import catalogue
from sandbox.samples.catalogue import MARKETPLACES, TERM_MONTHS, Marketplace, Product
from sandbox.samples.months import following_month

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Sale(NamedTuple):
    """A line item, before it is written down."""

    marketplace: str
    country: str
    invoice_id: str
    transaction_id: str
    time: datetime
    transaction_type: str
    adjustment: str
    asin: str
    vendor_sku: str
    title: str
    item_name: str
    item_type: str
    term: str
    status: str
    units: str
    usage_time: str
    currency: str
    sales_price: str
    estimated_earnings: str
    app_user_id: str
    receipt_id: str
    digital_order_id: str
    device_type: str
    sales_channel: str
    device_os: str


class _Offer(NamedTuple):
    """A product in a marketplace, at a price."""

    product: Product
    marketplace: Marketplace
    price: str
    earnings: str


_DEVELOPERS_SHARE = Decimal("0.7")


def _offer(product: Product, marketplace: Marketplace, us_dollars: Decimal) -> _Offer:
    price = marketplace.price(us_dollars)
    earnings = marketplace.price(us_dollars * _DEVELOPERS_SHARE)
    return _Offer(product, marketplace, str(price), str(earnings))


def _offers(*products: Product, discounted_to: str = "1") -> list[_Offer]:
    # Half of all sales are made in the first marketplace, the United States.
    marketplaces = MARKETPLACES + MARKETPLACES[:1] * (len(MARKETPLACES) - 2)
    return [
        _offer(product, marketplace, product.us_dollars * Decimal(discounted_to))
        for product in products
        for marketplace in marketplaces
    ]


_INSTALLS = _offers(*catalogue.FREE_APPS)
_PURCHASES = _offers(*catalogue.PAID_APPS)
_GAMES = _offers(*catalogue.GAMES)
_ITEMS = _offers(*catalogue.ITEMS)
_TESTS = _offers(catalogue.TEST_ITEM)
_PLANS = _offers(*catalogue.PLANS)
_DISCOUNTS = _offers(*catalogue.PLANS, discounted_to="0.5")
_TRIALS = _offers(*catalogue.PLANS, discounted_to="0")

# Device type, sales channel and device OS.
_DEVICES = (
    ("Fire TV", "Amazon Appstore", "Fire OS"),
    ("Fire Tablet", "Amazon Appstore", "Fire OS"),
    ("Fire Tablet", "Amazon Appstore", "Fire OS"),
    ("Android Phone", "Amazon Appstore", "Android"),
    ("Others", "Web", ""),
)

# How many of a hundred line items are of which kind.
_MIX = {
    "item": 24,
    "install": 22,
    "renewal": 16,
    "purchase": 8,
    "game": 6,
    "trial": 6,
    "conversion": 5,
    "introduction": 3,
    "refund": 3,
    "promotion": 2,
    "chargeback": 1,
    "reversal": 1,
    "adjustment": 1,
    "test": 1,
    "late": 1,
}
# In which order they come: each kind spread evenly, so that small reports have some of each too.
_SEQUENCE = [
    kind
    for _, _, kind in sorted(
        ((number + 0.5) / of_hundred, place, kind)
        for place, (kind, of_hundred) in enumerate(_MIX.items())
        for number in range(of_hundred)
    )
]


_LONGEST_SUBSCRIPTION = 36
_TRIALS_FOR_A_LAPSE = 3


class _Subscriber(NamedTuple):
    """Somebody who began a trial: the month in which, and which of that month's trials it was."""

    month: int
    number: int

    def lapses(self) -> bool:
        """Tell whether the trial ends without a paid subscription."""
        return self.number % _TRIALS_FOR_A_LAPSE == 1

    def is_charged_in(self, month: int) -> bool:
        """Tell whether the subscription is renewed in a month after the one in which it began."""
        age = month - self.month
        lifetime = 1 + (self.month * 5 + self.number * 7) % _LONGEST_SUBSCRIPTION
        term = TERM_MONTHS[self.choose(_PLANS).product.term]
        return not self.lapses() and age <= lifetime and age % term == 0

    def choose(self, offers: list[_Offer]) -> _Offer:
        """Choose an offer: of all lists of the same products, the one for the same product."""
        return offers[(self.month * 31 + self.number * 17) % len(offers)]


def sales_of(month: date, rows: int) -> Iterator[Sale]:
    """Make the line items of a month, in the order of their time but for those that come late.

    Refunds follow their charges, conversions follow their trials, and renewals the trials of
    earlier months. What is remembered for that does not grow with the number of rows.
    """
    trader = _Trader(month, rows)
    makers: dict[str, Callable[[], Sale]] = {
        "item": trader.item,
        "install": partial(trader.app, _INSTALLS),
        "renewal": trader.renewal,
        "purchase": partial(trader.app, _PURCHASES),
        "game": trader.game,
        "trial": trader.trial,
        "conversion": trader.conversion,
        "introduction": partial(trader.discounted, "Introductory Price - All Customers"),
        "promotion": partial(trader.discounted, "Promotional Price - Lapsed Customers"),
        "refund": partial(trader.taken_back, "Refund"),
        "chargeback": partial(trader.taken_back, "Chargeback"),
        "reversal": trader.reversal,
        "adjustment": trader.adjustment,
        "test": trader.test,
        "late": trader.late,
    }
    for make in islice(cycle([makers[kind] for kind in _SEQUENCE]), rows):
        yield make()


class _Trader:
    """Makes line items, each a little later than the one before."""

    def __init__(self, month: date, rows: int) -> None:
        self._random = Random(f"sales {month:%Y-%m}")
        self._month = month.year * 12 + month.month
        self._clocks = {m.name: _Clock(month, m, rows) for m in MARKETPLACES}
        self._customers = max(20, rows // 8)
        self._numbers = count()
        self._number = 0
        self._charges: deque[Sale] = deque(maxlen=50)
        self._chargebacks: deque[Sale] = deque(maxlen=50)
        self._taken_back = 0
        self._trials = 0
        self._converting = 0
        self._renewing = self._renewals()

    def app(self, offers: list[_Offer]) -> Sale:
        """Sell an app: a new installation, for which reports name neither user nor receipt."""
        return self._sale(self._any(offers))

    def game(self) -> Sale:
        """Sell a game to a customer, who may have bought something before."""
        return self._sale(self._any(_GAMES), self._customer(), ":1:11")

    def item(self) -> Sale:
        """Sell something within an app to a customer, who may have bought something before."""
        return self._sale(self._any(_ITEMS), self._customer(), ":3:11")

    def trial(self) -> Sale:
        """Begin a trial."""
        subscriber = _Subscriber(self._month, self._trials)
        self._trials += 1
        return self._subscription(subscriber, _TRIALS, "TRIAL")

    def conversion(self) -> Sale:
        """Convert the oldest trial of the month that does not lapse."""
        while (subscriber := _Subscriber(self._month, self._converting)).lapses():
            self._converting += 1
        if self._converting >= self._trials:
            return self.renewal()
        self._converting += 1
        return self._subscription(subscriber, _PLANS, "PAID", periods=1)

    def renewal(self) -> Sale:
        """Renew a subscription that began in an earlier month."""
        subscriber = next(self._renewing)
        periods = 1 + self._month - subscriber.month
        return self._subscription(subscriber, _PLANS, "PAID", periods)

    def discounted(self, status: str) -> Sale:
        """Begin a subscription at a discount instead of a trial."""
        return self._sale(self._any(_DISCOUNTS), self._customer(), ":1:1", status)

    def taken_back(self, transaction_type: str) -> Sale:
        """Give the money of an earlier charge of the month back; both share a Transaction Id."""
        if not self._charges:
            return self.item()
        charge = self._charges.popleft()
        # Amazon documents a negative price, but there are reports where only earnings are.
        positive = self._taken_back % 2 == 1
        self._taken_back += 1
        sale = self._follow_up(
            charge,
            transaction_type=transaction_type,
            sales_price=charge.sales_price if positive else f"-{charge.sales_price}",
            estimated_earnings=f"-{charge.estimated_earnings}",
        )
        if transaction_type == "Chargeback":
            self._chargebacks.append(sale)
        return sale

    def reversal(self) -> Sale:
        """Decide a chargeback in the developer's favour."""
        if not self._chargebacks:
            return self.item()
        chargeback = self._chargebacks.popleft()
        return self._follow_up(
            chargeback,
            transaction_type="Chargeback reversal",
            sales_price=chargeback.sales_price.removeprefix("-"),
            estimated_earnings=chargeback.estimated_earnings.removeprefix("-"),
        )

    def adjustment(self) -> Sale:
        """Give half of the money of a charge in an earlier month back."""
        offer = self._any(_ITEMS)
        half = offer.marketplace.price(offer.product.us_dollars * _DEVELOPERS_SHARE / 2)
        return self._sale(offer)._replace(
            transaction_type="Refund",
            adjustment="Yes",
            sales_price=f"-{offer.price}",
            estimated_earnings=f"-{half}",
        )

    def test(self) -> Sale:
        """Sell an item that is still being tested."""
        return self._sale(self._any(_TESTS), "tester", ":3:11")

    def late(self) -> Sale:
        """Report a sale of the end of the month before."""
        sale = self.item()
        return sale._replace(time=self._clocks[sale.marketplace].before(self._random.random()))

    def _any(self, offers: list[_Offer]) -> _Offer:
        return offers[int(self._random.random() * len(offers))]

    def _customer(self) -> str:
        return f"customer {int(self._random.random() * self._customers)}"

    def _renewals(self) -> Iterator[_Subscriber]:
        for number in count():
            for month in range(self._month - _LONGEST_SUBSCRIPTION, self._month):
                subscriber = _Subscriber(month, number)
                if subscriber.is_charged_in(self._month):
                    yield subscriber

    def _subscription(
        self, subscriber: _Subscriber, offers: list[_Offer], status: str, periods: int = 0
    ) -> Sale:
        name = f"subscriber {subscriber.month} {subscriber.number}"
        return self._sale(subscriber.choose(offers), name, f":1:{periods}", status)

    def _sale(
        self, offer: _Offer, customer: str = "", receipt_end: str = "", status: str = ""
    ) -> Sale:
        product, marketplace, price, earnings = offer
        random = self._random.random
        self._number = number = next(self._numbers)
        device_type, sales_channel, device_os = _DEVICES[int(random() * len(_DEVICES))]
        sale = Sale(
            marketplace=marketplace.name,
            country=marketplace.country,
            invoice_id=new_invoice_id(self._random),
            transaction_id=f"{self._month}{number * _GAP:09}",
            time=self._clocks[marketplace.name].at(number + random()),
            transaction_type="Charge",
            adjustment="No",
            asin=product.asin,
            vendor_sku=product.vendor_sku,
            title=product.title,
            item_name=product.name,
            item_type=product.item_type,
            term=product.term,
            status=status,
            units="1",
            usage_time="",
            currency=marketplace.currency,
            sales_price=price,
            estimated_earnings=earnings,
            app_user_id=_user_id(customer) if customer else "",
            receipt_id=_receipt_id(customer, product) + receipt_end if customer else "",
            digital_order_id=new_order_id(self._random),
            device_type=device_type,
            sales_channel=sales_channel,
            device_os=device_os,
        )
        if Decimal(earnings):
            self._charges.append(sale)
        return sale

    def _follow_up(self, sale: Sale, **changes: str) -> Sale:
        self._number = number = next(self._numbers)
        return sale._replace(
            invoice_id=new_invoice_id(self._random),
            time=self._clocks[sale.marketplace].at(number + self._random.random()),
            **changes,
        )


class _Clock:
    """Spreads rows over a month, as it is in a marketplace."""

    def __init__(self, month: date, marketplace: Marketplace, rows: int) -> None:
        self._zone = marketplace.zone
        following = following_month(month)
        self._start = self._timestamp(month)
        self._seconds_for_row = (self._timestamp(following) - self._start) / rows

    def at(self, row: float) -> datetime:
        """Return the time of a row; its fraction tells when in the row's share of the month."""
        return datetime.fromtimestamp(self._start + row * self._seconds_for_row, self._zone)

    def before(self, fraction: float) -> datetime:
        """Return a time in the last two days before the month."""
        return datetime.fromtimestamp(self._start - 1 - fraction * 2 * 86400, self._zone)

    def _timestamp(self, day: date) -> float:
        return datetime(day.year, day.month, day.day, tzinfo=self._zone).timestamp()


# Between the numbers of two transactions there is room for those that a restatement adds.
_GAP = 41


def new_invoice_id(random: Random) -> str:
    """Make the id of a line item, in Amazon's form."""
    digits = f"{random.getrandbits(144):036x}"
    return f"{digits[:9]}-{digits[9:22]}-{digits[22:]}"


def new_order_id(random: Random) -> str:
    """Make the id of an order, in Amazon's form."""
    return f"D01-{int(random.random() * 1e7):07}-{int(random.random() * 1e7):07}"


def _user_id(customer: str) -> str:
    return b64encode(hashlib.sha256(customer.encode()).digest()).decode()


def _receipt_id(customer: str, product: Product) -> str:
    receipt = f"{customer} {product.asin}"
    return urlsafe_b64encode(hashlib.sha256(receipt.encode()).digest()).decode()
