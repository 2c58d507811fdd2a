"""Hand-worked cases: lines of reports, and the rows of the marts that follow from them.

All cases are one account, each another app, so that one build computes them all. The newest
report ends on 2024-06-20: sales are final to 06-18, recurring revenue to 06-11.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.e2e.transform import rows as reports

if TYPE_CHECKING:
    from tests.e2e.transform.rows import Row

LAST_DAY = date(2024, 6, 20)
WRITTEN_AT = datetime(2024, 6, 21, 6)  # noqa: DTZ001 - as warehouses have it

# Plans: SKU, term, price.
MONTHLY = ("month", "Monthly", "9.99")
YEARLY = ("year", "Annually", "79.92")
WEEKLY = ("week", "Weekly", "3.00")


# Series of days are compared on the days on which something changes, unless a case has a condition.
MRR_CHANGES = (
    "new_mrr + expansion_mrr + reactivated_mrr + contraction_mrr + churned_mrr > 0"
    " or plan_change_mrr <> 0"
)
CHANGES = {
    "mrr": MRR_CHANGES,
    "subscriber_report": "new_subscribers + returning_subscribers + lost_subscribers > 0",
}


class Expectation(NamedTuple):
    """Rows that a mart has for a case."""

    mart: str
    condition: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]


@dataclass
class Case:
    """Lines of one app, and what the marts have of it."""

    name: str
    expectations: list[Expectation] = field(default_factory=list)
    sales: list[Row] = field(default_factory=list)
    subscriptions: list[Row] = field(default_factory=list)
    earnings: list[Row] = field(default_factory=list)

    def line(self, day: str, kind: str | None = "Charge", **changes: Any) -> Row:  # noqa: ANN401
        """Add a line of the sales report: an in-app item sold, unless stated otherwise."""
        on = date.fromisoformat(day)
        number = f"{self.name}-{len(self.sales)}"
        month = changes.pop("month", None)
        row = reports.sale(number, on, month=month, title=self.name, asin=f"B-{self.name}") | {
            "transaction_type": kind,
            "digital_order_id": f"D-{number}",
        }
        row |= changes
        row |= {
            column: Decimal(row[column])
            for column in ("sales_price", "estimated_earnings", "usage_time")
            if isinstance(row.get(column), str)
        }
        row["report_last_modified"] = min(row["report_last_modified"], WRITTEN_AT)
        self.sales.append(row)
        return row

    def charge(
        self,
        day: str,
        plan: tuple[str, str, str] = MONTHLY,
        user: str = "user",
        **changes: Any,  # noqa: ANN401
    ) -> Row:
        """Add a charge of a subscription: paid, with 70 % of the price as earnings."""
        sku, term, price = plan
        price = changes.pop("price", price)
        return self.line(
            day,
            **{
                "item_type": "Subscription",
                "asin": f"B-{self.name}-{sku}",
                "vendor_sku": sku,
                "item_name": sku,
                "in_app_subscription_term": term,
                "in_app_subscription_status": "PAID" if Decimal(price) else "TRIAL",
                "sales_price": price,
                "estimated_earnings": str((Decimal(price) * 7 / 10).quantize(Decimal("0.01"))),
                "app_user_id": user and f"{self.name}/{user}",
            }
            | changes,
        )

    def follow_up(self, of: Row, kind: str, day: str, **changes: Any) -> Row:  # noqa: ANN401
        """Add a refund, chargeback or reversal of a charge: by default with all its identifiers."""
        sign = 1 if kind == "Chargeback reversal" else -1
        copied = {
            column: value
            for column, value in of.items()
            if not column.startswith(("line_", "report_", "transaction_"))
        }
        return self.line(
            day,
            kind,
            **copied
            | {
                "transaction_id": of["transaction_id"],
                "sales_price": of["sales_price"] * sign,
                "estimated_earnings": of["estimated_earnings"] * sign,
            }
            | changes,
        )

    def count(self, day: str, **changes: Any) -> Row:  # noqa: ANN401
        """Add a line of the subscription report."""
        on = date.fromisoformat(day)
        number = f"{self.name}-{len(self.subscriptions)}"
        row = reports.subscription(number, on, app_title=self.name, asin=f"B-{self.name}-month") | {
            "vendor_sku": "month",
            "subscription_title": "month",
        }
        row |= changes
        row["report_last_modified"] = min(row["report_last_modified"], WRITTEN_AT)
        self.subscriptions.append(row)
        return row

    def payment(self, month: str, currency: str, earnings: str, **changes: Any) -> Row:  # noqa: ANN401
        """Add a line of the earnings report: one payment, issued."""
        first = date.fromisoformat(f"{month}-01")
        row = {
            "line_id": f"{self.name}-{len(self.earnings)}",
            "report_month": first,
            "report_period": month,
            "report_last_modified": min(
                datetime.combine(reports.add_months(first, 2), time(6)), WRITTEN_AT
            ),
            "marketplace": "Amazon.com",
            "invoice_id": f"I-{self.name}-{len(self.earnings)}",
            "earnings_period_start_date": first,
            "earnings_pre_tax_and_adjustments": Decimal(earnings),
            "earnings_pre_tax_and_adjustments_currency": currency,
            "payment_status": "issued",
        } | changes
        self.earnings.append(row)
        return row

    def expect(self, mart: str, table: str, where: str | None = None) -> None:
        """Add the rows that a mart has for the app, or by another condition.

        Args:
            mart: its name without prefix.
            table: column names, then a line for each row, in order; `-` is null, `_` a space.
            where: a condition on the rows.
        """
        columns, *rows = (
            tuple(cell.replace("_", " ") if row else cell for cell in line.split())
            for row, line in enumerate(filter(str.strip, table.splitlines()))
        )
        of_app = "" if mart in WITHOUT_APP else f"app_name = '{self.name}' and "
        condition = f"{of_app}({where or CHANGES.get(mart, 'true')})"
        self.expectations.append(Expectation(mart, condition, columns, sorted(rows)))


WITHOUT_APP = ("earnings_report", "last_days", "report_months")
CASES: list[Case] = []


def add_case(name: str) -> Case:
    """Return a new case."""
    CASES.append(Case(name))
    return CASES[-1]


# The newest report reaches to the last day.
case = add_case("calendar")
case.line("2024-06-20")
case.expect(
    "last_days",
    """
    first_day   last_day    last_final_day  last_final_mrr_day
    2018-03-05  2024-06-20  2024-06-18      2024-06-11
    """,
)

# Refunds and chargebacks. ---------------------------------------------------------------------------
MONTHS = ("2024-01-05", "2024-02-05", "2024-03-05", "2024-04-05", "2024-05-05", "2024-06-05")
RECEIPT = "receipt/1=:3:11"

# All renewals have one receipt. The chargeback in March has January's transaction.
case = add_case("chargeback of an old charge")
charges = [case.charge(day, receipt_id=RECEIPT) for day in MONTHS]
case.follow_up(charges[0], "Chargeback", "2024-03-20", digital_order_id=None)
case.expect(
    "mrr",
    """
    date_day    mrr   new_mrr churned_mrr
    2024-01-05  9.99  9.99    0
    """,
)
case.expect(
    "overview_report",
    """
    date_day    chargebacks charged_back_sales net_sales estimated_earnings
    2024-03-20  1           9.99               -9.99     -6.99
    """,
    "chargebacks > 0",
)

# Without transaction, the order counts.
case = add_case("chargeback by order")
charges = [case.charge(day, receipt_id=RECEIPT) for day in MONTHS]
case.follow_up(charges[1], "Chargeback", "2024-02-20", transaction_id="NA")
case.expect(
    "mrr",
    """
    date_day    mrr   new_mrr reactivated_mrr churned_mrr
    2024-01-05  9.99  9.99    0               0
    2024-02-20  0     0       0               9.99
    2024-03-05  9.99  0       9.99            0
    """,
)

# With a receipt alone, it is of the latest charge on or before it.
case = add_case("chargeback by receipt")
charges = [case.charge(day, receipt_id=RECEIPT) for day in MONTHS]
case.follow_up(charges[1], "Chargeback", "2024-03-20", transaction_id="NA", digital_order_id="NA")
case.expect(
    "mrr",
    """
    date_day    mrr   new_mrr reactivated_mrr churned_mrr
    2024-01-05  9.99  9.99    0               0
    2024-03-20  0     0       0               9.99
    2024-04-05  9.99  0       9.99            0
    """,
)

# The suffix of a receipt is its type: a refund may have another one than the charge.
case = add_case("receipt of another type")
charges = [case.charge(day, user="", receipt_id="receipt/2=:3:11") for day in MONTHS]
case.follow_up(
    charges[5],
    "Refund",
    "2024-06-08",
    transaction_id=None,
    digital_order_id=None,
    receipt_id="receipt/2=:1:4",
)
case.expect(
    "mrr",
    """
    date_day    mrr   new_mrr churned_mrr
    2024-01-05  9.99  9.99    0
    2024-06-08  0     0       9.99
    """,
)

# `NA` is no identifier: the refund is of nobody's charge.
case = add_case("not available")
for user in ("a", "b"):
    case.charge(
        "2024-05-20", user=user, transaction_id="NA", digital_order_id="NA", receipt_id="NA"
    )
case.follow_up(case.sales[0], "Refund", "2024-05-25", app_user_id="NA")
case.expect(
    "mrr",
    """
    date_day    mrr    new_mrr churned_mrr subscribers
    2024-05-20  19.98  19.98   0           2
    """,
)

# Bought twice by mistake: one refund leaves the other purchase.
case = add_case("bought twice")
case.charge("2024-05-20")
case.follow_up(case.charge("2024-05-20"), "Refund", "2024-05-21")
case.expect(
    "mrr",
    """
    date_day    mrr   new_mrr churned_mrr subscribers subscriptions
    2024-05-20  9.99  9.99    0           1           1
    """,
)

# The same with the later one kept, three days apart.
case = add_case("bought twice, first refunded")
charge = case.charge("2024-05-20")
case.charge("2024-05-23")
case.follow_up(charge, "Refund", "2024-05-24")
case.expect(
    "mrr",
    """
    date_day    mrr   new_mrr churned_mrr subscribers subscriptions
    2024-05-20  9.99  9.99    0           1           1
    """,
)

# Both refunded, which only the receipt shows: the second refund is of the charge before.
case = add_case("bought twice, both refunded")
anonymous: Row = {"transaction_id": None, "digital_order_id": None, "receipt_id": RECEIPT}
charges = [case.charge(day, **anonymous) for day in ("2024-05-20", "2024-05-22")]
for charge in charges:
    case.follow_up(charge, "Refund", "2024-05-23", **anonymous)
case.expect(
    "mrr",
    """
    date_day    mrr   new_mrr churned_mrr subscribers
    2024-05-20  9.99  9.99    0           1
    2024-05-23  0     0       9.99        0
    """,
)

# A reversal restores what the chargeback took, but not what was refunded.
case = add_case("reversal")
charge = case.charge("2024-05-20")
case.follow_up(charge, "Chargeback", "2024-05-25")
case.follow_up(charge, "Chargeback reversal", "2024-06-01")
case.expect(
    "mrr",
    """
    date_day    mrr   new_mrr reactivated_mrr churned_mrr
    2024-05-20  9.99  9.99    0               0
    2024-05-25  0     0       0               9.99
    2024-06-01  9.99  0       9.99            0
    """,
)
case.expect(
    "overview_report",
    """
    date_day    chargeback_reversals reversed_sales net_sales estimated_earnings
    2024-06-01  1                    9.99           9.99      6.99
    """,
    "chargeback_reversals > 0",
)
case = add_case("reversal after a refund")
charge = case.charge("2024-05-20")
for kind, day in (
    ("Refund", "2024-05-25"),
    ("Chargeback", "2024-05-26"),
    ("Chargeback reversal", "2024-06-01"),
):
    case.follow_up(charge, kind, day)
case.expect(
    "mrr",
    """
    date_day    mrr   new_mrr churned_mrr
    2024-05-20  9.99  9.99    0
    2024-05-25  0     0       9.99
    """,
)
# A second chargeback after the reversal is of the same charge, not of the one before.
case = add_case("charged back twice")
anonymous = {"transaction_id": None, "digital_order_id": None, "receipt_id": RECEIPT}
case.charge("2024-04-20", **anonymous)
charge = case.charge("2024-05-20", **anonymous)
for kind, day in (
    ("Chargeback", "2024-05-22"),
    ("Chargeback reversal", "2024-05-24"),
    ("Chargeback", "2024-05-26"),
):
    case.follow_up(charge, kind, day, **anonymous)
case.expect(
    "mrr",
    """
    date_day    mrr   new_mrr reactivated_mrr churned_mrr
    2024-04-20  9.99  9.99    0               0
    2024-05-22  0     0       0               9.99
    2024-05-24  9.99  0       9.99            0
    2024-05-26  0     0       0               9.99
    """,
)

# Refunded on the day of the purchase: never in force, but a subscriber of the cohort.
case = add_case("refunded on the same day")
case.follow_up(case.charge("2024-05-20"), "Refund", "2024-05-20")
case.expect("mrr", "date_day mrr", "mrr > 0")
case.expect(
    "overview_report",
    """
    date_day    subscription_units refunds gross_sales refunded_sales net_sales estimated_earnings
    2024-05-20  1                  1       9.99        9.99           0         0
    """,
)
# A refund with a positive price, as some files have it, and a partial one, which shows the full price.
case = add_case("refund with a positive price")
charge = case.charge("2024-05-20")
case.follow_up(charge, "Refund", "2024-05-22", sales_price="9.99", estimated_earnings="-2.00")
case.expect(
    "overview_report",
    """
    date_day    refunds refunded_sales net_sales estimated_earnings
    2024-05-20  0       0              9.99      6.99
    2024-05-22  1       9.99           -9.99     -2
    """,
)

# Adjustments. ---------------------------------------------------------------------------------------
# They add their earnings and are counted; the price is that of the line they adjust.
case = add_case("adjustment")
charge = case.charge("2024-05-20")
anonymous = {"adjustment": True, "app_user_id": None, "receipt_id": None}
case.follow_up(charge, "Refund", "2024-05-25", estimated_earnings="-0.50", **anonymous)
case.line("2024-05-25", adjustment=True, sales_price="1.99", estimated_earnings="0.10")
case.expect(
    "mrr",
    """
    date_day    mrr   new_mrr churned_mrr
    2024-05-20  9.99  9.99    0
    """,
)
case.expect(
    "overview_report",
    """
    date_day    adjustments in_app_units refunds refunded_sales net_sales estimated_earnings report_lines
    2024-05-20  0           0            0       0              9.99      6.99               1
    2024-05-25  2           0            0       0              0         -0.4               2
    """,
)
# An adjustment and a refund of one charge by receipt: the refund is of that charge still.
case = add_case("adjusted and refunded")
anonymous = {"transaction_id": None, "digital_order_id": None, "receipt_id": RECEIPT}
charges = [case.charge(day, **anonymous) for day in ("2024-04-20", "2024-05-20")]
case.follow_up(charges[1], "Refund", "2024-05-21", adjustment=True, **anonymous)
case.follow_up(charges[1], "Refund", "2024-05-22", **anonymous)
case.expect(
    "mrr",
    """
    date_day    mrr   new_mrr churned_mrr
    2024-04-20  9.99  9.99    0
    2024-05-22  0     0       9.99
    """,
)

# Titles. --------------------------------------------------------------------------------------------
# One item was sold under both titles, the other only before: one app, and nobody churns.
case = add_case("new title")
for day in ("2024-01-10", "2024-02-10", "2024-03-10"):
    case.charge(day, title="old title", user="a")
for day in ("2024-04-10", "2024-05-10", "2024-06-10"):
    case.charge(day, user="a")
case.line("2024-02-01", title="old title", asin="B-stopped")
case.count("2024-02-01", app_title="old title", asin="B-stopped-subscription")
case.count("2024-02-02", app_title=None, asin="B-stopped-subscription")
case.line("2024-05-01", title=None, asin="B-stopped")
case.expect(
    "mrr",
    """
    date_day    mrr   new_mrr churned_mrr
    2024-01-10  9.99  9.99    0
    """,
)
case.expect(
    "overview_report",
    """
    date_day    in_app_units
    2024-02-01  1
    2024-05-01  1
    """,
    "in_app_units > 0",
)
case.expect(
    "marketplace_report",
    """
    date_day    active
    2024-02-01  100
    2024-02-02  100
    """,
)
case = add_case("old title")
case.expect("overview_report", "date_day report_lines")

# An item moves from one app to another, both of which are still sold: two apps.
case = add_case("app that an item left")
case.line("2024-03-01", asin="B-moved")
for day in ("2024-03-02", "2024-06-10", "2024-06-14"):
    case.line(day, asin="B-stays")
case.line("2024-03-03", asin="B-stopped-too")
case.expect(
    "overview_report",
    """
    date_day    in_app_units
    2024-03-02  1
    2024-03-03  1
    2024-06-10  1
    2024-06-14  1
    """,
)
case = add_case("app that it joined")
for day in ("2024-06-01", "2024-06-15"):
    case.line(day, asin="B-moved")
case.expect(
    "overview_report",
    """
    date_day    in_app_units
    2024-03-01  1
    2024-06-01  1
    2024-06-15  1
    """,
)
# Renamed twice, and a line without ASIN.
case = add_case("third title")
case.line("2024-01-10", title="first title", asin="B-1")
case.line("2024-01-11", title="first title", asin="B-2")
case.line("2024-02-10", title="second title", asin="B-2")
case.line("2024-02-11", title="second title", asin="B-3")
case.line("2024-03-10", asin="B-3")
case.line("2024-01-12", title="first title", asin=None)
case.expect(
    "overview_report",
    """
    date_day    in_app_units
    2024-01-10  1
    2024-01-11  1
    2024-01-12  1
    2024-02-10  1
    2024-02-11  1
    2024-03-10  1
    """,
)
# Renamed and back again.
case = add_case("title that came back")
case.line("2024-01-10", asin="B-back")
case.line("2024-02-10", title="title in between", asin="B-back")
case.line("2024-02-11", title="title in between", asin="B-between")
case.line("2024-04-10", asin="B-back")
case.expect(
    "overview_report",
    """
    date_day    in_app_units
    2024-01-10  1
    2024-02-10  1
    2024-02-11  1
    2024-04-10  1
    """,
)
case = add_case("(no title)")
case.line("2024-01-10", title=None, asin="B-test")
case.expect(
    "overview_report",
    """
    date_day    in_app_units
    2024-01-10  1
    """,
)

# Provisional days and grace. ------------------------------------------------------------------------
# Not renewed: ended on the 5th, once six days of grace are over before the last final day.
case = add_case("not renewed")
case.charge("2024-05-05")
case.expect(
    "mrr",
    """
    date_day    mrr   new_mrr churned_mrr is_provisional
    2024-05-05  9.99  9.99    0           false
    2024-06-05  0     0       9.99        false
    """,
)
# Due on the 12th: it may still be renewed on the 18th, the last final day.
case = add_case("may be renewed")
case.charge("2024-05-12")
case.expect(
    "mrr",
    """
    date_day    mrr   churned_mrr is_provisional
    2024-06-11  9.99  0           false
    2024-06-12  9.99  0           true
    2024-06-20  9.99  0           true
    """,
    "date_day in ('2024-06-11', '2024-06-12', '2024-06-20')",
)
case.expect(
    "subscriber_report",
    """
    date_day    subscribers is_provisional
    2024-06-11  1           false
    2024-06-20  1           true
    """,
    "date_day in ('2024-06-11', '2024-06-20')",
)
case = add_case("final days")
for day in ("2024-06-18", "2024-06-19"):
    case.line(day)
    case.count(day)
for mart in ("overview_report", "country_report", "device_report", "product_report"):
    case.expect(
        mart,
        """
        date_day    is_provisional
        2024-06-18  false
        2024-06-19  true
        """,
    )
# Amazon's own counts reach to the 19th.
for mart in ("subscription_report", "marketplace_report"):
    case.expect(
        mart,
        """
        date_day    active is_provisional
        2024-06-18  100    true
        2024-06-19  100    true
        """,
    )
# Renewed six days late, and seven.
case = add_case("six days late")
for day in ("2024-04-10", "2024-05-16", "2024-06-16"):
    case.charge(day)
case.expect(
    "mrr",
    """
    date_day    mrr   new_mrr churned_mrr
    2024-04-10  9.99  9.99    0
    """,
)
case = add_case("seven days late")
for day in ("2024-04-10", "2024-05-17"):
    case.charge(day)
case.expect(
    "mrr",
    """
    date_day    mrr   new_mrr reactivated_mrr churned_mrr
    2024-04-10  9.99  9.99    0               0
    2024-05-10  0     0       0               9.99
    2024-05-17  9.99  0       9.99            0
    """,
)
case.expect(
    "subscriber_report",
    """
    date_day    subscribers new_subscribers returning_subscribers lost_subscribers
    2024-04-10  1           1               0                     0
    2024-05-10  0           0               0                     1
    2024-05-17  1           0               1                     0
    """,
)
# A plan of the 31st is due on the 31st again, and grace counts from there.
case = add_case("31st")
for day in ("2024-01-31", "2024-02-29", "2024-04-05", "2024-05-05", "2024-06-05"):
    case.charge(day)
case.expect(
    "mrr",
    """
    date_day    mrr   new_mrr churned_mrr
    2024-01-31  9.99  9.99    0
    """,
)
case = add_case("30th")
for day in ("2023-12-30", "2024-01-30", "2024-02-29", "2024-03-30"):
    case.charge(day)
case.expect(
    "mrr",
    """
    date_day    mrr   new_mrr churned_mrr
    2023-12-30  9.99  9.99    0
    2024-04-30  0     0       9.99
    """,
)
case = add_case("29th of February")
case.charge("2020-02-29", YEARLY)
case.charge("2021-02-28", YEARLY)
case.expect(
    "mrr",
    """
    date_day    mrr   new_mrr churned_mrr arr    earnings_mrr
    2020-02-29  6.66  6.66    0           79.92  4.661667
    2022-02-28  0     0       6.66        0      0
    """,
)
# Terms, each worth 12 a year more or less: 52 weeks and 26 times two weeks a year.
case = add_case("terms")
for term, price in (
    ("Weekly", "3.00"),
    ("BiWeekly", "6.00"),
    ("Monthly", "13.00"),
    ("BiMonthly", "26.00"),
    ("Quarterly", "39.00"),
    ("SemiAnnually", "78.00"),
    ("Annually", "156.00"),
):
    case.charge("2023-01-31", (term, term, price), user=term)
case.expect(
    "mrr",
    """
    date_day    vendor_sku    mrr  new_mrr churned_mrr
    2023-01-31  Annually      13   13      0
    2023-01-31  BiMonthly     13   13      0
    2023-01-31  BiWeekly      13   13      0
    2023-01-31  Monthly       13   13      0
    2023-01-31  Quarterly     13   13      0
    2023-01-31  SemiAnnually  13   13      0
    2023-01-31  Weekly        13   13      0
    2023-02-07  Weekly        0    0       13
    2023-02-14  BiWeekly      0    0       13
    2023-02-28  Monthly       0    0       13
    2023-03-31  BiMonthly     0    0       13
    2023-04-30  Quarterly     0    0       13
    2023-07-31  SemiAnnually  0    0       13
    2024-01-31  Annually      0    0       13
    """,
)
# A renewal a little early is not counted twice.
case = add_case("renewed early")
for day in ("2024-05-10", "2024-06-08"):
    case.charge(day)
case.expect(
    "mrr",
    """
    date_day    mrr   new_mrr
    2024-05-10  9.99  9.99
    """,
)

# Plan switches. -------------------------------------------------------------------------------------
# From 9.99 a month to 79.92 a year, at once: contraction of 3.33.
case = add_case("switch at once")
charge = case.charge("2024-05-20")
case.charge("2024-05-30", YEARLY)
case.follow_up(charge, "Refund", "2024-05-30")
case.expect(
    "mrr",
    """
    date_day    vendor_sku  mrr   new_mrr expansion_mrr contraction_mrr churned_mrr plan_change_mrr
    2024-05-20  month       9.99  9.99    0             0               0           0
    2024-05-30  month       0     0       0             3.33            0           -6.66
    2024-05-30  year        6.66  0       0             0               0           6.66
    """,
)
case.expect(
    "subscriber_report",
    """
    date_day    subscribers new_subscribers returning_subscribers lost_subscribers
    2024-05-20  1           1               0                     0
    """,
)
# Deferred: the new plan begins three days after the old one was due.
case = add_case("switch at renewal")
case.charge("2024-03-20")
case.charge("2024-04-23", YEARLY)
case.expect(
    "mrr",
    """
    date_day    vendor_sku  mrr   new_mrr contraction_mrr churned_mrr plan_change_mrr subscribers
    2024-03-20  month       9.99  9.99    0               0           0               1
    2024-04-23  month       0     0       3.33            0           -6.66           0
    2024-04-23  year        6.66  0       0               0           6.66            1
    """,
)
# The other way round: expansion of 3.33.
case = add_case("switch to the dearer plan")
charge = case.charge("2024-05-20", YEARLY)
case.follow_up(charge, "Refund", "2024-05-30")
case.charge("2024-05-30")
case.expect(
    "mrr",
    """
    date_day    vendor_sku  mrr   new_mrr expansion_mrr contraction_mrr churned_mrr plan_change_mrr
    2024-05-20  year        6.66  6.66    0             0               0           0
    2024-05-30  month       9.99  0       3.33          0               0           6.66
    2024-05-30  year        0     0       0             0               0           -6.66
    """,
)
# A price that rises is expansion, one that falls contraction.
case = add_case("price change")
for day, price in (("2024-03-10", "9.99"), ("2024-04-10", "11.99"), ("2024-05-10", "8.99")):
    case.charge(day, price=price)
case.charge("2024-06-10", price="8.99")
case.expect(
    "mrr",
    """
    date_day    mrr    new_mrr expansion_mrr contraction_mrr churned_mrr
    2024-03-10  9.99   9.99    0             0               0
    2024-04-10  11.99  0       2             0               0
    2024-05-10  8.99   0       0             3               0
    """,
)

# Two plans of one app at once are one person with two subscriptions.
case = add_case("two plans")
case.charge("2024-05-20")
case.charge("2024-05-25", YEARLY)
case.charge("2024-05-25", user="other")
case.expect(
    "mrr",
    """
    date_day    vendor_sku  mrr    new_mrr expansion_mrr subscribers subscriptions
    2024-05-20  month       9.99   9.99    0             1           1
    2024-05-25  month       19.98  9.99    0             1           2
    2024-05-25  year        6.66   0       6.66          1           1
    """,
)
case.expect(
    "subscriber_report",
    """
    date_day    subscribers new_subscribers returning_subscribers lost_subscribers
    2024-05-20  1           1               0                     0
    2024-05-25  2           1               0                     0
    """,
)

# Trials. --------------------------------------------------------------------------------------------
TRIAL_COLUMNS = """
    date_day    vendor_sku trials trial_conversions trials_undecided trial_conversion_rate is_provisional
