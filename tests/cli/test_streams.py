"""What a record holds: every row of every part, typed, with its key and its month."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from sandbox import make_csv
from tap_amazon_appstore.months import add_months
from tests.data import EARNINGS, MONTH, NEXT_MONTH, sale, sales, subscription
from tests.reading import SALES

if TYPE_CHECKING:
    from tests.conftest import Tap

# Runs follow each other at once.
pytestmark = pytest.mark.unlimited

PUBLISHED = datetime(2024, 4, 3, 12, 30, tzinfo=timezone.utc)


def test_sales_row_becomes_a_typed_record(tap: Tap) -> None:
    row = sale(Usage_Time="1200", Adjustment="Yes")
    tap.account.put_report("sales", MONTH, make_csv([row]), PUBLISHED)

    (record,) = tap.read().records()

    assert len(record.pop("line_id")) > 16
    assert record == {
        "report_month": "2024-03-01",
        "report_last_modified": "2024-04-03T12:30:00+00:00",
        "marketplace": "Amazon.com",
        "country_region_code": "US",
        "invoice_id": "8dd921637-b092f385a7ee4-62c6494b3ed702",
        "transaction_id": "21854260140446",
        "transaction_time": "03/21/24 14:39 PDT",
        "transaction_at": "2024-03-21T21:39:00+00:00",
        "transaction_date": "2024-03-21",
        "transaction_type": "Charge",
        "adjustment": True,
        "asin": "C00006M4PF",
        "vendor_sku": "com.gamevendor.fungame",
        "title": "Smashemup Truck Game",
        "item_name": "Smashemup Truck Game",
        "item_type": "Application",
        "in_app_subscription_term": None,
        "in_app_subscription_status": None,
        "units": 1,
        "usage_time": 1200,
        "marketplace_currency": "USD",
        "sales_price": "4.99",
        "estimated_earnings": "3.49",
        "app_user_id": None,
        "receipt_id": None,
        "digital_order_id": "d01-6680198-0475238",
        "device_type": "Fire TV",
        "sales_channel": None,
        "device_os": None,
        "_rescued_data": None,
    } | dict.fromkeys(set(SALES.columns) - SALES.documented)


def test_subscription_row_becomes_a_typed_record(tap: Tap) -> None:
    tap.account.put_report("subscription", MONTH, make_csv([subscription()]), PUBLISHED)

    (record,) = tap.read().records("subscriptions")

    assert len(record.pop("line_id")) > 16
    assert record == {
        "report_month": "2024-03-01",
        "report_last_modified": "2024-04-03T12:30:00+00:00",
        "date": "2024-03-29",
        "marketplace": "Amazon.com",
        "app_title": "My Test App",
        "asin": "C00006M4PF",
        "vendor_sku": "com.test.monthly",
        "subscription_title": "Test Monthly Subscription",
        "subscription_duration": "Monthly",
        "subscription_type": "paid",
        "active": 7261,
        "started": 163,
        "ended": 162,
        "refunded": 1,
        "_rescued_data": None,
    }


def test_earnings_are_read_when_selected(tap: Tap) -> None:
    tap.account.put_report("earnings", MONTH, make_csv([{**EARNINGS, "New": "x"}]), PUBLISHED)

    assert tap.read().records("earnings") == []
    run = tap.read("--catalog", tap.catalog(selected=["earnings"]))

    (record,) = run.records("earnings")
    assert len(record.pop("line_id")) > 16
    assert record == {
        "report_month": "2024-03-01",
        "report_period": "2024-03",
        "report_last_modified": "2024-04-03T12:30:00+00:00",
        "marketplace": "Amazon.de",
        "invoice_group_id": "IG-1",
        "invoice_id": "INV-1",
        "payment_id": "PAY-1",
        "payment_no": "17",
        "earnings_period_start_date": "2024-03-01",
        "earnings_period_end_date": "2024-03-31",
        "earnings_pre_tax_and_adjustments": "1234.50",
        "earnings_pre_tax_and_adjustments_currency": "EUR",
        "adjustments": "-4.00",
        "adjustments_currency": "EUR",
        "tax_withheld": "0.00",
        "tax_withheld_currency": "EUR",
        "exchange_rate": "1.0871",
        "mode_of_payment": "EFT",
        "payment_amount": "1337.66",
        "payment_amount_currency": "USD",
        "payment_status": "issued",
        "payment_issue_date": "2024-04-29",
        "payment_failure_date": None,
        "vendor_id": "V-1",
        "invoice_start_month": "3",
        "invoice_year": "2024",
        "_rescued_data": '{"New":"x"}',
    }
    assert run.bookmark("earnings") == "2024-03-01"


def test_a_year_of_earnings_is_read_if_no_month_has_a_report(tap: Tap) -> None:
    tap.account.put_report("earnings", 2024, make_csv([EARNINGS]))
    catalog = tap.catalog(selected=["earnings"])

    months: dict[str, Any] = {"start_date": "2024-01-01", "end_date": "2024-01-31"}

    run = tap.read("--catalog", catalog, **months)
    unchanged = tap.read("--catalog", catalog, state=run.state, **months)

    (record,) = run.records("earnings")
    assert (record["report_period"], record["report_month"]) == ("2024", "2024-01-01")
    assert unchanged.records("earnings") == []


def test_amounts_arrive_digit_for_digit(tap: Tap) -> None:
    amounts = ["0.10", "-12345678901234567.123456789", "4.990", "0.00"]
    rows = make_csv(sale(Sales_Price=amount) for amount in amounts)
    tap.account.put_report("sales", MONTH, rows)

    assert [record["sales_price"] for record in tap.read().records()] == amounts


def test_all_parts_of_a_report_are_read_in_order(tap: Tap) -> None:
    rows = sales(5)
    parts = {
        "sales-2024-03-00001.csv": make_csv(rows[2:]),
        "sales-2024-03-00000.csv": make_csv(rows[:2]),
        "read me.txt": "no report",
    }
    tap.account.put_report("sales", MONTH, parts)

    records = tap.read().records()

    assert [record["transaction_id"] for record in records] == ["1", "2", "3", "4", "5"]


def test_what_finds_no_place_is_rescued_with_one_warning_a_column(tap: Tap) -> None:
    rows = [{**row, "Units": "two", "Loyalty Points": "7"} for row in sales(3)]
    tap.account.put_report("sales", MONTH, make_csv(rows))

    run = tap.read()

    assert [record["units"] for record in run.records()] == [None] * 3
    assert [json.loads(record["_rescued_data"]) for record in run.records()] == [
        {"Units": "two", "Loyalty Points": "7"}
    ] * 3
    warnings = [text for text in run.log("WARNING") if text.startswith("sales")]
    assert len([warning for warning in warnings if "Units" in warning]) == 1
    assert len([warning for warning in warnings if "Loyalty Points" in warning]) == 1
    assert len(warnings) == 2
    assert all("sales" in warning and "2024-03" in warning for warning in warnings)


def test_a_line_item_has_one_key_wherever_it_stands(tap: Tap) -> None:
    """A charge and its chargeback differ; the same line in the next month's report does not."""
    charge = sale()
    chargeback = sale(Transaction_Type="Chargeback", Sales_Price="-4.99")
    tap.account.put_report("sales", MONTH, make_csv([charge, chargeback]))
    tap.account.put_report("sales", NEXT_MONTH, make_csv([charge]))

    records = tap.read(end_date="2024-04-30").records()

    keys = [record["line_id"] for record in records]
    assert keys[0] == keys[2] != keys[1]


