"""What a sample developer sells, and where."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from itertools import accumulate
from typing import NamedTuple
from zlib import crc32
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


MARKETPLACE_WEIGHTS = list(accumulate((50, 4, 4, 5, 9, 3, 4, 4, 9, 3, 5)))
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


_TRUCK = "Monster Truck Derby"
_PUZZLE = 'Puzzle "Pro", Deluxe'
_SUSHI = "寿司タイマー"
_YOGA = "Yoga\nfor Beginners"
_TIDES = "Météo & Marées, édition France, Belgique"
_DIARY = "مفكرتي اليومية"
_CRICKET = "क्रिकेट लीग 🏏"
_CHESS = "Шахматы, «Гроссмейстер»"


def _product(  # noqa: PLR0913, PLR0917
    number: int, sku: str, title: str, price: str, kind: str, name: str = "", term: str = ""
) -> Product:
    asin, vendor_sku = f"B0{number:08}", f"com.example.{sku}"
    return Product(asin, vendor_sku, title, name or title, kind, Decimal(price), term)


FREE_APPS = (
    _product(101, "sushi", _SUSHI, "0", "Application"),
    _product(102, "yoga", _YOGA, "0", "Application"),
)
PAID_APPS = (
    _product(201, "puzzle", _PUZZLE, "2.99", "Application"),
    _product(202, "tides", _TIDES, "4.99", "Application"),
    _product(203, "diary", _DIARY, "1.99", "Application"),
)
GAMES = (
    _product(301, "truck", _TRUCK, "4.99", "Game"),
    _product(302, "chess", _CHESS, "7.99", "Game"),
)
ITEMS = (
    _product(401, "truck.coins-100", _TRUCK, "0.99", "In-App", "100 Coins"),
    _product(402, "truck.coins-1000", _TRUCK, "6.99", "In-App", "1,000 Coins"),
    _product(403, "cricket.bat", _CRICKET, "1.99", "In-App", 'The "Master" Bat'),
    _product(404, "sushi.wasabi", _SUSHI, "0.49", "In-App", "わさび,\n大盛り"),
    _product(405, "chess.hints", _CHESS, "2.49", "In-App", "Подсказки"),
)
_PLAN = "Subscription"
PLAN_WEIGHTS = list(accumulate((45, 20, 8, 5, 7, 10, 5)))
PLANS = (
    _product(501, "yoga.month", _YOGA, "9.99", _PLAN, "Yoga, monthly", "Monthly"),
    _product(502, "yoga.year", _YOGA, "79.99", _PLAN, "Yoga, yearly", "Annually"),
    _product(503, "tides.week", _TIDES, "0.99", _PLAN, "Marées 7 j", "Weekly"),
    _product(504, "tides.2weeks", _TIDES, "1.79", _PLAN, "Marées 14 j", "BiWeekly"),
    _product(505, "diary.2months", _DIARY, "5.49", _PLAN, "اشتراك شهرين", "BiMonthly"),
    _product(506, "sushi.quarter", _SUSHI, "7.99", _PLAN, "寿司クラブ", "Quarterly"),
    _product(507, "cricket.half", _CRICKET, "14.99", _PLAN, "VIP, 6 Months", "SemiAnnually"),
)
# Titles of items that are still being tested are empty.
TEST_ITEM = _product(901, "test.item", "", "0.99", "In-App")


@cache
def identify(product: Product, seed: str) -> tuple[str, str]:
    """Return a product's ASIN and vendor SKU; developers (seeds) have different ones."""
    if not seed:
        return product.asin, product.vendor_sku
    asin = f"B0{crc32(seed.encode()) % 100_000:05}{product.asin[-3:]}"
    return asin, product.vendor_sku.replace("example", seed)


@cache
def amounts(us_dollars: Decimal, marketplace: Marketplace) -> tuple[str, str]:
    """Return price and earnings (70 %) in a marketplace's currency."""
    price = marketplace.price(us_dollars)
    return str(price), str(marketplace.price(us_dollars * Decimal("0.7")))
