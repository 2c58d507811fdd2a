"""Sample reports agree with each other and look like those of a business."""

from __future__ import annotations

import csv
import io
import zipfile
from calendar import monthrange
from collections import Counter, defaultdict
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox import Sandbox, write_sample_zip
from sandbox.archive import extract_csv
from sandbox.samples import list_months, make_sample
from sandbox.samples.business import Business
from sandbox.samples.catalogue import MARKETPLACES, PLANS
from sandbox.samples.layout import add_months
from sandbox.samples.sales import OBSERVED_NAMES
from tests.conftest import memory_below

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox import Account
    from sandbox.reports import Period

MONTH = date(2024, 3, 1)
TODAY = date(2024, 6, 15)
MONTHS = [date(2024, month, 1) for month in range(1, 7)]
TWO_YEARS = list_months(date(2024, 6, 1), 24)
BUSINESS = Business(1200)
ZONES = {marketplace.name: marketplace.zone for marketplace in MARKETPLACES}
DOCUMENTED = {observed: documented for documented, observed in OBSERVED_NAMES.items()}
TAKEN_BACK = {"Refund", "Chargeback"}

Row = dict[str, str]


def read(content: bytes | None) -> list[Row]:
    """Read the rows of a report under the documented names, whichever the file has."""
    text = extract_csv(content or b"").decode("utf-8-sig")
    rows = csv.DictReader(io.StringIO(text, newline=""))
    return [{DOCUMENTED.get(name, name): cell for name, cell in row.items()} for row in rows]


@cache
def sales(month: date, business: Business = BUSINESS) -> list[Row]:
    return read(make_sample("sales", month, business))


@cache
def subscriptions(month: date, business: Business = BUSINESS) -> list[Row]:
    return read(make_sample("subscription", month, business))


def parse_time(row: Row) -> datetime:
    """Parse a sale's time in either form."""
    written, abbreviation = row["Transaction Time"].rsplit(" ", 1)
    form = "%m/%d/%y %H:%M" if "/" in written else "%Y-%m-%d %H:%M:%S"
    moment = datetime.strptime(written, form).replace(tzinfo=ZONES[row["Marketplace"]])
    names = (abbreviation, {"BRT": "-03", "BRST": "-02"}.get(abbreviation))
    return moment if moment.tzname() in names else moment.replace(fold=1)


def parse_day(row: Row) -> date:
    return datetime.strptime(row["Date"], "%m/%d/%y").replace(tzinfo=timezone.utc).date()


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """A sandbox without servers."""
    with Sandbox(port=None) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def sample(sandbox: Sandbox) -> Account:
    """An account with six months of sample reports, which no test changes."""
    account = sandbox.add_account()
    account.add_sample(months=6, rows_per_month=1200, today=TODAY)
    return account


class TestAccounts:
    """Which reports there are, and when they change."""

    def test_cover_the_last_months(self, sample: Account) -> None:
        months = list_months(date(2024, 12, 1), 13)
        for report, expected in (
            ("sales", MONTHS),
            ("subscription", MONTHS),
            ("earnings", MONTHS[:4]),
        ):
            assert [m for m in months if sample.get_report(report, m)] == expected

    def test_are_the_same_whenever_they_are_made(self, sandbox: Sandbox, sample: Account) -> None:
        account = sandbox.add_account()
        account.add_sample(months=2, rows_per_month=1200, today=date(2024, 3, 2))
        for report in ("sales", "subscription"):
            month = date(2024, 2, 1)
            assert account.get_report(report, month) == sample.get_report(report, month)

    def test_of_other_seeds_are_others(self, sandbox: Sandbox, sample: Account) -> None:
        account = sandbox.add_account()
        account.add_sample(months=1, rows_per_month=1200, today=TODAY, seed="other")
        theirs = read(account.get_report("sales", TODAY))
        ours = read(sample.get_report("sales", TODAY))
        for column in ("ASIN", "Vendor SKU", "App User ID", "Invoice Id"):
            assert {row[column] for row in ours} & {row[column] for row in theirs} <= {""}

    @settings(max_examples=15, deadline=None)
    @given(st.dates(date(2020, 1, 1), date(2030, 12, 31)))
    def test_nothing_lies_in_the_future(self, today: date) -> None:
        midnight = datetime(today.year, today.month, today.day, tzinfo=timezone.utc)
        business = Business(60)
        for month in list_months(today, 2):
            rows = read(make_sample("sales", month, business, today))
            assert all(parse_time(row) < midnight for row in rows)
            days = read(make_sample("subscription", month, business, today))
            assert all(parse_day(row) < today for row in days)
            assert len(days) > 0 or today == month

    def test_yearly_earnings_are_those_of_the_months(self, sample: Account) -> None:
        def rows(period: Period) -> list[Row]:
            return read(sample.get_report("earnings", period))

        assert rows(2024) == [row for month in MONTHS[:4] for row in rows(month)]


