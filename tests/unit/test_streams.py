"""Runs over months: what is read, written, remembered and logged, in every combination."""

from __future__ import annotations

import errno
import gzip
import itertools
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from singer_sdk.exceptions import FatalSyncError
from singer_sdk.helpers._batch import BatchConfig

from sandbox import make_csv, make_zip
from tap_amazon_appstore.connection_errors import FatalConnectionError
from tap_amazon_appstore.output.batches import _BatchFile, _JSONLinesEncoder, _MappedOutput
from tap_amazon_appstore.output.messages import MessageWriter
from tap_amazon_appstore.output.parquet import ParquetEncoder
from tests.data import EARNINGS, sale, sales, subscription
from tests.reading import STREAM_NAMES
from tests.unit.runs import Finished, MemoryClient, merge, run

if TYPE_CHECKING:
    from collections.abc import Sequence

MONTHS = ["2024-01", "2024-02", "2024-03", "2024-04", "2024-05"]
FULL_TABLE = "FULL_TABLE"
STREAM_MAPS: dict[str, dict[str, Any]] = {
    "unmapped": {},
    "filtered and copied": {
        "stream_maps": {
            "sales": {"__filter__": "not transaction_id.endswith('-0')"},
            "copy": {"__source__": "sales"},
        }
    },
}


@pytest.fixture
def client() -> MemoryClient:
    """Three months of 4 sales, the last with subscriptions."""
    client = MemoryClient()
    for month in MONTHS[:3]:
        client.publish(month)
    client.put("subscription", "2024-03", [subscription(), subscription(ASIN="B2")])
    return client


def batches(path: Path, format_: str, size: int = 3) -> dict[str, Any]:
    encoding = (
        {"format": format_, "compression": "gzip"} if format_ == "jsonl" else {"format": format_}
    )
    storage = {"root": path.as_uri()}
    return {"batch_config": {"encoding": encoding, "storage": storage, "batch_size": size}}


def urls(finished: Finished, stream: str = "sales") -> list[str]:
    return [
        url
        for message in finished.messages
        if message["type"] == "BATCH" and message["stream"] == stream
        for url in message["manifest"]
    ]


def rows_in_file(url: str) -> int:
    path = Path(url.removeprefix("file://"))
    if path.suffix == ".parquet":
        return int(pq.read_metadata(path).num_rows)
    return len(gzip.decompress(path.read_bytes()).splitlines())


def rows_in_files(finished: Finished, stream: str) -> int:
    return sum(map(rows_in_file, urls(finished, stream)))


def logged_counts(finished: Finished) -> dict[str, int]:
    return {
        text.partition(":")[0]: int(text.split()[-3].replace(",", ""))
        for text in finished.log("INFO")
        if text.endswith("records written")
    }


def metric_counts(finished: Finished) -> int:
    points = (json.loads(text.partition("METRIC: ")[2] or "{}") for text in finished.log("INFO"))
    return sum(point["value"] for point in points if point.get("metric") == "record_count")


# ------------------------------------------------------------- every record counted is written


@pytest.mark.parametrize("streams", [["sales"], ["sales", "subscriptions"]], ids=len)
@pytest.mark.parametrize("output", ["records", "jsonl", "parquet"])
@pytest.mark.parametrize("stream_maps", STREAM_MAPS.values(), ids=STREAM_MAPS)
@pytest.mark.parametrize("has_versions", [True, False])
@pytest.mark.parametrize("method", ["INCREMENTAL", FULL_TABLE])
def test_every_record_counted_is_written(  # noqa: PLR0913, PLR0917 - a matrix
    client: MemoryClient,
    tmp_path: Path,
    method: str,
    has_versions: bool,  # noqa: FBT001
    stream_maps: dict[str, Any],
    output: str,
    streams: Sequence[str],
) -> None:
    client.has_versions = has_versions
    options = {**stream_maps, "selected": streams, "method": method}
    if output != "records":
        options |= batches(tmp_path, output)
    rows = {"sales": 9, "copy": 12} if stream_maps else {"sales": 12}
    if len(streams) > 1:
        rows["subscriptions"] = 2

    first = run(client, **options)
    following = run(client, first.state, **options)

    for finished, is_first in ((first, True), (following, False)):
        is_read = is_first or method == FULL_TABLE or not has_versions
        expected = rows if is_read else dict.fromkeys(rows, 0)
        written = {
            name: len(finished.records(name)) + rows_in_files(finished, name) for name in rows
        }
        assert written == expected
        assert logged_counts(finished) == {
            "sales": sum(count for name, count in expected.items() if name != "subscriptions"),
            **({"subscriptions": expected["subscriptions"]} if len(streams) > 1 else {}),
        }
        assert metric_counts(finished) == sum(expected.values())
        assert not finished.failures
        assert finished.output.endswith(b"\n")