"""
FREE = ("month", "Monthly", "0")
FREE_YEAR = ("year", "Annually", "0")

case = add_case("trials")
for user, paid in (("converts", "2024-05-08"), ("late", "2024-06-08"), ("leaves", None)):
    case.charge("2024-05-01", FREE, user=user)
    if paid:
        case.charge(paid, user=user)
case.charge("2024-05-20", FREE, user="undecided")
case.expect(
    "trial_cohorts",
    TRIAL_COLUMNS
    + """
    2024-05-01  month      3      1                 0                0.333333              false
    2024-05-20  month      1      0                 1                -                     true
    """,
)
case.expect(
    "subscription_report",
    """
    date_day    vendor_sku active trial_conversions
    2024-05-08  month      -      1
    """,
)
case.expect("mrr", "date_day new_mrr\n2024-05-08 9.99\n2024-06-08 9.99", "new_mrr > 0")
# Refunded on the same day is no conversion; on a later day it is one.
case = add_case("trials and refunds")
for user, refunded in (("at-once", "2024-05-08"), ("later", "2024-05-09")):
    case.charge("2024-05-01", FREE, user=user)
    case.follow_up(case.charge("2024-05-08", user=user), "Refund", refunded)
case.expect(
    "trial_cohorts",
    TRIAL_COLUMNS
    + """
    2024-05-01  month      2      1                 0                0.5                   false
    """,
)
# The trial of one plan that buys another plan of the app.
case = add_case("trial of another plan")
case.charge("2024-05-01", FREE)
case.charge("2024-05-08", YEARLY)
case.expect(
    "trial_cohorts",
    TRIAL_COLUMNS
    + """
    2024-05-01  month      1      1                 0                1                     false
    """,
)
# Who paid before the trial does not convert by it; of two trials, the bought plan's converts.
case = add_case("trials and charges")
case.charge("2024-04-01", user="paid-before")
case.charge("2024-05-15", FREE_YEAR, user="paid-before")
case.charge("2024-05-22", user="paid-before")
case.charge("2023-05-01", FREE, user="two-trials")
case.charge("2023-05-05", FREE_YEAR, user="two-trials")
case.charge("2023-05-08", user="two-trials")
case.expect(
    "trial_cohorts",
    TRIAL_COLUMNS
    + """
    2023-05-01  month      1      1                 0                1                     false
    2023-05-05  year       1      0                 0                0                     false
    2024-05-15  year       1      0                 0                0                     false
    """,
)

# Signs, types and terms. ----------------------------------------------------------------------------
# Before November 2019 earnings have the sign of their transaction type.
case = add_case("signs before November 2019")
case.line("2019-10-01", sales_price="2.00", estimated_earnings="-1.40")
case.line("2019-10-02", "Refund", sales_price="2.00", estimated_earnings="1.40")
case.line("2019-10-03", "Chargeback", sales_price="2.00", estimated_earnings="1.40")
case.line("2019-10-04", "Chargeback reversal", sales_price="-2.00", estimated_earnings="-1.40")
case.line("2019-11-02", "Refund", sales_price="-2.00", estimated_earnings="1.40")
case.expect(
    "overview_report",
    """
    date_day    gross_sales refunded_sales charged_back_sales reversed_sales net_sales estimated_earnings
    2019-10-01  2           0              0                  0              2         1.4
    2019-10-02  0           2              0                  0              -2        -1.4
    2019-10-03  0           0              2                  0              -2        -1.4
    2019-10-04  0           0              0                  2              2         1.4
    2019-11-02  0           2              0                  0              -2        1.4
    """,
)
case = add_case("first day")
case.line("2018-03-05")
case.expect("overview_report", "date_day\n2018-03-05")
# Minutes of Underground apps are no downloads.
case = add_case("underground")
case.line(
    "2018-05-05",
    item_type="Application",
    usage_time="90",
    units=0,
    sales_price="0.02",
    estimated_earnings="0.02",
)
case.line("2018-05-05", item_type="Application", usage_time="3600", units=1, sales_price="0.12")
case.line("2018-05-05", item_type="Application", usage_time="0", sales_price="0")
case.expect(
    "overview_report",
    """
    date_day    downloads usage_minutes gross_sales
    2018-05-05  1         61.5          0.14
    """,
)
case = add_case("spellings of types")
for number, item_type in enumerate(
    ("application", "In-App", "in app", "INAPP", "In_Game", "Subscription", "In-App Subscription")
):
    case.line("2024-05-20", item_type=item_type, vendor_sku=str(number))
case.line("2024-05-20", item_type="Extension", vendor_sku="7")
case.line("2024-05-20", "CHARGEBACK", vendor_sku="8")
case.line("2024-05-20", "Chargeback Reversal", vendor_sku="9")
case.expect(
    "product_report",
    """
    vendor_sku  item_type     downloads in_app_units subscription_units other_units chargebacks chargeback_reversals
    0           Application   1         0            0                  0           0           0
    1           In-App        0         1            0                  0           0           0
    2           In-App        0         1            0                  0           0           0
    3           In-App        0         1            0                  0           0           0
    4           In-Game       0         1            0                  0           0           0
    5           Subscription  0         0            1                  0           0           0
    6           Subscription  0         0            1                  0           0           0
    7           Extension     0         0            0                  1           0           0
    8           In-App        0         0            0                  0           1           0
    9           In-App        0         0            0                  0           0           1
    """,
)
case = add_case("spellings of terms")
for term in ("monthly", "Bi-Monthly", "SemiAnnual", "Semi-Annually", "Annual", "bi weekly"):
    case.charge("2024-06-10", (term, term, "10.00"), user=term)
for sku, price, status in (
    ("promotion", "5.00", "Promotional Price - Lapsed Customers"),
    ("free", "0", "Free Trial"),
):
    plan = (sku, "Monthly", price)
    case.charge("2024-06-10", plan, user=sku, in_app_subscription_status=status)
case.charge("2024-06-10", ("century", "Centennially", "10.00"), user="c")
case.expect(
    "mrr",
    """
    vendor_sku     subscription_duration mrr
    Annual         Annually              0.833333
    Bi-Monthly     BiMonthly             5
    Semi-Annually  SemiAnnually          1.666667
    SemiAnnual     SemiAnnually          1.666667
    bi weekly      BiWeekly              21.666667
    monthly        Monthly               10
    promotion      Monthly               5
    """.replace("bi weekly ", "bi_weekly "),
)
case.expect("trial_cohorts", "vendor_sku trials\nfree 1")

# Other lines. ---------------------------------------------------------------------------------------
case = add_case("other lines")
case.line("2024-05-20", None, item_type=None, sales_price="-0.50", estimated_earnings=None)
case.line("2024-05-20", "Correction", sales_price="5.00", estimated_earnings="3.50")
case.line("2024-05-20", "Correction", sales_price="-3.00", estimated_earnings="-2.10")
case.line("2024-05-20", marketplace_currency="CAN", sales_price="1.00", estimated_earnings="0.7")
case.line("2024-05-20", marketplace_currency=None, units=None, sales_price=None)
case.line("2024-05-01", transaction_date=None, sales_price="1.00", estimated_earnings="0.7")
case.line("2024-04-30", month=date(2024, 5, 1), sales_price="1.00", estimated_earnings="0.7")
case.expect(
    "overview_report",
    """
    date_day    currency in_app_units gross_sales other_sales net_sales estimated_earnings report_lines
    2024-04-30  USD      1            1           0           1         0.7                1
    2024-05-01  USD      1            1           0           1         0.7                1
    2024-05-20  CAD      1            1           0           1         0.7                1
    2024-05-20  USD      0            0           1.5         1.5       1.4                3
    2024-05-20  XXX      0            0           0           0         1.39               1
    """,
)

# Identity. ------------------------------------------------------------------------------------------
# A line with a receipt alone is of the user who has the receipt elsewhere.
case = add_case("receipt alone")
case.charge("2024-04-10", user="", receipt_id="receipt/3=:3:11")
case.charge("2024-05-10", receipt_id="receipt/3=:3:11")
case.charge("2024-05-20", YEARLY)
case.expect(
    "subscriber_report",
    """
    date_day    subscribers new_subscribers
    2024-04-10  1           1
    """,
)
case.expect(
    "mrr",
    """
    date_day    vendor_sku  mrr   new_mrr expansion_mrr
    2024-04-10  month       9.99  9.99    0
    2024-05-20  year        6.66  0       6.66
    """,
    "new_mrr + expansion_mrr > 0",
)
# With neither, each charge is somebody: the level is right.
case = add_case("nobody")
for day in ("2024-04-10", "2024-05-10"):
    case.charge(day, user="")
case.expect(
    "mrr",
    """
    date_day    mrr   new_mrr churned_mrr subscribers
    2024-04-10  9.99  9.99    0           1
    2024-05-10  9.99  9.99    9.99        1
    2024-06-10  0     0       9.99        0
    """,
)
# Who pays in two currencies is one person.
case = add_case("two currencies")
case.charge("2024-05-20")
case.charge("2024-05-25", YEARLY, marketplace_currency="EUR")
case.expect(
    "subscriber_report",
    """
    date_day    subscribers new_subscribers
    2024-05-20  1           1
    """,
)
case.expect(
    "mrr",
    """
    currency  mrr   subscribers subscriptions
    EUR       6.66  1           1
    USD       9.99  0           1
    """,
    "date_day = '2024-06-11'",
)

# Kinds of sales. ------------------------------------------------------------------------------------
case = add_case("kinds")
case.line("2024-05-20", item_type="Application", sales_price="5.00", estimated_earnings="3.50")
case.line("2024-05-20", sales_price="1.00", estimated_earnings="0.70")
case.line("2024-05-20", item_type="Game", sales_price="2.00", estimated_earnings="1.40")
case.charge("2024-04-20", user="a", price="9.00")
case.charge("2024-05-20", user="a", price="9.00")
charge = case.charge("2024-05-20", user="b", price="8.00")
case.charge("2024-05-20", user="c", price="7.00", in_app_subscription_term="?")
case.follow_up(charge, "Refund", "2024-05-21")
case.expect(
    "overview_report",
    """
    date_day    net_sales app_net_sales in_app_net_sales new_subscription_net_sales renewal_net_sales other_net_sales
    2024-04-20  9         0             0                9                          0                 0
    2024-05-20  32        5             1                15                         9                 2
    2024-05-21  -8        0             0                -8                         0                 0
    """,
)
case.expect(
    "overview_report",
    """
    date_day    estimated_earnings app_earnings in_app_earnings new_subscription_earnings renewal_earnings other_earnings
    2024-04-20  6.3                0            0               6.3                       0                0
    2024-05-20  22.4               3.5          0.7             10.5                      6.3              1.4
    2024-05-21  -5.6               0            0               -5.6                      0                0
    """,
)

# Months and cohorts. --------------------------------------------------------------------------------
# Three subscribers of January; one leaves in February, one comes back in April. One more in March.
case = add_case("months")
for user, months in (
    ("a", (1, 2, 3, 4, 5, 6)),
    ("b", (1,)),
    ("c", (1, 2, 4, 5, 6)),
    ("d", (3, 4, 5, 6)),
):
    for month in months:
        case.charge(f"2024-{month:02}-10", user=user, price="10.00")
case.follow_up(case.sales[1], "Chargeback", "2024-02-20")
case.expect(
    "monthly_report",
    """
    date_month  date_day    gross_sales charged_back_sales net_sales paying_users arppu mrr subscribers is_provisional
    2024-01-01  2024-01-31  30          0                  30        3            10    30  3           false
    2024-02-01  2024-02-29  20          10                 10        2            5     10  1           false
    2024-03-01  2024-03-31  20          0                  20        2            10    20  2           false
    2024-04-01  2024-04-30  30          0                  30        3            10    30  3           false
    2024-05-01  2024-05-31  30          0                  30        3            10    30  3           false
    2024-06-01  2024-06-11  30          0                  30        3            10    30  3           true
    """,
)
case.expect(
    "monthly_report",
    """
    date_month  mrr_previous_month new_mrr reactivated_mrr churned_mrr gross_mrr_churn_rate net_mrr_churn_rate chargeback_rate
    2024-01-01  -                  30      0               0           -                    -                  0
    2024-02-01  30                 0       0               20          0.666667             0.666667           0.5
    2024-03-01  10                 10      10              10          1                    0                  0
    2024-04-01  20                 0       10              0           0                    -0.5               0
    2024-05-01  30                 0       0               0           0                    0                  0
    2024-06-01  30                 0       0               0           0                    0                  0
    """,
)
case.expect(
    "subscriber_cohorts",
    """
    cohort_month months_since subscribers active_subscribers retention_rate net_sales net_sales_to_date ltv_net_sales ltv_earnings is_provisional
    2024-01-01   0            3           3                  1              30        30                10            7            false
    2024-01-01   1            3           1                  0.333333       10        40                13.333333     9.333333     false
    2024-01-01   2            3           1                  0.333333       10        50                16.666667     11.666667    false
    2024-01-01   3            3           2                  0.666667       20        70                23.333333     16.333333    false
    2024-01-01   4            3           2                  0.666667       20        90                30            21           false
    2024-01-01   5            3           2                  0.666667       20        110               36.666667     25.666667    true
    2024-03-01   0            1           1                  1              10        10                10            7            false
    2024-03-01   1            1           1                  1              10        20                20            14           false
    2024-03-01   2            1           1                  1              10        30                30            21           false
    2024-03-01   3            1           1                  1              10        40                40            28           true
    """,
)
# A trial of the month before is no month of the cohort.
case = add_case("trial before the cohort")
case.charge("2024-04-28", FREE)
case.charge("2024-05-05")
case.expect("subscriber_cohorts", "date_month months_since\n2024-05-01 0\n2024-06-01 1")
# A month in which nobody paid, and lines of nobody.
case = add_case("free month")
case.line("2024-04-20", item_type="Application", sales_price="0", estimated_earnings="0")
case.line("2024-05-20", app_user_id="somebody", sales_price="4.00", estimated_earnings="2.80")
case.line("2024-05-20", sales_price="6.00", estimated_earnings="4.20")
case.expect(
    "monthly_report",
    """
    date_month  gross_sales refund_rate paying_users arppu mrr
    2024-04-01  0           -           0            -     -
    2024-05-01  10          0           1            4     -
    """,
)

# Amazon's own counts. -------------------------------------------------------------------------------
case = add_case("counts")
for day, active, ended in (("2024-05-01", 100, 0), ("2024-05-02", 90, 10), ("2024-05-04", 80, 4)):
    case.count(day, active=active, ended=ended, started=1, refunded=0)
    case.count(
        day,
        active=active // 10,
        ended=2,
        started=3,
        refunded=1,
        subscription_type="Trial",
        marketplace="Amazon.de",
        subscription_duration="monthly",
    )
case.charge("2024-04-25", FREE)
case.charge("2024-05-02")
case.expect(
    "subscription_report",
    """
    date_day    active started ended refunded trial_active paid_active churn_rate trial_conversions trial_conversion_rate subscription_duration
    2024-05-01  110    4       2     1        10           100         -          0                 0                     Monthly
    2024-05-02  99     4       12    1        9            90          0.1        1                 0.333333              Monthly
    2024-05-04  88     4       6     1        8            80          -          0                 0                     Monthly
    """,
)
case.expect(
    "marketplace_report",
    """
    date_day    marketplace active started ended refunded trial_active paid_active is_provisional
    2024-05-01  Amazon.com  100    1       0     0        0            100         false
    2024-05-01  Amazon.de   10     3       2     1        10           0           false
    2024-05-02  Amazon.com  90     1       10    0        0            90          false
    2024-05-02  Amazon.de   9      3       2     1        9            0           false
    2024-05-04  Amazon.com  80     1       4     0        0            80          false
    2024-05-04  Amazon.de   8      3       2     1        8            0           false
    """,
)

# Estimated against paid. ----------------------------------------------------------------------------
case = add_case("earnings")
for day in ("2024-03-10", "2024-03-11", "2024-04-10", "2024-05-10"):
    case.line(day, marketplace_currency="NOK", estimated_earnings="1.40")
invoice = {"invoice_id": "I-1", "tax_withheld": Decimal("0.30"), "tax_withheld_currency": "NOK"}
case.payment("2024-03", "NOK", "2.85", payment_status="Rejected", **invoice)
case.payment("2024-03", "NOK", "2.85", payment_status="Issued", **invoice)
case.payment("2024-04", "NOK", "1.40", payment_status="not issued")
case.payment("2024-02", "NOK", "0.50")
case.expect(
    "earnings_report",
    """
    date_month  estimated_earnings earnings tax_withheld paid_earnings difference is_provisional
    2024-02-01  -                  0.5      -            0.5           -          false
    2024-03-01  2.8                2.85     0.3          2.85          0.05       false
    2024-04-01  1.4                1.4      -            0             0          true
    2024-05-01  1.4                -        -            -             -          true
    """,
    "currency = 'NOK'",
)

# Lines that Amazon has withdrawn. -------------------------------------------------------------------
case = add_case("withdrawn")
for number in range(2):
    case.line(
        "2018-03-06",
        report_last_modified=datetime(2018, 4, 1),  # noqa: DTZ001
        _rescued_data="{}",
        vendor_sku=str(number),
    )
case.expect("overview_report", "date_day report_lines")
case.expect(
    "report_months",
    """
    report_lines withdrawn_lines rescued_lines unread_lines is_final
    1            2               0             0            false
    """,
    "report = 'sales' and report_period = '2018-03'",
)
case = add_case("rescued")
case.line("2018-07-06", _rescued_data='{"Units": "many"}', units=None)
case.line("2018-07-06", _rescued_data='{"Colour": "red"}')
case.expect("overview_report", "date_day in_app_units\n2018-07-06 1")
case.expect(
    "report_months",
    """
    report_lines withdrawn_lines rescued_lines unread_lines
    2            0               2             1
    """,
    "report = 'sales' and report_period = '2018-07'",
)
case = add_case("undocumented")
case.line("2024-05-20", item_type="Bundle")
case.expect("overview_report", "date_day other_units other_net_sales\n2024-05-20 1 1.99")
