"""Rows as Amazon's reports have them, for tests to vary, and reports of them."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from sandbox import make_csv

if TYPE_CHECKING:
    from sandbox import Account

MONTH = date(2024, 3, 1)
"""The month that tests read unless they say otherwise."""

NEXT_MONTH = date(2024, 4, 1)

SALE = {
    "Marketplace": "Amazon.com",
    "Country/Region Code": "US",
    "Invoice Id": "8dd921637-b092f385a7ee4-62c6494b3ed702",
    "Transaction Id": "21854260140446",
    "Transaction Time": "03/21/24 14:39 PDT",
    "Transaction Type": "Charge",
    "Adjustment": "No",
    "ASIN": "C00006M4PF",
    "Vendor SKU": "com.gamevendor.fungame",
    "Title": "Smashemup Truck Game",
    "Item Name": "Smashemup Truck Game",
    "Item Type": "Application",
    "In-App Subscription Term": "",
    "In-App Subscription Status": "",
    "Units": "1",
    "Usage Time": "",
    "Marketplace Currency": "USD",
    "Sales Price": "4.99",
    "Estimated Earnings": "3.49",
    "App User ID": "",
    "Receipt ID": "",
    "Digital Order ID": "d01-6680198-0475238",
    "Device Type": "Fire TV",
}
"""A line item with the documented header names, in the documented order."""

SUBSCRIPTION = {
    "Date": "03/29/24",
    "Marketplace": "Amazon.com",
    "App Title": "My Test App",
    "ASIN": "C00006M4PF",
    "Vendor SKU": "com.test.monthly",
    "Subscription Title": "Test Monthly Subscription",
    "Subscription Duration": "Monthly",
    "Subscription Type": "paid",
    "Active": "7261",
    "Started": "163",
    "Ended": "162",
    "Refunded": "1",
}

EARNINGS = {
    "Marketplace": "Amazon.de",
    "Invoice Group ID": "IG-1",
    "Invoice ID": "INV-1",
    "Payment ID": "PAY-1",
    "Payment No.": "17",
    "Earnings Period Start Date": "2024-03-01 00:00:00 CET",
    "Earnings Period End Date": "2024-03-31 00:00:00 CEST",
    "Earnings Pre-Tax and Adjustments": "1234.50",
    "Earnings Pre-Tax and Adjustments Currency": "EUR",
    "Adjustments": "-4.00",
    "Adjustments Currency": "EUR",
    "Tax Withheld": "0.00",
    "Tax Withheld Currency": "EUR",
    "Exchange Rate": "1.0871",
    "Mode of Payment": "EFT",
    "Payment Amount": "1337.66",
    "Payment Amount Currency": "USD",
    "Payment Status": "issued",
    "Payment Issue Date": "2024-04-29 00:00:00 CEST",
    "Payment Failure Date": "",
    "Vendor ID": "V-1",
    "Invoice Start Month": "3",
    "Invoice Year": "2024",
}

ROWS = {"sales": SALE, "subscription": SUBSCRIPTION, "earnings": EARNINGS}
"""A row of each report, by the API's name of it."""


def sale(**changes: str) -> dict[str, str]:
    """Return a line item with other cells, named by the start of their header: `Units="2"`."""
    return _changed(SALE, changes)


def sales(count: int) -> list[dict[str, str]]:
    """Return line items of as many transactions."""
    return [sale(Transaction_Id=str(number)) for number in range(1, count + 1)]


def subscription(**changes: str) -> dict[str, str]:
    """Return a row of the subscription report with other cells."""
    return _changed(SUBSCRIPTION, changes)


def publish(account: Account, *months: date, rows: int = 3) -> None:
    """Publish a sales report for each month; every line item is another transaction.

    The transactions are the same each time: `2024-03-01-1`, `2024-03-01-2` and so on.
    """
    for month in months:
        items = (sale(Transaction_Id=f"{month}-{number}") for number in range(1, rows + 1))
        account.put_report("sales", month, make_csv(items))


def _changed(row: dict[str, str], changes: dict[str, str]) -> dict[str, str]:
    by_name = {name.replace("/", "_").replace("-", "_").replace(" ", "_"): name for name in row}
    return {**row, **{by_name[name]: cell for name, cell in changes.items()}}