def test_records_are_flushed_by_the_end_of_each_month(client: MemoryClient) -> None:
    client.failures["sales", "2024-03"] = FatalSyncError("sales 2024-03: HTTP 500.")
    assert run(client).months() == {"2024-01": 4, "2024-02": 4}


def test_records_that_are_not_written_fail_the_stream(
    client: MemoryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MessageWriter, "flush", lambda _: None)
    finished = run(client, selected=["sales", "subscriptions"])
    assert finished.failures == [
        "sales: 12 of 12 records were not written. This is a bug; please report it.",
        "subscriptions: 2 of 2 records were not written. This is a bug; please report it.",
    ]


def test_files_that_are_not_announced_fail_the_stream(
    client: MemoryClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_MappedOutput, "_complete", lambda _: iter(()))
    finished = run(client, **batches(tmp_path, "jsonl", size=100))
    assert finished.failures == [
        "sales: 12 of 12 records were not written. This is a bug; please report it."
    ]


@pytest.mark.parametrize("format_", ["jsonl", "parquet"])
def test_a_file_that_cannot_be_completed_is_not_announced(
    client: MemoryClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format_: str
) -> None:
    def fail(_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(_JSONLinesEncoder, "close", fail)
    monkeypatch.setattr(ParquetEncoder, "close", fail)
    finished = run(client, **batches(tmp_path, format_))
    assert "No space left on device" in finished.failures[0]
    assert rows_in_files(finished, "sales") == 0


@pytest.mark.parametrize("output", ["records", "jsonl", "parquet"])
def test_a_month_that_breaks_amid_its_rows_is_read_again(
    client: MemoryClient, tmp_path: Path, output: str
) -> None:
    broken = make_csv(sales(600)) + '"never closed'
    client.files["sales", "2024-02"] = make_zip({"sales.csv": broken})
    finished = run(client, **batches(tmp_path, output) if output != "records" else {})
    assert "sales 2024-02" in finished.failures[0]
    entry = finished.state["bookmarks"]["sales"]
    assert (entry["replication_key_value"], [*entry["files"]]) == ("2024-01-01", ["2024-01-01"])


@pytest.mark.parametrize("method", ["INCREMENTAL", FULL_TABLE])
def test_hard_deletes_are_never_announced(client: MemoryClient, method: str) -> None:
    finished = run(client, method=method, emit_activate_version_messages=True)
    assert {message["type"] for message in finished.messages} == {"SCHEMA", "RECORD", "STATE"}


# -------------------------------------------------------------------------------- state as input


def test_an_interrupted_full_refresh_is_resumed(client: MemoryClient) -> None:
    for month in MONTHS:
        client.publish(month)
    before = run(client).state
    client.failures["sales", "2024-03"] = FatalSyncError("sales 2024-03: HTTP 500.")
    interrupted = run(client)
    client.failures.clear()

    resumed = run(client, merge(interrupted.state, before))

    assert {*interrupted.months()} | {*resumed.months()} == {*MONTHS}


@settings(max_examples=40, deadline=None)
@given(
    loaded=st.sets(st.sampled_from(MONTHS)),
    fails_at=st.sampled_from(
        [("sales", month) for month in MONTHS] + [("subscription", "2024-01")]
    ),
    later=st.sampled_from(MONTHS),
    lookback=st.integers(0, 3),
)
def test_interrupted_and_resumed_is_uninterrupted(
    loaded: set[str], fails_at: tuple[str, str], later: str, lookback: int
) -> None:
    client = MemoryClient()
    options: dict[str, Any] = {"selected": ["sales", "subscriptions"], "lookback_months": lookback}
    for month in MONTHS:
        client.put("subscription", month, [subscription(Date=f"{month}-01")])
        if month in loaded:
            client.publish(month)
    before = run(client, **options).state
    client.publish(later, edition=2)
    client.failures[fails_at] = FatalSyncError("x")
    interrupted = run(client, **options)
    client.failures.clear()
    resumed = run(client, merge(interrupted.state, before), **options)

    complete = run(client, **options)
    for stream in ("sales", "subscriptions"):
        table: dict[str, Any] = {}
        for finished in (interrupted, resumed):
            table |= {record["line_id"]: record for record in finished.records(stream)}
        assert table == {record["line_id"]: record for record in complete.records(stream)}


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.dictionaries(st.sampled_from(MONTHS), st.integers(1, 3), max_size=3),
        min_size=1,
        max_size=4,
    ),
    st.booleans(),
)
def test_increments_are_a_full_refresh(
    history: list[dict[str, int]],
    has_versions: bool,  # noqa: FBT001
) -> None:
    client = MemoryClient(has_versions=has_versions)
    state, table = None, {}
    for editions in history:
        for month, edition in editions.items():
            client.publish(month, rows=edition, edition=edition)
        finished = run(client, state, lookback_months=12)
        state = finished.state
        for record in finished.records():
            table[record["line_id"]] = record
    complete = {record["line_id"]: record for record in run(client).records()}
    # Rows of a smaller edition stay: only their age says that they have been withdrawn.
    assert {key: table[key] for key in complete} == complete


