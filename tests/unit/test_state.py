"""What a stream's state says: where a run begins, and which files it need not read."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest
from singer_sdk.exceptions import FatalSyncError

from tap_amazon_appstore.client import FileIdentity
from tap_amazon_appstore.state import ReportState

JANUARY, FEBRUARY, MARCH, APRIL, MAY = (date(2024, number, 1) for number in range(1, 6))
NOW = date(2024, 6, 1)


def state_of(state: dict[str, Any] | None = None, lookback: int = 2) -> ReportState:
    return ReportState({} if state is None else state, lookback_months=lookback, current=NOW)


def bookmark(month: object, **files: object) -> dict[str, Any]:
    state: dict[str, Any] = {"replication_key_value": month}
    return {**state, **files}


def test_without_a_bookmark_a_run_begins_at_the_start() -> None:
    state = state_of()

    assert state.bookmark is None
    assert state.files == {}
    assert state.first_month(JANUARY) == JANUARY


@pytest.mark.parametrize(
    ("lookback", "start", "first"),
    [(0, JANUARY, APRIL), (1, JANUARY, MARCH), (2, JANUARY, FEBRUARY), (2, MAY, MAY)],
)
def test_a_run_begins_some_months_before_the_bookmark(
    lookback: int, start: date, first: date
) -> None:
    state = state_of(bookmark("2024-04-01"), lookback)

    assert state.bookmark == APRIL
    assert state.first_month(start) == first


@pytest.mark.parametrize("value", ["2024-06-01", "2024-07-01", "9999-12-31"])
def test_a_bookmark_in_the_future_is_the_current_month(value: str) -> None:
    assert state_of(bookmark(value)).bookmark == NOW


@pytest.mark.parametrize("value", ["yesterday", 7, ""])
def test_a_bookmark_that_is_no_date_is_refused_with_what_it_is(value: object) -> None:
    sentence = f"The state's bookmark {value!r} is no date; correct or remove the state"

    with pytest.raises(FatalSyncError, match=re.escape(sentence)):
        state_of(bookmark(value))


def test_a_month_that_has_been_read_is_remembered_with_its_file() -> None:
    written: dict[str, Any] = {}
    state = state_of(written)

    state.complete(MARCH, FileIdentity('"a"', None), "report_month")

    assert state.bookmark == MARCH
    assert state.files == {MARCH: FileIdentity('"a"', None)}
    assert written == {
        "replication_key": "report_month",
        "replication_key_value": "2024-03-01",
        "files": {"2024-03-01": {"etag": '"a"', "last_modified": None}},
    }
    assert state_of(written).files == state.files


def test_a_month_before_the_bookmark_does_not_move_it() -> None:
    written = bookmark("2024-04-01")
    state = state_of(written)

    state.complete(MARCH, FileIdentity("a", "b"), "report_month")

    assert state.bookmark == APRIL
    assert written["replication_key_value"] == "2024-04-01"
    assert list(written["files"]) == ["2024-03-01"]


def test_only_files_that_are_checked_again_are_remembered_in_order() -> None:
    files = {
        f"2024-0{number}-01": {"etag": str(number), "last_modified": None} for number in (4, 2, 1)
    }
    written = bookmark("2024-04-01", files=files)
    state = state_of(written)
    assert list(state.files) == [APRIL, FEBRUARY, JANUARY]

    state.complete(MARCH, FileIdentity("3", None), "report_month")
    assert list(written["files"]) == ["2024-02-01", "2024-03-01", "2024-04-01"]
    state.complete(MAY, FileIdentity("5", None), "report_month")
    assert list(written["files"]) == ["2024-03-01", "2024-04-01", "2024-05-01"]
    assert written["files"]["2024-04-01"] == {"etag": "4", "last_modified": None}


@pytest.mark.parametrize(
    "files",
    [None, 7, [], {"2024-04-01": None}, {"2024-04-01": {"etag": "a"}}, {"x": {}}],
)
def test_files_that_cannot_be_read_are_none(files: object) -> None:
    state = state_of(bookmark("2024-04-01", files=files))

    assert state.files == {}
    assert state.bookmark == APRIL
