"""A stream map that fails is blamed on nothing else, and quotes no value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.data import MONTH, publish, sale

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Tap

pytestmark = pytest.mark.usefixtures("sales_alone")


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("int(title)", "ValueError"),
        ("sales_price * 0.5", "TypeError"),
        ("units + units_ago", "Failed to evaluate simpleeval expressions units + units_ago"),
    ],
)
@pytest.mark.parametrize("encoding", [None, "jsonl", "parquet"])
def test_a_stream_map_that_fails_is_blamed_on_nothing_else(
    tap: Tap, tmp_path: Path, encoding: str | None, expression: str, reason: str
) -> None:
    error = failure_of_map(tap, expression, tmp_path, encoding)

    assert error == f"A stream map of sales failed ({reason}); check stream_maps"


@pytest.mark.parametrize("encoding", [None, "jsonl"])
def test_a_stream_map_is_to_blame_for_what_cannot_be_written(
    tap: Tap, tmp_path: Path, encoding: str | None
) -> None:
    error = failure_of_map(tap, r"'\ud800'", tmp_path, encoding)

    assert error == "A stream map of sales failed (UnicodeEncodeError); check stream_maps"


def failure_of_map(tap: Tap, expression: str, root: Path, encoding: str | None) -> str:
    """Return what a run says whose records, or batches, have titles made by an expression."""
    publish(tap.account, MONTH)
    storage = {"root": root.as_uri()}
    batches = {"encoding": {"format": encoding}, "storage": storage}
    tap.settings |= {"batch_config": batches} if encoding else {}

    run = tap.run(stream_maps={"sales": {"title": expression}})

    assert run.code == 1
    (error,) = run.log("ERROR")
    assert sale()["Title"] not in run.stderr
    assert "Traceback" not in run.stderr
    return error
