"""Which months a run of the command reads, and what its state says afterwards."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from sandbox import make_csv
from tap_amazon_appstore.months import add_months
from tests.data import MONTH, publish, sale, sales, subscription

if TYPE_CHECKING:
    from sandbox import Account
    from tests.conftest import Run, Tap

# Runs follow each other at once: none is to wait for the limit that the one before it has used up.
pytestmark = [pytest.mark.unlimited, pytest.mark.usefixtures("sales_alone")]

FEBRUARY, APRIL, MAY, JUNE = date(2024, 2, 1), date(2024, 4, 1), date(2024, 5, 1), date(2024, 6, 1)
MARCH_TO_JUNE = {"start_date": "2024-03-15", "end_date": "2024-06-02"}


def months_asked(account: Account, report: str = "sales") -> list[date]:
    """Return the months of the API requests for a report, and forget all requests."""
    months = [r.month for r in account.requests if r.service == "api" and r.report == report]
    account.requests.clear()
    return sorted(month for month in months if isinstance(month, date))


def months_read(run: Run) -> list[str]:
    """Return the months of the records of a run, in their order."""
    return list(dict.fromkeys(record["report_month"] for record in run.records()))


def bookmark(month: str, **more: object) -> dict[str, Any]:
    """Return a state with a bookmark of `sales`."""
    stream = {"replication_key": "report_month", "replication_key_value": month, **more}
    return {"bookmarks": {"sales": stream}}


def test_months_are_read_in_order_and_a_state_follows_each(tap: Tap) -> None:
    publish(tap.account, MONTH, APRIL, MAY)

    run = tap.read(start_date="2024-03-15", end_date="2024-05-02")

    events = [
        message["record"]["report_month"]
        if message["type"] == "RECORD"
        else message["value"]["bookmarks"]["sales"]["replication_key_value"] + " done"
        for message in run.messages
        if message["type"] in {"RECORD", "STATE"}
    ]
    assert events == [
        *["2024-03-01"] * 3,
        "2024-03-01 done",
        *["2024-04-01"] * 3,
        "2024-04-01 done",
        *["2024-05-01"] * 3,
        "2024-05-01 done",
    ]


def test_an_unchanged_report_is_not_downloaded_again(tap: Tap) -> None:
    publish(tap.account, MONTH, APRIL, MAY, JUNE)
    first = tap.read(**MARCH_TO_JUNE)
    months_asked(tap.account)

    second = tap.read(state=first.state, **MARCH_TO_JUNE)

    assert second.records() == []
    assert second.state == first.state
    bucket = [(r.method, r.status) for r in tap.account.requests if r.service == "bucket"]
    assert bucket == [("GET", 304)] * 3
    assert months_asked(tap.account) == [APRIL, MAY, JUNE]


def test_a_run_starts_some_closed_months_before_the_bookmark(tap: Tap) -> None:
    tap.read(state=bookmark("2024-06-01"), lookback_months=1, **MARCH_TO_JUNE)

    assert months_asked(tap.account) == [MAY, JUNE]


def test_a_restated_month_is_read_again_with_the_same_keys(tap: Tap) -> None:
    tap.settings = {"start_date": "2024-03-15", "end_date": "2024-05-02"}
    publish(tap.account, MONTH, APRIL, MAY)
    first = tap.read()
    rows = [sale(Transaction_Id=f"2024-04-01-{number}", Units="5") for number in (3, 2, 1)]
    tap.account.put_report("sales", APRIL, make_csv(rows))

    second = tap.read(state=first.state)

    before = {r["line_id"]: r for r in first.records() if r["report_month"] == "2024-04-01"}
    after = {r["line_id"]: r for r in second.records()}
    assert before.keys() == after.keys()
    assert {record["report_month"] for record in after.values()} == {"2024-04-01"}
    for key, record in after.items():
        assert record["units"] == 5
        assert record["report_last_modified"] > before[key]["report_last_modified"]
    assert second.bookmark() == "2024-05-01"
    assert tap.read(state=second.state).records() == []


def test_a_bucket_that_ignores_conditions_has_its_unchanged_reports_skipped(tap: Tap) -> None:
    publish(tap.account, MONTH)
    first = tap.read()
    tap.account.inject_fault("bucket-ignores-conditions", times=None)

    assert tap.read(state=first.state).records() == []


def test_without_etag_the_time_of_the_file_tells_whether_it_changed(tap: Tap) -> None:
    publish(tap.account, MONTH)
    tap.account.inject_fault("bucket-no-etag", times=None)
    first = tap.read()
    assert tap.read(state=first.state).records() == []

    publish(tap.account, MONTH)

    assert len(tap.read(state=first.state).records()) == 3


def test_a_bookmark_in_the_future_counts_as_the_current_month(tap: Tap) -> None:
    tap.settings = {"start_date": "2018-01-01"}
    month = datetime.now(ZoneInfo("Australia/Sydney")).date().replace(day=1)
    publish(tap.account, month)

    run = tap.read(state=bookmark("2099-01-01"), lookback_months=0)

    assert months_read(run) == [month.isoformat()]
    assert run.bookmark() == month.isoformat()
    (warning,) = run.log("WARNING")
    assert warning == (
        "sales: the state's bookmark 2099-01-01 lies in the future. It is replaced by the current "
        f"month, {month:%Y-%m}."
    )


def test_an_earlier_start_date_is_a_warning_that_names_the_months_not_read(tap: Tap) -> None:
    publish(tap.account, FEBRUARY, MONTH, APRIL)
    tap.settings = {"end_date": "2024-04-30"}
    first = tap.read(start_date="2024-03-15")
    months_asked(tap.account)

    second = tap.read(state=first.state, start_date="2023-12-31")

    assert months_asked(tap.account) == [FEBRUARY, MONTH, APRIL]
    (warning,) = second.log("WARNING")
    assert warning == (
        "sales: 2023-12 to 2024-01 not read: start_date lies before the first month that the state "
        "covers. To read these months, run with an end_date and another state, or with "
        "--full-refresh."
    )


def test_reading_ends_with_the_month_that_sydney_is_in(tap: Tap) -> None:
    sydney = datetime.now(ZoneInfo("Australia/Sydney")).date().replace(day=1)
    tap.settings = {"start_date": add_months(sydney, -1).isoformat()}

    tap.read()
    assert months_asked(tap.account) == [add_months(sydney, -1), sydney]

    tap.read(end_date="2099-12-31")
    assert months_asked(tap.account) == [add_months(sydney, -1), sydney]


def test_streams_keep_their_states_apart(tap: Tap) -> None:
    tap.streams = None
    tap.account.put_report("sales", MONTH, make_csv(sales(1)))
    tap.account.put_report("subscription", APRIL, make_csv([subscription()]))

    run = tap.read(start_date="2024-03-15", end_date="2024-04-02")

    assert run.bookmark("sales") == "2024-03-01"
    assert run.bookmark("subscriptions") == "2024-04-01"