def test_a_bookmark_that_was_moved_back_reads_these_months_again(client: MemoryClient) -> None:
    state = run(client).state
    state["bookmarks"]["sales"]["replication_key_value"] = "2024-01-01"
    assert run(client, state, lookback_months=0).months() == {"2024-02": 4, "2024-03": 4}


def test_an_earlier_start_names_the_months_that_are_not_read(client: MemoryClient) -> None:
    state = run(client, start_date="2024-03-01").state
    finished = run(client, state, lookback_months=0)
    assert finished.months() == {}
    (warning,) = finished.log("WARNING")
    assert warning.startswith("sales: 2024-01 to 2024-02 not read: start_date lies before")


def test_months_between_an_ended_backfill_and_later_runs_are_named() -> None:
    client = MemoryClient()
    for month in range(1, 11):
        client.publish(f"2024-{month:02}")
    recent = run(client, start_date="2024-09-01", end_date="2024-10-31").state
    january = "2024-01-01"

    ended = run(client, recent, start_date=january, end_date="2024-03-31", lookback_months=12).state
    whole = run(client, recent, start_date=january, end_date="2024-10-31", lookback_months=12).state

    (warning,) = run(client, ended, start_date=january, end_date="2024-10-31").log("WARNING")
    assert warning.startswith("sales: 2024-01 to 2024-07 not read: start_date lies before")
    assert not run(client, whole, start_date=january, end_date="2024-10-31").log("WARNING")


def test_a_later_start_without_reports_leaves_what_is_covered() -> None:
    client = MemoryClient()
    for month in ("2023-01", "2023-02", "2023-05"):
        client.publish(month)
    first = run(client, start_date="2023-01-01").state

    later = run(client, first, start_date="2024-01-01").state

    assert later["bookmarks"]["sales"]["first_month"] == "2023-01-01"
    assert "not read" not in str(run(client, later, start_date="2023-01-01").log("WARNING"))


@pytest.mark.parametrize("bookmark", [None, "2023-01-01"])
def test_what_is_covered_counts_anew_from_a_bookmark_before_it(bookmark: str | None) -> None:
    client = MemoryClient()
    for year, month in itertools.product((2023, 2024), range(1, 6)):
        client.publish(f"{year}-{month:02}")
    state = run(client, start_date="2024-04-01").state
    state["bookmarks"]["sales"]["replication_key_value"] = bookmark

    client.failures = {("sales", "2023-05"): FatalSyncError("sales 2023-05: outage")}
    interrupted = run(client, state, start_date="2023-01-01").state
    client.failures = {}

    assert interrupted["bookmarks"]["sales"]["first_month"] == "2023-01-01"
    resumed = run(client, interrupted, start_date="2023-01-01")
    assert "not read:" not in str(resumed.log("WARNING"))


def test_a_bookmark_in_the_future_is_a_warning(client: MemoryClient) -> None:
    state = {"bookmarks": {"sales": {"replication_key_value": "2099-01-01"}}}
    finished = run(client, state)
    assert any("lies in the future" in text for text in finished.log("WARNING"))