class TestForms:
    """How reports are written."""

    def test_have_every_layout_within_six_months(self, sample: Account) -> None:
        seen: defaultdict[str, set[object]] = defaultdict(set)
        for month in MONTHS:
            content = sample.get_report("sales", month) or b""
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                seen["streamed"].add(bool(archive.infolist()[0].flag_bits & 0x08))
                assert archive.namelist()[0] == f"sales-{month:%Y-%m}-00000.csv"
                parts = [archive.read(name).decode() for name in archive.namelist()]
            seen["parts"].add(len(parts))
            seen["BOM"].add(parts[-1].startswith("\ufeff"))
            seen["CRLF"].add(parts[-1].endswith("\r\n"))
            seen["quoted"].add('"Marketplace"' in parts[0])
            seen["observed"].add("Transaction ID" in parts[0])
        assert {name: len(values) for name, values in seen.items()} == dict.fromkeys(seen, 2)

    def test_files_are_written_with_little_memory(self, tmp_path: Path) -> None:
        path = tmp_path / "report.zip"
        write_sample_zip(path, MONTH, 4_000)  # The simulated subscribers stay in memory.
        with memory_below(1_000_000):
            write_sample_zip(path, MONTH, 4_000)
        assert len(read(path.read_bytes())) == 4_000


class TestSales:
    """What is sold."""

    @pytest.mark.parametrize("month", MONTHS)
    def test_are_of_every_kind(self, month: date) -> None:
        rows = sales(month)
        values = {name: {row[name] for row in rows} for name in rows[0]}
        assert values["Item Type"] == {"Application", "In-App", "Game", "Subscription"}
        assert values["Transaction Type"] == {"Charge", *TAKEN_BACK, "Chargeback reversal"}
        assert values["In-App Subscription Term"] == {"", *(plan.term for plan in PLANS)}
        assert values["In-App Subscription Status"] == {
            *("", "TRIAL", "PAID", "Introductory Price - All Customers"),
            "Promotional Price - Lapsed Customers",
        }
        assert {(m.name, m.country, m.currency) for m in MARKETPLACES} == {
            (r["Marketplace"], r["Country/Region Code"], r["Marketplace Currency"]) for r in rows
        }
        assert len(values["Title"] - {""}) > 5
        text = "".join(values["Title"] | values["Item Name"])
        assert set(',"\néم寿कШ') <= set(text)
        assert any(r["Item Type"] == "Application" and r["Sales Price"] == "0.00" for r in rows)
        tests = [row for row in rows if not row["Title"]]
        assert tests
        assert not any(row["Item Name"] for row in tests)

    def test_refunds_and_chargebacks_follow_their_charges(self) -> None:
        charges: dict[str, Row] = {}
        signs = Counter[bool]()
        for row in (row for month in TWO_YEARS for row in sales(month)):
            if row["Transaction Type"] == "Charge":
                assert charges.setdefault(row["Transaction Id"], row) is row
            elif row["Adjustment"] == "No" and row["Transaction Id"] in charges:
                charge = charges[row["Transaction Id"]]
                assert parse_time(row) >= parse_time(charge)
                for column in ("App User ID", "Receipt ID", "ASIN", "In-App Subscription Status"):
                    assert row[column] == charge[column]
                negative = row["Transaction Type"] in TAKEN_BACK
                earnings = Decimal(charge["Estimated Earnings"])
                assert Decimal(row["Estimated Earnings"]) == (-earnings if negative else earnings)
                signs[row["Sales Price"].startswith("-")] += negative
            else:
                # An adjustment, or the charge is in a month before the first one.
                early = row["Item Type"] == "Subscription" and parse_time(row).year < 2024
                assert row["Adjustment"] == "Yes" or early
        assert min(signs[True], signs[False]) > 100


