"""Sample sales reports: how the line items are written down, and how they are restated."""

from __future__ import annotations

from decimal import Decimal
from itertools import islice
from operator import itemgetter
from random import Random
from typing import TYPE_CHECKING

from sandbox.samples.layout import Table, documented_time, observed_time
from sandbox.samples.trade import Sale, new_invoice_id, new_order_id, sales_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import date, datetime

_DOCUMENTED = {
    "marketplace": "Marketplace",
    "country": "Country/Region Code",
    "invoice_id": "Invoice Id",
    "transaction_id": "Transaction Id",
    "time": "Transaction Time",
    "transaction_type": "Transaction Type",
    "adjustment": "Adjustment",
    "asin": "ASIN",
    "vendor_sku": "Vendor SKU",
    "title": "Title",
    "item_name": "Item Name",
    "item_type": "Item Type",
    "term": "In-App Subscription Term",
    "status": "In-App Subscription Status",
    "units": "Units",
    "usage_time": "Usage Time",
    "currency": "Marketplace Currency",
    "sales_price": "Sales Price",
    "estimated_earnings": "Estimated Earnings",
    "app_user_id": "App User ID",
    "receipt_id": "Receipt ID",
    "digital_order_id": "Digital Order ID",
    "device_type": "Device Type",
}
_OBSERVED = {
    "marketplace": "Marketplace",
    "sales_channel": "Sales Channel",
    "country": "Country/Region Code",
    "invoice_id": "Invoice ID",
    "transaction_id": "Transaction ID",
    "digital_order_id": "Digital Order ID",
    "time": "Transaction Time",
    "transaction_type": "Transaction Type",
    "adjustment": "Adjustment",
    "asin": "ASIN",
    "vendor_sku": "Vendor SKU",
    "title": "Title",
    "item_name": "Item Name",
    "item_type": "Item Type",
    "term": "In-App Subscription Term",
    "status": "In-App Subscription Status (Trial / Paid)",
    "units": "Units",
    "usage_time": "Usage Time for Underground Apps (seconds)",
    "currency": "Marketplace Currency",
    "sales_price": "Sales Price (Marketplace Currency)",
    "estimated_earnings": "Estimated Earnings (Marketplace Currency)",
    "app_user_id": "App User ID",
    "receipt_id": "Receipt ID",
    "device_type": "Device Type",
    "device_os": "Device OS",
}


def table(month: date, rows: int, restatement: int, *, observed: bool) -> Table:
    """Make a sales report of `rows` line items, in the order of their time."""
    sales = sales_of(month, rows)
    for number in range(1, restatement + 1):
        sales = _restated(sales, Random(f"sales {month} {number}"), number)
    columns = _OBSERVED if observed else _DOCUMENTED
    write_time = observed_time if observed else documented_time
    return Table(list(columns.values()), _lines(sales, list(columns), write_time))


def _lines(
    sales: Iterator[Sale], fields: list[str], write_time: Callable[[datetime], str]
) -> Iterator[Sequence[str]]:
    pick = itemgetter(*(Sale._fields.index(field) for field in fields))
    place = fields.index("time")
    for sale in sales:
        cells = list(pick(sale))
        cells[place] = write_time(sale.time)
        yield cells


# A restatement goes through a report in stretches of this many rows, and changes some in each.
_STRETCH = 60


def _restated(sales: Iterator[Sale], random: Random, number: int) -> Iterator[Sale]:
    while stretch := list(islice(sales, _STRETCH)):
        del stretch[random.randrange(len(stretch))]
        for place in _some(stretch, random, lambda sale: sale.title):
            stretch[place] = _retitled(stretch[place])
        for place in _some(stretch, random, lambda sale: float(sale.estimated_earnings)):
            stretch[place] = _mended(stretch[place])
        for place in _some(stretch, random, lambda sale: sale.transaction_type == "Charge"):
            stretch.append(_added(stretch[place], random, number))
        random.shuffle(stretch)
        yield from stretch


def _some(sales: list[Sale], random: Random, wanted: Callable[[Sale], object]) -> list[int]:
    places = [place for place, sale in enumerate(sales) if wanted(sale)]
    return random.sample(places, min(2, len(places)))


def _retitled(sale: Sale) -> Sale:
    return sale._replace(title=f"{sale.title} (HD)")


def _mended(sale: Sale) -> Sale:
    amount = Decimal(sale.estimated_earnings)
    smallest = Decimal(1).scaleb(int(amount.as_tuple().exponent))
    return sale._replace(estimated_earnings=str(amount + smallest))


def _added(sale: Sale, random: Random, number: int) -> Sale:
    return sale._replace(
        invoice_id=new_invoice_id(random),
        # Line items are numbered with gaps; see `trade`.
        transaction_id=str(int(sale.transaction_id) + number),
        digital_order_id=new_order_id(random),
    )
