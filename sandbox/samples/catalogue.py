"""What the sample developer sells, and where."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo


class Marketplace(NamedTuple):
    """An Amazon marketplace; its reports are in its own currency and time zone."""

    name: str
    country: str
    currency: str
    zone: ZoneInfo
    rate: Decimal
    """What a US dollar costs in the marketplace's currency, for pricing."""

    def price(self, us_dollars: Decimal) -> Decimal:
        """Price something as a developer would: yen without decimals."""
        unit = Decimal(1) if self.currency == "JPY" else Decimal("0.01")
        return (us_dollars * self.rate).quantize(unit, ROUND_HALF_UP)


def _marketplace(name: str, country: str, currency: str, zone: str, rate: str) -> Marketplace:
    return Marketplace(name, country, currency, ZoneInfo(zone), Decimal(rate))


MARKETPLACES = (
    _marketplace("Amazon.com", "US", "USD", "America/Los_Angeles", "1"),
    _marketplace("Amazon.com.au", "AU", "AUD", "Australia/Sydney", "1.5"),
    _marketplace("Amazon.com.br", "BR", "BRL", "America/Sao_Paulo", "5"),
    _marketplace("Amazon.ca", "CA", "CAD", "America/Toronto", "1.4"),
    _marketplace("Amazon.de", "DE", "EUR", "Europe/Paris", "1"),
    _marketplace("Amazon.es", "ES", "EUR", "Europe/Paris", "1"),
    _marketplace("Amazon.fr", "FR", "EUR", "Europe/Paris", "1"),
    _marketplace("Amazon.it", "IT", "EUR", "Europe/Paris", "1"),
    _marketplace("Amazon.co.uk", "GB", "GBP", "Europe/London", "0.8"),
    _marketplace("Amazon.in", "IN", "INR", "Asia/Kolkata", "80"),
    _marketplace("Amazon.co.jp", "JP", "JPY", "Asia/Tokyo", "150"),
)


class Product(NamedTuple):
    """An app, or something that is sold within one."""

    asin: str
    vendor_sku: str
    title: str
    name: str
    item_type: str
    us_dollars: Decimal
    term: str = ""


TERM_MONTHS = {
    "Weekly": 1,
    "BiWeekly": 1,
    "Monthly": 1,
    "BiMonthly": 2,
    "Quarterly": 3,
    "SemiAnnually": 6,
    "Annually": 12,
}
"""The subscription terms, and after how many months one that began in a month is charged again."""

_TRUCK = "Monster Truck Derby"
_PUZZLE = 'Puzzle "Pro", Deluxe'
_SUSHI = "寿司タイマー"
_YOGA = "Yoga\nfor Beginners"
_TIDES = "Météo & Marées, édition France, Belgique"
_DIARY = "مفكرتي اليومية"
_CRICKET = "क्रिकेट लीग 🏏"
_CHESS = "Шахматы, «Гроссмейстер»"


def _app(number: int, sku: str, title: str, us_dollars: str) -> Product:
    return _product(number, sku, title, us_dollars)._replace(name=title, item_type="Application")


def _item(number: int, sku: str, title: str, us_dollars: str, *, name: str) -> Product:
    return _product(number, sku, title, us_dollars)._replace(name=name, item_type="In-App")


def _plan(term: str, item: Product) -> Product:
    return item._replace(item_type="Subscription", term=term)


def _product(number: int, sku: str, title: str, us_dollars: str) -> Product:
    asin, vendor_sku = f"B0{number:08}", f"com.example.{sku}"
    return Product(asin, vendor_sku, title, "", "", Decimal(us_dollars))


FREE_APPS = (
    _app(101, "sushi", _SUSHI, "0"),
    _app(102, "yoga", _YOGA, "0"),
)
PAID_APPS = (
    _app(201, "puzzle", _PUZZLE, "2.99"),
    _app(202, "tides", _TIDES, "4.99"),
    _app(203, "diary", _DIARY, "1.99"),
)
GAMES = (
    _app(301, "truck", _TRUCK, "4.99")._replace(item_type="Game"),
    _app(302, "chess", _CHESS, "7.99")._replace(item_type="Game"),
)
ITEMS = (
    _item(401, "truck.coins-100", _TRUCK, "0.99", name="100 Coins"),
    _item(402, "truck.coins-1000", _TRUCK, "6.99", name="1,000 Coins"),
    _item(403, "cricket.bat", _CRICKET, "1.99", name='The "Master" Bat'),
    _item(404, "sushi.wasabi", _SUSHI, "0.49", name="わさび,\n大盛り"),
    _item(405, "chess.hints", _CHESS, "2.49", name="Подсказки"),
)
PLANS = (
    _plan("Monthly", _item(501, "yoga.month", _YOGA, "9.99", name="Yoga, monthly")),
    _plan("Annually", _item(502, "yoga.year", _YOGA, "79.99", name="Yoga, yearly")),
    _plan("Weekly", _item(503, "tides.week", _TIDES, "0.99", name="Marées 7 j")),
    _plan("BiWeekly", _item(504, "tides.2weeks", _TIDES, "1.79", name="Marées 14 j")),
    _plan("BiMonthly", _item(505, "diary.2months", _DIARY, "5.49", name="اشتراك شهرين")),
    _plan("Quarterly", _item(506, "sushi.quarter", _SUSHI, "7.99", name="寿司クラブ")),
    _plan("SemiAnnually", _item(507, "cricket.half", _CRICKET, "14.99", name="VIP, 6 Months")),
)
TEST_ITEM = _item(901, "test.item", "", "0.99", name="")
