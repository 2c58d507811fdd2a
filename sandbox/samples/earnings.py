"""Sample earnings reports."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import count, islice
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from sandbox.samples.catalogue import MARKETPLACES, Marketplace
from sandbox.samples.layout import Table, observed_time
from sandbox.samples.months import following_month

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEADER = (
    "Marketplace",
    "Invoice Group ID",
    "Invoice ID",
    "Payment ID",
    "Payment No.",
    "Earnings Period Start Date",
    "Earnings Period End Date",
    "Earnings Pre-Tax and Adjustments",
    "Earnings Pre-Tax and Adjustments Currency",
    "Adjustments",
    "Adjustments Currency",
    "Tax Withheld",
    "Tax Withheld Currency",
    "Exchange Rate",
    "Mode of Payment",
    "Payment Amount",
    "Payment Amount Currency",
    "Payment Status",
    "Payment Issue Date",
    "Payment Failure Date",
    "Vendor ID",
    "Invoice Start Month",
    "Invoice Year",
)
_STATUSES = ("issued", "issued", "not issued", "issued", "rejected", "")
_CENT = Decimal("0.01")
_TAX = Decimal("0.05")


def table(month: date, rows: int, restatement: int, *, observed: bool) -> Table:  # noqa: ARG001
    """Make an earnings report of `rows` rows; two rows each repeat one payment.

    Only one form of this report has been seen, so it looks the same in every month.
    """
    return Table(_HEADER, islice(_lines(month, restatement), rows))


def _lines(month: date, restatement: int) -> Iterator[list[str]]:
    # Each restatement withdraws a payment and adds another one.
    for number in count(restatement):
        payment = _Payment.of(month, number)
        lines = payment.lines(settled=restatement > 0)
        yield from reversed(lines) if restatement else lines


class _Payment(NamedTuple):
    """What is paid for a month's sales in a marketplace."""

    number: int
    month: date
    marketplace: Marketplace
    earnings: tuple[Decimal, Decimal]
    adjustments: tuple[Decimal, Decimal]

    @classmethod
    def of(cls, month: date, number: int) -> _Payment:
        """Make a payment for two invoices, the second of which adjusts the first."""
        random = Random(f"earnings {month:%Y-%m} {number}")
        earnings = random.randint(10_000, 900_000) * _CENT
        adjustment = -random.randint(0, 5_000) * _CENT
        marketplace = MARKETPLACES[number % len(MARKETPLACES)]
        adjustments = (Decimal("0.00"), adjustment)
        return cls(number, month, marketplace, (earnings, adjustment), adjustments)

    def lines(self, *, settled: bool) -> list[list[str]]:
        """Write the payment's rows; a `settled` one has been issued whatever it was before."""
        status = "issued" if settled else _STATUSES[self.number % len(_STATUSES)]
        return [self._line(invoice, status) for invoice in (0, 1)]

    def _line(self, invoice: int, status: str) -> list[str]:
        currency, month = self.marketplace.currency, self.month
        following = following_month(month)
        paid_on = self._midnight(following + timedelta(days=28))
        group = f"{month:%Y%m}{self.number:06}"
        total = sum(self.earnings, Decimal())
        rate = (1 / self.marketplace.rate).quantize(Decimal("0.000001"))
        return [
            self.marketplace.name,
            group,
            f"{group}-{invoice + 1}",
            f"PAY{group}" if status else "",
            f"{self.number + 1}" if status == "issued" else "",
            self._midnight(month),
            self._midnight(following - timedelta(days=1)),
            str(self.earnings[invoice]),
            currency,
            str(self.adjustments[invoice]),
            currency,
            str((self.earnings[invoice] * _TAX).quantize(_CENT)),
            currency,
            str(rate),
            "Electronic Funds Transfer",
            str((total * (1 - _TAX) * rate).quantize(_CENT)),
            "USD",
            status,
            paid_on if status in ("issued", "rejected") else "",
            paid_on if status == "rejected" else "",
            "M1EXAMPLE",
            f"{month:%B}",
            f"{month:%Y}",
        ]

    def _midnight(self, day: date) -> str:
        return observed_time(datetime(day.year, day.month, day.day, tzinfo=self.marketplace.zone))