@pytest.mark.parametrize(
    "state",
    [
        {"bookmarks": []},
        {"bookmarks": {"sales": "2024-03-01"}},
        {"bookmarks": {"sales": {"replication_key_value": "soon"}}},
        {"bookmarks": {"sales": {"replication_key_value": {"a": 1}, "partitions": 5}}},
    ],
)
def test_an_unreadable_state_reads_everything_with_a_warning(
    client: MemoryClient, state: dict[str, Any]
) -> None:
    finished = run(client, state)
    assert finished.months() == dict.fromkeys(MONTHS[:3], 4)
    assert finished.log("WARNING")


def test_a_state_follows_each_month(client: MemoryClient) -> None:
    bookmarks = [
        state["bookmarks"]["sales"]["replication_key_value"] for state in run(client).states
    ]
    assert bookmarks == ["2024-01-01", "2024-02-01", "2024-03-01"]


def test_a_run_that_ends_before_its_state_warns(client: MemoryClient) -> None:
    state = run(client).state
    finished = run(client, state, end_date="2024-01-31", lookback_months=0)
    assert any("nothing to read" in text for text in finished.log("WARNING"))


# -------------------------------------------------------------------------- months without report


def lines(finished: Finished, level: str) -> list[str]:
    return [text for text in finished.log(level) if "no report" in text]


def test_consecutive_months_without_a_report_are_one_line(client: MemoryClient) -> None:
    finished = run(client, start_date="2023-06-01")
    assert lines(finished, "INFO") == [
        "sales 2023-06 to 2023-12: no report",
        "sales 2024-04 to 2024-05: no report",
    ]
    assert not finished.log("WARNING")


def test_a_gap_between_reports_is_a_warning() -> None:
    client = MemoryClient()
    for month in ("2024-01", "2024-03", "2024-05"):
        client.publish(month)
    finished = run(client)
    assert lines(finished, "WARNING") == [
        f"sales {month}: no report, though reports exist before and after it."
        for month in ("2024-02", "2024-04")
    ]


def test_a_gap_that_an_earlier_run_left_open_is_a_warning() -> None:
    client = MemoryClient()
    client.publish("2024-01")
    state = run(client).state
    client.publish("2024-04")
    assert lines(run(client, state), "WARNING")[0].startswith("sales 2024-02 to 2024-03: no report")


def test_months_before_the_first_report_are_no_gap_in_later_runs_either() -> None:
    client = MemoryClient()
    client.publish("2024-03")
    finished = run(client, run(client).state)
    assert lines(finished, "INFO") == [
        "sales 2024-01 to 2024-02: no report",
        "sales 2024-04 to 2024-05: no report",
    ]
    assert "sales 2024-03 (month 3 of 5): unchanged" in finished.log("INFO")
    assert not finished.log("WARNING")


def test_a_report_that_is_gone_is_a_warning(client: MemoryClient) -> None:
    state = run(client).state
    del client.files["sales", "2024-02"]
    warnings = run(client, state).log("WARNING")
    assert (
        "sales 2024-02: had a report before and has none now. Its rows stay in the target."
        in warnings
    )


def test_a_report_without_rows_is_a_warning_if_it_had_some(client: MemoryClient) -> None:
    first = run(client)
    assert "Its rows stay in the target" not in "".join(first.log("WARNING"))
    header = make_csv([sale()]).splitlines()[0]
    client.files["sales", "2024-02"] = make_zip({"sales.csv": header})
    warnings = run(client, first.state).log("WARNING")
    assert warnings == [
        "sales 2024-02: had a report before and has no rows now. Its rows stay in the target."
    ]


def test_an_empty_response_is_a_warning(client: MemoryClient) -> None:
    client.files["sales", "2024-04"] = b""
    assert "sales 2024-04: the response was empty. It counts as no report yet." in run(client).log(
        "WARNING"
    )


@pytest.mark.parametrize("stream", STREAM_NAMES)
def test_a_stream_without_any_report_is_a_warning(stream: str) -> None:
    finished = run(MemoryClient(), selected=[stream])
    assert finished.log("WARNING") == [
        (
            f"{stream}: no report found in any requested month. Check start_date, and which account the "
            "client ID belongs to."
        )
    ]


# ----------------------------------------------------------------------------------- failures


def test_a_failure_leaves_the_other_streams(client: MemoryClient) -> None:
    client.failures["sales", "2024-02"] = FatalSyncError("sales 2024-02: HTTP 500.")
    finished = run(client, selected=["sales", "subscriptions"])
    assert finished.months() == {"2024-01": 4}
    assert finished.months("subscriptions") == {"2024-03": 2}
    assert finished.failures == ["sales 2024-02: HTTP 500."]
    assert finished.log("ERROR") == finished.failures


