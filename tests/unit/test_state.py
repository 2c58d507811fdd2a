"""A stream's state: where a run begins, which files it need not read, and what can be wrong."""

from __future__ import annotations

import copy
from datetime import date
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_amazon_appstore.client import FileVersion
from tap_amazon_appstore.months import look_back, period_name
from tap_amazon_appstore.state import ReportState

JANUARY, FEBRUARY, MARCH, APRIL, MAY = (date(2024, number, 1) for number in range(1, 6))
NOW = date(2024, 6, 1)
VERSION = FileVersion('"a"', "Wed, 03 Apr 2024 12:30:00 GMT")


class Read:
    """A state that has been read, and the warnings about it."""

    def __init__(
        self, entry: dict[str, Any] | None = None, *, start: date = JANUARY, lookback: int = 2
    ) -> None:
        self.entry: dict[str, Any] = {} if entry is None else entry
        self.warnings: list[str] = []
        self.state = ReportState(
            self.entry,
            start=start,
            lookback=partial(look_back, count=lookback),
            current=NOW,
            warn=self.warnings.append,
        )

    def complete(self, *months: date) -> dict[str, Any]:
        for month in months:
            self.state.complete(period_name(month), VERSION, "report_month")
        return self.entry


def bookmark(month: object, **others: object) -> dict[str, Any]:
    return {"replication_key": "report_month", "replication_key_value": month, **others}


def file(**changes: object) -> dict[str, object]:
    return {"etag": VERSION.etag, "last_modified": VERSION.last_modified, **changes}


def test_without_a_bookmark_a_run_begins_at_the_start() -> None:
    assert Read().state.first_month == JANUARY
    read = Read(bookmark(None))
    assert (read.state.first_month, read.warnings) == (JANUARY, [])


@pytest.mark.parametrize(
    ("start", "lookback", "first"), [(JANUARY, 2, MARCH), (JANUARY, 0, MAY), (APRIL, 2, APRIL)]
)
def test_a_run_begins_before_the_bookmark_but_not_before_the_start(
    start: date, lookback: int, first: date
) -> None:
    assert Read(bookmark("2024-05-01"), start=start, lookback=lookback).state.first_month == first


def test_a_completed_month_moves_the_bookmark_and_is_known() -> None:
    entry = Read(start=MARCH).complete(MARCH, APRIL)
    assert entry == bookmark(
        "2024-04-01",
        first_month="2024-03-01",
        files={"2024-03-01": file(), "2024-04-01": file()},
    )
    read = Read(entry, start=MARCH)
    assert read.state.files == {"2024-03": VERSION, "2024-04": VERSION}
    assert not read.warnings


def test_a_restated_month_leaves_the_bookmark() -> None:
    entry = Read(bookmark("2024-05-01")).complete(MARCH)
    assert entry["replication_key_value"] == "2024-05-01"


def test_only_months_that_are_checked_again_are_kept() -> None:
    assert [*Read(lookback=1).complete(JANUARY, FEBRUARY, MARCH)["files"]] == [
        "2024-02-01",
        "2024-03-01",
    ]


def test_a_year_is_a_file_of_its_own() -> None:
    read = Read(lookback=12)
    read.state.complete("2024", VERSION, "report_month")
    assert read.entry["replication_key_value"] == "2024-01-01"
    assert Read(read.entry, lookback=12).state.files == {"2024": VERSION}


def test_versions_after_the_bookmark_are_removed() -> None:
    entry = bookmark("2024-02-01", files={"2024-02-01": file(), "2024-04-01": file()})
    read = Read(entry)
    assert [*read.state.files] == ["2024-02"]
    assert [*entry["files"]] == ["2024-02-01"]


def test_without_a_bookmark_no_version_is_trusted() -> None:
    assert Read(bookmark(None, files={"2024-02-01": file()})).state.files == {}


def test_a_bookmark_in_the_future_is_the_current_month_and_a_warning() -> None:
    read = Read(bookmark("2099-01-01"))
    assert read.state.bookmark == NOW
    assert read.warnings == [
        (
            "the state's bookmark 2099-01-01 lies in the future. It is replaced by the current month, "
            "2024-06."
        )
    ]


def test_the_current_month_is_not_in_the_future() -> None:
    read = Read(bookmark("2024-06-01"))
    assert (read.state.bookmark, read.warnings) == (NOW, [])


@pytest.mark.parametrize("value", ["", "soon", "2024-13-01", 5, [], {"a": 1}, True, "2024"])
def test_a_bookmark_that_is_not_a_date_reads_everything_again(value: object) -> None:
    read = Read(bookmark(value, files={"2024-01-01": file(), "2024-02-01": file()}))
    assert read.state.first_month == JANUARY
    assert read.state.files == {}
    assert len(read.warnings) == 1


