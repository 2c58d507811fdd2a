"""Which months a stream reads, and what it says of them; without the command."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, cast

import pytest

from sandbox import make_csv
from tap_amazon_appstore.months import (
    add_months,
    current_month,
)
from tap_amazon_appstore.tap import TapAmazonAppstore
from tests.conftest import catalog_with
from tests.data import publish, sales

if TYPE_CHECKING:
    from sandbox import Account

pytestmark = pytest.mark.unlimited

JANUARY, FEBRUARY, MARCH, APRIL, MAY = (date(2024, number, 1) for number in range(1, 6))
NOW = date(2024, 6, 1)

Read = Callable[..., "Reading"]

GAP = "has no report, though months before and after it have one"
WITHDRAWN = "had a report and has none now; its rows stay as they are"


@dataclass
class Reading:
    """What reading the months of a stream gave."""

    rows: list[int]
    """How many rows each month had that was read."""

    state: dict[str, Any]
    """The stream's bookmark at the end."""

    states: list[str]
    """The bookmarks of the STATE messages, in order."""

    infos: list[str]
    warnings: list[str]


@pytest.fixture
def read(
    account: Account,
    capsysbinary: pytest.CaptureFixture[bytes],
    caplog: pytest.LogCaptureFixture,
) -> Read:
    """Read the months of `sales`, January to May unless settings say otherwise."""

    def read(
        state: dict[str, Any] | None = None, method: str = "INCREMENTAL", **settings: object
    ) -> Reading:
        months = {"start_date": "2024-01-15", "end_date": "2024-05-01"}
        tap = TapAmazonAppstore(
            config={**account.settings, **months, **settings},
            catalog=catalog_with(replication_method=method),
            state={"bookmarks": {"sales": state}} if state else None,
        )
        caplog.clear()
        caplog.set_level("INFO")
        capsysbinary.readouterr()
        stream = tap.streams["sales"]
        rows = [len(list(records)) for records in stream.read_months()]  # type: ignore[attr-defined]
        states = [
            json.loads(line)["value"]["bookmarks"]["sales"]["replication_key_value"]
            for line in capsysbinary.readouterr().out.splitlines()
        ]
        return Reading(
            rows,
            dict(stream.stream_state),
            states,
            *(
                [r.getMessage() for r in caplog.records if r.levelname == level]
                for level in ("INFO", "WARNING")
            ),
        )

    return read


def without_costs(texts: list[str]) -> list[str]:
    """Leave out what a month took."""
    return [re.sub(r", \d+\.\d MB, \d+\.\d s$", "", text) for text in texts]


def test_each_month_is_told_and_a_state_follows_each_that_has_a_report(
    account: Account,
    read: Read,
) -> None:
    publish(account, JANUARY, MARCH)
    publish(account, APRIL, rows=1234)

    reading = read()

    assert reading.rows == [3, 3, 1234]
    assert reading.states == ["2024-01-01", "2024-03-01", "2024-04-01"]
    assert reading.state["replication_key_value"] == "2024-04-01"
    assert reading.state["replication_key"] == "report_month"
    assert list(reading.state["files"]) == ["2024-03-01", "2024-04-01"]
    assert without_costs(reading.infos) == [
        "sales 2024-01 (month 1 of 5): 3 rows",
        "sales 2024-02 (month 2 of 5): no report",
        "sales 2024-03 (month 3 of 5): 3 rows",
        "sales 2024-04 (month 4 of 5): 1,234 rows",
        "sales 2024-05 (month 5 of 5): no report",
    ]
    assert reading.warnings == [f"The sales report of 2024-02: {GAP}"]


def test_a_month_is_told_with_its_size_and_how_long_it_took(account: Account, read: Read) -> None:
    account.put_report("sales", MAY, {"a.csv": make_csv(sales(1)), "b.txt": os.urandom(1_250_000)})

    (text,) = read(start_date="2024-05-01").infos

    size, seconds = re.fullmatch(  # type: ignore[union-attr]
        r"sales 2024-05 \(month 1 of 1\): 1 rows, (\d+\.\d) MB, (\d+\.\d) s", text
    ).groups()
    assert size == "1.3"
    assert float(seconds) < 5


def test_what_is_odd_about_a_report_is_told_of_its_month(account: Account, read: Read) -> None:
    account.put_report("sales", MARCH, make_csv([{**sales(1)[0], "New": "x"}]))

    (text,) = read().warnings

    assert text.startswith("The sales report of 2024-03: the column 'New' is unknown")


def test_unchanged_reports_are_told_and_read_no_more(account: Account, read: Read) -> None:
    publish(account, FEBRUARY, MARCH, APRIL)
    first = read()
    publish(account, MARCH, rows=4)

    second = read(first.state)

    assert second.rows == [4]
    assert without_costs(second.infos) == [
        "sales 2024-02 (month 1 of 4): unchanged since it was read",
        "sales 2024-03 (month 2 of 4): 4 rows",
        "sales 2024-04 (month 3 of 4): unchanged since it was read",
        "sales 2024-05 (month 4 of 4): no report",
    ]
    assert second.states == ["2024-04-01"]
    assert second.warnings == []