def test_the_last_failure_is_not_logged_twice(client: MemoryClient) -> None:
    client.failures["subscription", "2024-02"] = FatalSyncError("subscription 2024-02: HTTP 500.")
    finished = run(client, selected=["sales", "subscriptions"])
    assert finished.failures == ["subscription 2024-02: HTTP 500."]
    assert finished.log("ERROR") == []


def test_an_unexpected_error_quotes_nothing_and_leaves_the_other_streams(
    client: MemoryClient,
) -> None:
    client.failures["sales", "2024-02"] = KeyError("secret")
    finished = run(client, selected=["sales", "subscriptions"])
    assert finished.months("subscriptions") == {"2024-03": 2}
    (failure,) = finished.failures
    assert "Unexpected error (KeyError in fetch" in failure
    assert "secret" not in failure


def test_a_failed_sign_in_ends_the_run(client: MemoryClient) -> None:
    client.failures["sales", "2024-01"] = FatalConnectionError("Sign-in failed.")
    finished = run(client, selected=["sales", "subscriptions"])
    assert finished.failures == ["Sign-in failed."]
    assert {report for report, _ in client.requests} == {"sales"}


# ----------------------------------------------------------------------------------- earnings

EARNINGS_MONTHS: dict[str, Any] = {
    "start_date": "2023-05-01",
    "end_date": "2024-03-31",
    "selected": ["earnings"],
}


def periods(finished: Finished) -> list[tuple[str, str]]:
    return [(r["report_period"], r["report_month"]) for r in finished.records("earnings")]


def test_earnings_by_month_need_no_year() -> None:
    client = MemoryClient()
    client.put("earnings", "2023-03", [EARNINGS])
    client.put("earnings", "2024-01", [EARNINGS])
    finished = run(client, **EARNINGS_MONTHS)
    assert periods(finished) == [("2023-03", "2023-03-01"), ("2024-01", "2024-01-01")]
    assert ("earnings", "2023") not in client.requests
    assert ("earnings", "2024") not in client.requests


def test_earnings_by_year_are_asked_after_the_months() -> None:
    client = MemoryClient()
    client.put("earnings", "2023", [EARNINGS])
    client.put("earnings", "2024", [EARNINGS])
    finished = run(client, **EARNINGS_MONTHS)
    assert periods(finished) == [("2023", "2023-01-01"), ("2024", "2024-01-01")]
    assert client.requests.index(("earnings", "2023")) == 12
    assert not finished.log("WARNING")
    state = finished.state["bookmarks"]["earnings"]
    assert state["replication_key_value"] == "2024-01-01"
    assert [*state["files"]] == ["2023", "2024"]
    assert periods(run(client, finished.state, **EARNINGS_MONTHS)) == []


def test_an_empty_response_for_a_month_does_not_keep_its_year_from_being_asked() -> None:
    client = MemoryClient()
    client.put("earnings", "2023", [EARNINGS])
    client.files["earnings", "2023-07"] = b""
    assert periods(run(client, **EARNINGS_MONTHS)) == [("2023", "2023-01-01")]


def test_a_line_item_has_one_key_by_month_and_by_year() -> None:
    client = MemoryClient()
    client.put("earnings", "2023", [EARNINGS])
    first = run(client, **EARNINGS_MONTHS)
    client.put("earnings", "2023-03", [EARNINGS])
    second = run(client, first.state, **EARNINGS_MONTHS)
    (yearly,), (monthly,) = first.records("earnings"), second.records("earnings")
    assert yearly["line_id"] == monthly["line_id"]


def test_a_year_with_monthly_reports_is_not_asked_though_they_are_gone() -> None:
    client = MemoryClient()
    client.put("earnings", "2023-03", [EARNINGS])
    state = run(client, **EARNINGS_MONTHS).state
    client.files.clear()
    client.put("earnings", "2023", [EARNINGS])
    client.requests.clear()
    run(client, state, **EARNINGS_MONTHS)
    assert ("earnings", "2023") not in client.requests