@pytest.mark.parametrize(
    "files",
    [
        [],
        "x",
        {"soon": file()},
        {"2024-04-15": file()},
        {"2024-04-01T00:00:00Z": file()},
        {"2024-04-01": None},
        {"2024-04-01": {"etag": '"a"'}},
        {"2024-04-01": file(etag=5)},
        {"2024-04-01": file(etag="€")},
        {"2024-04-01": file(etag=" a")},
        {"2024-04-01": file(etag="a\r\nb: c")},
        {"2024-04-01": file(last_modified="\x00")},
    ],
)
def test_file_versions_that_cannot_be_sent_are_read_again(files: object) -> None:
    if isinstance(files, dict):
        files = {"2024-03-01": file(), **files, "2024-05-01": file()}
    read = Read(bookmark("2024-05-01", files=files))
    assert [*read.state.files] == (["2024-03", "2024-05"] if isinstance(files, dict) else [])
    assert len(read.warnings) == (1 if files else 0)


def test_months_before_the_first_covered_one_are_uncovered() -> None:
    entry = Read(start=APRIL).complete(APRIL)
    assert Read(entry, start=JANUARY, lookback=0).state.uncovered == (JANUARY, MARCH)
    assert Read(entry, start=APRIL).state.uncovered is None
    assert Read(entry, start=MAY).state.uncovered is None
    # The lookback reads some of them.
    assert Read(entry, start=JANUARY, lookback=2).state.uncovered == (JANUARY, JANUARY)


def test_a_state_without_a_first_month_covers_the_start() -> None:
    read = Read(bookmark("2024-05-01"))
    assert read.state.uncovered is None
    assert read.complete(MAY)["first_month"] == "2024-01-01"


def test_a_later_start_leaves_the_months_before_it_uncovered() -> None:
    entry = Read(bookmark("2024-02-01", first_month="2023-01-01"), start=APRIL).complete(APRIL)
    assert entry["first_month"] == "2024-04-01"


def test_a_start_after_the_bookmarks_month_leaves_what_is_covered() -> None:
    entry = Read(bookmark("2024-03-01", first_month="2023-01-01"), start=APRIL).complete(APRIL)
    assert entry["first_month"] == "2023-01-01"


def test_an_earlier_month_that_is_read_is_covered() -> None:
    entry = Read(start=APRIL).complete(APRIL)
    assert Read(entry, lookback=2).complete(FEBRUARY, MARCH)["first_month"] == "2024-02-01"


def test_months_that_an_interrupted_run_did_not_reach_are_uncovered() -> None:
    entry = Read(start=MAY).complete(MAY)
    assert Read(entry, lookback=12).complete(JANUARY, FEBRUARY)["first_month"] == "2024-05-01"
    assert Read(entry, lookback=0).state.uncovered == (JANUARY, APRIL)


def test_months_without_a_report_are_covered() -> None:
    entry = Read(start=MAY).complete(MAY)
    read = Read(entry, lookback=12)
    read.complete(JANUARY)
    for month in (FEBRUARY, MARCH, APRIL):
        read.state.cover(period_name(month))
    assert entry["first_month"] == "2024-01-01"


def test_without_a_bookmark_nothing_is_covered() -> None:
    read = Read()
    read.state.cover("2024-01")
    assert "first_month" not in read.entry


@pytest.mark.parametrize("value", ["x", "2024-9", 7, {}])
def test_before_an_unreadable_first_month_nothing_counts_as_read(value: object) -> None:
    read = Read(bookmark("2024-05-01", first_month=value))
    assert len(read.warnings) == 1
    assert read.state.first_month == MARCH
    assert read.state.uncovered == (JANUARY, FEBRUARY)
    assert read.complete(MAY)["first_month"] == "2024-03-01"


@given(
    old=st.integers(1, 5),
    new=st.integers(0, 5),
    lookback=st.integers(0, 5),
)
def test_a_state_merged_after_an_interrupted_full_refresh_reads_the_rest(
    old: int, new: int, lookback: int
) -> None:
    months = [JANUARY, FEBRUARY, MARCH, APRIL, MAY]
    before = Read(lookback=lookback).complete(*months[:old])
    refreshed = Read(bookmark(None), lookback=lookback).complete(*months[:new])
    state = Read(merge(refreshed, before), lookback=lookback).state
    assert state.first_month <= months[min(new, 4)]
    assert not {period_name(month) for month in months[new:]} & {*state.files}


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.dates().map(str),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "replication_key_value": anything | st.sampled_from(["2024-03-01", "2024-05-01"]),
            "files": anything
            | st.dictionaries(
                st.sampled_from(["2024-03-01", "2024-03-15", "2024-04-01", "2024", "x"]),
                anything | st.fixed_dictionaries({"etag": anything, "last_modified": anything}),
            ),
            "first_month": anything,
        },
    )
)
def test_no_edited_state_reads_less_than_its_bookmark_allows(entry: dict[str, Any]) -> None:
    state = Read(copy.deepcopy(entry)).state
    assert JANUARY <= state.first_month <= NOW
    assert all(state.bookmark and period[:7] <= f"{state.bookmark:%Y-%m}" for period in state.files)
    assert Read(Read(copy.deepcopy(entry)).complete(NOW)).warnings == []


def merge(source: dict[str, Any], target: dict[str, Any]) -> dict[str, Any]:
    """Merge states as Meltano does."""
    for key, value in source.items():
        if isinstance(value, dict):
            merge(value, target.setdefault(key, {}))
        else:
            target[key] = value
    return target
