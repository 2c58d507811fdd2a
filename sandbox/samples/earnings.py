"""Sample earnings reports: what is paid for the sales of a month."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING

from sandbox.samples.catalogue import MARKETPLACES, Marketplace
from sandbox.samples.layout import Table, add_months, observed_time
from sandbox.samples.sales import sum_earnings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sandbox.samples.business import Business

_HEADER = (
    "Marketplace,Invoice Group ID,Invoice ID,Payment ID,Payment No.,Earnings Period Start Date,"
    "Earnings Period End Date,Earnings Pre-Tax and Adjustments,"
    "Earnings Pre-Tax and Adjustments Currency,Adjustments,Adjustments Currency,Tax Withheld,"
    "Tax Withheld Currency,Exchange Rate,Mode of Payment,Payment Amount,"
    "Payment Amount Currency,Payment Status,Payment Issue Date,Payment Failure Date,Vendor ID,"
    "Invoice Start Month,Invoice Year"
)
_FIELDS = tuple(_HEADER.split(","))
_STATUSES = {"issued": 76, "not issued": 10, "rejected": 8, "": 6}
_CENT = Decimal("0.01")
_TAX = Decimal("0.05")


def payment_day(month: date) -> date:
    """Return the day on which a month's earnings are paid: 30 days after its end."""
    return add_months(month, 1) + timedelta(days=29)


def make_table(business: Business, months: Sequence[date]) -> Table:
    """Make an earnings report: for each month and marketplace two rows that repeat one payment.

    Only one form of this report is known, so it looks the same in every month.
    """
    rows = (row for month in months for row in _make_rows(business, month))
    return Table(_FIELDS, dict(zip(_FIELDS, _FIELDS, strict=True)), rows)


def _make_rows(business: Business, month: date) -> Iterator[list[str]]:
    for number, (name, sums) in enumerate(sum_earnings(business, month).items()):
        random = Random(f"{business.seed} payment {month:%Y-%m} {name}")
        (status,) = random.choices(list(_STATUSES), list(_STATUSES.values()))
        if any(sums):
            yield from _make_payment(month, number, sums, status)


def _make_payment(
    month: date, number: int, sums: Sequence[Decimal], status: str
) -> Iterator[list[str]]:
    marketplace = MARKETPLACES[number]
    currency = marketplace.currency
    paid_on = _format_midnight(payment_day(month), marketplace)
    group = f"{month:%Y%m}{number:06}"
    rate = (1 / marketplace.rate).quantize(Decimal("0.000001"))
    for invoice, earnings in enumerate(sums):
        yield [
            marketplace.name,
            group,
            f"{group}-{invoice + 1}",
            f"PAY{group}" if status else "",
            f"{number + 1}" if status == "issued" else "",
            _format_midnight(month, marketplace),
            _format_midnight(add_months(month, 1) - timedelta(days=1), marketplace),
            str(earnings),
            currency,
            str(earnings if invoice else Decimal("0.00")),
            currency,
            str((earnings * _TAX).quantize(_CENT)),
            currency,
            str(rate),
            "Electronic Funds Transfer",
            str((sum(sums, Decimal()) * (1 - _TAX) * rate).quantize(_CENT)),
            "USD",
            status,
            paid_on if status in ("issued", "rejected") else "",
            paid_on if status == "rejected" else "",
            "M1EXAMPLE",
            f"{month:%B}",
            f"{month:%Y}",
        ]


def _format_midnight(day: date, marketplace: Marketplace) -> str:
    return observed_time(datetime(day.year, day.month, day.day, tzinfo=marketplace.zone))