def test_a_year_that_could_not_be_read_is_not_covered() -> None:
    client = MemoryClient()
    for period in ("2023", "2024-05", "2025-05"):
        client.put("earnings", period, [{**EARNINGS, "Invoice ID": period}])
    options: dict[str, Any] = {"selected": ["earnings"], "end_date": "2025-05-31"}
    recent = run(client, start_date="2024-01-01", **options).state
    client.failures = {("earnings", "2023"): FatalSyncError("earnings 2023: outage")}
    failed = run(client, recent, start_date="2023-01-01", lookback_months=30, **options).state
    client.failures = {}

    later = run(client, failed, start_date="2023-01-01", **options)

    assert "earnings: 2023-01 to 2023-12 not read" in str(later.log("WARNING"))


def test_the_lookback_of_earnings_is_a_year_from_january() -> None:
    client = MemoryClient()
    for year, month in itertools.product((2021, 2022, 2023), range(1, 13)):
        client.put("earnings", f"{year}-{month:02}", [EARNINGS])
    options = {**EARNINGS_MONTHS, "start_date": "2021-01-01", "end_date": "2023-12-31"}
    state = run(client, **options).state
    client.requests.clear()
    run(client, state, **options)
    assert client.requests[0] == ("earnings", "2022-01")


def test_a_longer_lookback_of_earnings_is_kept() -> None:
    client = MemoryClient()
    for year, month in itertools.product((2021, 2022, 2023), range(1, 13)):
        client.put("earnings", f"{year}-{month:02}", [EARNINGS])
    options = {
        **EARNINGS_MONTHS,
        "start_date": "2021-01-01",
        "end_date": "2023-12-31",
        "lookback_months": 24,
    }
    state = run(client, **options).state
    client.requests.clear()
    run(client, state, **options)
    assert client.requests[0] == ("earnings", "2021-01")


def test_a_year_between_years_with_reports_is_a_gap() -> None:
    client = MemoryClient()
    for year in ("2021", "2023"):
        client.put("earnings", year, [EARNINGS])
    finished = run(
        client, **{**EARNINGS_MONTHS, "start_date": "2021-01-01", "end_date": "2023-12-31"}
    )
    assert lines(finished, "WARNING") == [
        "earnings 2022-01 to 2022-12: no report, though reports exist before and after it."
    ]


# ---------------------------------------------------------------------------------- batch files


@pytest.mark.parametrize("format_", ["jsonl", "parquet"])
def test_files_have_at_most_batch_size_rows(
    client: MemoryClient, tmp_path: Path, format_: str
) -> None:
    finished = run(client, **batches(tmp_path, format_))
    assert [*map(rows_in_file, urls(finished))] == [3, 1] * 3


@pytest.mark.parametrize("format_", ["jsonl", "parquet"])
def test_no_row_of_a_month_in_many_chunks_and_files_is_lost(tmp_path: Path, format_: str) -> None:
    client = MemoryClient()
    client.publish("2024-01", rows=1000)
    finished = run(client, **batches(tmp_path, format_, size=90))
    assert len(urls(finished)) == 12
    assert rows_in_files(finished, "sales") == logged_counts(finished)["sales"] == 1000


@pytest.mark.parametrize("format_", ["jsonl", "parquet"])
def test_a_later_run_overwrites_no_file(client: MemoryClient, tmp_path: Path, format_: str) -> None:
    client.has_versions = False
    first, second = (urls(run(client, **batches(tmp_path, format_))) for _ in range(2))
    assert len({*first, *second}) == len(first) + len(second) > 2


@pytest.mark.skipif(os.name == "nt", reason="Windows does not remove open files")
def test_files_that_a_process_writes_are_no_leftovers(client: MemoryClient, tmp_path: Path) -> None:
    options = batches(tmp_path, "jsonl")
    config = BatchConfig.from_dict(options["batch_config"])
    name = "tap-amazon-appstore--sales-1"
    file = _BatchFile(config, name, {"properties": {"units": {}}})
    run(client, **options)
    assert len([*tmp_path.glob(f".{name}*.part")]) == 1
    file.discard()
    assert not [*tmp_path.glob(".*")]


def test_leftovers_of_a_killed_run_are_removed_and_those_of_others_stay(
    client: MemoryClient, tmp_path: Path
) -> None:
    leftover = tmp_path / ".tap-amazon-appstore--sales-1.jsonl.gz.part"
    other = tmp_path / ".tap-other--sales-1.jsonl.gz.part"
    for path in (leftover, other):
        path.write_bytes(b"x")
    run(client, **batches(tmp_path, "jsonl"))
    assert not leftover.exists()
    assert other.exists()