def count_rows(report: bytes) -> int:
    """Count the rows of a report's members with the means of the standard library."""
    with zipfile.ZipFile(io.BytesIO(report)) as archive:
        texts = [io.StringIO(archive.read(n).decode(), newline="") for n in archive.namelist()]
    return sum(1 for text in texts for _ in csv.reader(text)) - len(texts)


def test_sample_reports_are_read_whole(tap: Tap) -> None:
    """The samples vary in all that is known to vary: headers, times, parts, quoting, line ends."""
    tap.account.add_sample(months=4, rows_per_month=100)
    today = datetime.now(timezone.utc).date()
    months = [add_months(today, -3 + i) for i in range(4)]

    run = tap.read(start_date=str(months[0]), end_date=str(today))

    for stream in ("sales", "subscriptions"):
        records = run.records(stream)
        assert {record["_rescued_data"] for record in records} == {None}
        assert len({record["line_id"] for record in records}) == len(records)
    reports = [tap.account.get_report("sales", month) or b"" for month in months]
    assert len(run.records()) == sum(map(count_rows, reports))
    assert None not in {record["transaction_at"] for record in run.records()}
    # A busy machine brings requests closer together than they were sent; they are made again.
    assert [text for text in run.log("WARNING") if ": try " not in text] == []


def test_stream_maps_apply(tap: Tap) -> None:
    tap.account.put_report("sales", MONTH, make_csv(sales(2)))

    run = tap.read(
        stream_maps={
            "sales": {
                "app_user_id": "__NULL__",
                "gross": "float(sales_price) * 2",
                "__filter__": "transaction_id == '2'",
            },
            "subscriptions": "__NULL__",
        }
    )

    (record,) = run.records()
    assert record["gross"] == "9.98"
    assert "app_user_id" not in record
    assert {message["stream"] for message in run.messages if "stream" in message} == {"sales"}


def test_deselected_columns_are_left_out_and_keys_stay(tap: Tap) -> None:
    tap.account.put_report("sales", MONTH, make_csv(sales(2)))
    catalog = tap.catalog(deselected={"sales": ["app_user_id", "line_id"]})

    run = tap.read("--catalog", catalog)

    assert len({record["line_id"] for record in run.records()} - {None}) == 2
    assert all("app_user_id" not in record for record in run.records())
    (schema, *_) = [message for message in run.messages if message["type"] == "SCHEMA"]
    assert "app_user_id" not in schema["schema"]["properties"]
    assert schema["key_properties"] == ["line_id"]


def test_a_deselected_stream_is_not_asked_for(tap: Tap) -> None:
    tap.account.put_report("sales", MONTH, make_csv(sales(2)))

    run = tap.read("--catalog", tap.catalog(selected=["subscriptions"]))

    assert run.records() == []
    assert {request.report for request in tap.account.requests if request.service == "api"} == {
        "subscription"
    }