class TestSubscriptions:
    """The subscription report, and the subscribers' line items."""

    @pytest.mark.parametrize("business", [BUSINESS, Business(60), Business(2100, "copies")])
    def test_active_is_previous_plus_started_less_ended(self, business: Business) -> None:
        active: dict[tuple[str, ...], tuple[date, int]] = {}
        first = TWO_YEARS[-6]
        for row in (row for month in TWO_YEARS[-6:] for row in subscriptions(month, business)):
            key = (row["Marketplace"], row["ASIN"], row["Subscription Type"])
            day = parse_day(row)
            now, started, ended, refunded = (
                int(row[name]) for name in ("Active", "Started", "Ended", "Refunded")
            )
            last, number = active.get(key, (first, 0))
            if day > first:
                # Nothing is active where there was no row.
                assert number == 0 or last == day - timedelta(days=1)
                if key in active or started:
                    assert now == number + started - ended
            assert now >= 0
            assert refunded <= ended
            active[key] = day, now
        assert {kind for _, _, kind in active} == {"trial", "paid"}

    @pytest.mark.parametrize("business", [BUSINESS, Business(2100, "copies")])
    def test_trials_are_those_of_the_sales_lines(self, business: Business) -> None:
        lines, counts = Counter[tuple[date, str]](), Counter[tuple[date, str]]()
        for row in (row for month in MONTHS[:4] for row in sales(month, business)):
            if row["In-App Subscription Status"] == "TRIAL":
                assert Decimal(row["Sales Price"]) == 0
                lines[parse_time(row).astimezone(timezone.utc).date(), row["Vendor SKU"]] += 1
        for row in subscriptions(MONTH, business):
            if row["Subscription Type"] == "trial" and row["Started"] != "0":
                counts[parse_day(row), row["Vendor SKU"]] += int(row["Started"])
        of_month = {key: number for key, number in lines.items() if key[0].month == MONTH.month}
        assert counts == of_month
        assert sum(counts.values()) > 20

    @pytest.mark.parametrize("business", [Business(150), Business(2100, "copies")])
    def test_paid_actives_are_the_payers_of_the_sales_lines(self, business: Business) -> None:
        # No subscription is older than 37 months.
        charges: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
        ended_early: dict[str, datetime] = {}
        for row in (row for m in list_months(date(2024, 4, 1), 40) for row in sales(m, business)):
            receipt, _, _ = row["Receipt ID"].partition(":")
            if row["Transaction Type"] in TAKEN_BACK:
                ended_early[receipt] = parse_time(row)
            elif row["Transaction Type"] == "Charge" and row["In-App Subscription Status"] not in {
                "",
                "TRIAL",
            }:
                charges[receipt, row["Item Name"]].append(row)
        plans = {plan.name: plan for plan in PLANS}
        spans = [
            (rows[0]["Marketplace"], plans[name], parse_time(rows[0]), end)
            for (receipt, name), rows in charges.items()
            for end in [ended_early.get(receipt) or _term_end(rows, plans[name].term)]
        ]
        for day in (date(2024, 3, 1), date(2024, 3, 17), date(2024, 3, 31)):
            moment = datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=timezone.utc)
            expected = Counter(
                (marketplace, plan.name)
                for marketplace, plan, start, end in spans
                if start <= moment < end
            )
            reported = Counter(
                {
                    (row["Marketplace"], row["Subscription Title"]): int(row["Active"])
                    for row in subscriptions(MONTH, business)
                    if parse_day(row) == day and row["Subscription Type"] == "paid"
                }
            )
            assert +reported == expected
            assert reported.total() > 30


def _term_end(rows: list[Row], term: str) -> datetime:
    """Return when the last of a subscription's paid terms ends."""
    start, terms = parse_time(rows[0]), len(rows)
    if days := {"Weekly": 7, "BiWeekly": 14}.get(term):
        return start.astimezone(timezone.utc) + timedelta(days=terms * days)
    months = {"BiMonthly": 2, "Quarterly": 3, "SemiAnnually": 6, "Annually": 12}.get(term, 1)
    end = add_months(start.date(), terms * months)
    day = min(start.day, monthrange(end.year, end.month)[1])
    return start.replace(end.year, end.month, day)


class TestEarnings:
    """The earnings report."""

    def test_pay_the_sales_of_their_month(self, sample: Account) -> None:
        statuses = set[str]()
        for month in MONTHS[:4]:
            rows = read(sample.get_report("earnings", month))
            payments = defaultdict(list)
            for row in rows:
                payments[row["Marketplace"]].append(row)
                statuses.add(row["Payment Status"])
            for marketplace, (invoice, adjustments) in payments.items():
                lines = [row for row in sales(month) if row["Marketplace"] == marketplace]
                sums = [
                    sum(Decimal(r["Estimated Earnings"]) for r in lines if r["Adjustment"] == kind)
                    for kind in ("No", "Yes")
                ]
                column = "Earnings Pre-Tax and Adjustments"
                assert [Decimal(r[column]) for r in (invoice, adjustments)] == sums
                assert Decimal(adjustments["Adjustments"]) == sums[1]
                for same in ("Invoice Group ID", "Payment ID", "Payment Amount", "Payment Status"):
                    assert invoice[same] == adjustments[same]
            assert {row["Marketplace"] for row in sales(month)} == set(payments)
        assert statuses == {"issued", "not issued", "rejected", ""}


def test_restated_sales_differ_a_little(sandbox: Sandbox, sample: Account) -> None:
    account = sandbox.add_account()
    account.add_sample(months=4, rows_per_month=1200, today=TODAY)
    contents = [sample.get_report("sales", MONTH)]
    for _ in range(2):
        account.restate_sales(MONTH)
        contents.append(account.get_report("sales", MONTH))
        old, new = ({row["Invoice Id"]: row for row in read(c)} for c in contents[-2:])
        kept = [invoice for invoice in old if invoice in new]
        changed = Counter(name for i in kept for name in old[i] if old[i][name] != new[i][name])
        assert set(changed) == {"Title", "Estimated Earnings"}
        assert all(10 < number < 100 for number in changed.values())
        assert 10 < len(old) - len(kept) < 50
        assert 10 < len(new) - len(kept) < 50
        assert [invoice for invoice in new if invoice in old] != kept
        assert len(read(contents[-1])) == len(new)
