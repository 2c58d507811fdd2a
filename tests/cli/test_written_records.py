"""Every record that the log counts is on standard output."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from sandbox import Fault
from tests.data import publish

if TYPE_CHECKING:
    from werkzeug import Response

    from sandbox.request import Answer, Request
    from tests.conftest import Tap

# Runs follow each other at once.
pytestmark = pytest.mark.unlimited

MONTHS = [date(2024, month, 1) for month in (1, 2, 3)]
FULL_TABLE = "FULL_TABLE"


@pytest.mark.parametrize(
    ("method", "stream_maps", "streams"),
    [
        ("INCREMENTAL", None, ["sales"]),
        (FULL_TABLE, {"sales": {"copied_title": "title"}}, ["sales", "subscriptions"]),
    ],
    ids=["INCREMENTAL", FULL_TABLE],
)
def test_first_run_and_next_run(
    tap: Tap, method: str, stream_maps: dict[str, Any] | None, streams: list[str]
) -> None:
    publish(tap.account, *MONTHS, rows=4)
    settings: dict[str, Any] = {"start_date": "2024-01-01", "end_date": "2024-03-31"}
    if stream_maps:
        settings["stream_maps"] = stream_maps
    catalog = tap.catalog(selected=streams, replication_method=method)
    first = tap.read("--catalog", catalog, **settings)
    assert len(first.records()) == counted(first.stderr) == 12
    state = first.state if first.states else {}
    following = tap.read("--catalog", catalog, state=state, **settings)
    assert len(following.records()) == counted(following.stderr)
    assert len(following.records()) == (12 if method == FULL_TABLE else 0)


def test_a_restated_month_of_a_bucket_without_versions(tap: Tap) -> None:
    publish(tap.account, MONTHS[0], rows=4)
    tap.account.inject_fault(Fault("bucket", without_versions), times=None)
    settings = {"start_date": "2024-01-01", "end_date": "2024-01-31"}
    tap.streams = ["sales"]
    state = tap.read(**settings).state
    run = tap.read(state=state, **settings)
    assert len(run.records()) == counted(run.stderr) == 4


def test_hard_deletes_are_never_announced(tap: Tap) -> None:
    publish(tap.account, MONTHS[0], rows=4)
    catalog = tap.catalog(selected=["sales"], replication_method=FULL_TABLE)
    run = tap.read(
        "--catalog", catalog, start_date="2024-01-01", emit_activate_version_messages=True
    )
    assert {message["type"] for message in run.messages} <= {"SCHEMA", "RECORD", "STATE"}


def without_versions(_: Request, answer: Answer) -> Response:
    response = answer()
    for name in ("ETag", "Last-Modified"):
        response.headers.pop(name, None)
    return response


def counted(log: str) -> int:
    return sum(int(rows.replace(",", "")) for rows in re.findall(r": ([\d,]+) rows", log))