def test_a_full_table_read_begins_at_the_start_and_remembers_nothing(
    account: Account,
    read: Read,
) -> None:
    publish(account, JANUARY, APRIL)
    first = read()

    again = read(first.state, "FULL_TABLE")

    assert again.rows == [3, 3]
    assert again.state == first.state


@pytest.mark.parametrize(
    ("lookback", "months"), [(0, ["2024-04", "2024-05"]), (1, ["2024-03", "2024-04", "2024-05"])]
)
def test_the_lookback_is_what_the_setting_says(
    account: Account,
    read: Read,
    lookback: int,
    months: list[str],
) -> None:
    publish(account, APRIL)

    reading = read({"replication_key_value": "2024-04-01"}, lookback_months=lookback)

    assert [text.split()[1] for text in reading.infos] == months


def test_reading_begins_with_the_first_month_that_amazon_has(account: Account, read: Read) -> None:
    publish(account, date(2018, 1, 1))

    reading = read(start_date="2015-06-30", end_date="2018-02-28")

    assert reading.rows == [3]
    assert [text.split()[1] for text in reading.infos] == ["2018-01", "2018-02"]
    assert reading.state["replication_key_value"] == "2018-01-01"


def test_records_for_the_sdk_are_the_same_by_name(account: Account) -> None:
    publish(account, JANUARY)
    months = {"start_date": "2024-01-01", "end_date": "2024-01-01"}
    stream = TapAmazonAppstore(config={**account.settings, **months}).streams["sales"]

    records = cast("list[dict[str, str]]", list(stream.get_records(None)))

    transactions = ["2024-01-01-1", "2024-01-01-2", "2024-01-01-3"]
    assert [record["transaction_id"] for record in records] == transactions
    assert list(records[0]) == list(stream.schema["properties"])


def test_reading_ends_with_the_current_month(account: Account, read: Read) -> None:
    months = [add_months(current_month(), count) for count in (-1, 0)]
    publish(account, *months)

    reading = read(start_date=str(months[0]), end_date=None)
    beyond = read(start_date=str(months[0]), end_date="2999-01-01")

    assert reading.rows == beyond.rows == [3, 3]
    assert reading.state["replication_key_value"] == str(months[1])


# ---------------------------------------------------------------------------------------- gaps


def gaps(reading: Reading) -> list[str]:
    """Return the months that are warned of as gaps."""
    ends = [text.removesuffix(f": {GAP}") for text in reading.warnings if text.endswith(GAP)]
    return [text.removeprefix("The sales report of ") for text in ends]


def test_every_month_of_a_gap_is_warned_of_once(account: Account, read: Read) -> None:
    publish(account, JANUARY, APRIL, MAY)

    assert gaps(read()) == ["2024-02", "2024-03"]


def test_two_gaps_are_warned_of_one_by_one(account: Account, read: Read) -> None:
    publish(account, JANUARY, MARCH, MAY)

    assert gaps(read()) == ["2024-02", "2024-04"]


def test_months_before_the_first_and_after_the_last_report_are_no_gap(
    account: Account,
    read: Read,
) -> None:
    publish(account, MARCH)

    reading = read()

    assert reading.warnings == []
    assert reading.rows == [3]


def test_a_report_that_an_earlier_run_read_is_before_a_gap(account: Account, read: Read) -> None:
    publish(account, JANUARY)
    first = read(end_date="2024-02-01")
    publish(account, MARCH)

    assert gaps(first) == []
    assert gaps(read(first.state, lookback_months=0, end_date="2024-02-01")) == []
    assert gaps(read(first.state)) == ["2024-02"]
    # Also without what identifies its file.
    assert gaps(read({"replication_key_value": "2024-01-01"}, lookback_months=0)) == ["2024-02"]


def test_the_bookmark_is_not_before_a_gap_that_is_before_it(account: Account, read: Read) -> None:
    publish(account, MARCH)
    first = read()

    assert first.state["replication_key_value"] == "2024-03-01"
    assert gaps(read(first.state)) == []


def test_a_report_that_was_withdrawn_is_warned_of(account: Account, read: Read) -> None:
    publish(account, FEBRUARY, MARCH, APRIL)
    first = read()
    account.remove_report("sales", MARCH)
    account.remove_report("sales", APRIL)

    second = read(first.state)

    assert second.warnings == [
        f"The sales report of 2024-03: {WITHDRAWN}",
        f"The sales report of 2024-04: {WITHDRAWN}",
    ]
    assert second.state["replication_key_value"] == "2024-04-01"


def test_the_first_report_is_no_gap_when_it_is_withdrawn(account: Account, read: Read) -> None:
    publish(account, FEBRUARY, MARCH, APRIL)
    first = read()
    account.remove_report("sales", FEBRUARY)

    assert read(first.state).warnings == [f"The sales report of 2024-02: {WITHDRAWN}"]


def test_an_unchanged_report_ends_a_gap(account: Account, read: Read) -> None:
    publish(account, FEBRUARY, APRIL)
    first = read()

    second = read(first.state)

    assert gaps(first) == gaps(second) == ["2024-03"]
    assert second.rows == []
