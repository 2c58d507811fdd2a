"""Files that the command cannot use are named in one sentence."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.conftest import TAP, catalog_with, execute
from tests.data import MONTH, publish

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Tap


def test_a_configuration_that_does_not_exist_is_named(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"

    run = execute(str(TAP), "--config", str(path))

    assert run.code == 1
    assert len(run.stderr.splitlines()) == 1
    assert run.log("ERROR") == [f"--config {path} could not be read: No such file or directory"]


# Runs follow each other at once.
pytestmark = pytest.mark.unlimited

DEEP = '{"a":' * 200 + "1" + "}" * 200
RENAMED = catalog_with()
RENAMED["streams"][0]["stream"] = "renamed"


@pytest.mark.parametrize(
    ("option", "content", "problem"),
    [
        ("--config", DEEP, " has more than 100 levels"),
        ("--state", '{"bookmarks": {"sales": NaN}}', " is not valid JSON: NaN is not a JSON value"),
        ("--catalog", '{"streams": []}', " is not a valid Singer catalog. Generate a catalog with"),
        ("--catalog", json.dumps(RENAMED), ": tap_stream_id 'earnings' and stream 'renamed' diff"),
    ],
    ids=["deep", "NaN", "no catalog", "renamed"],
)
def test_a_file_that_cannot_be_used_is_named(
    tap: Tap, tmp_path: Path, option: str, content: str, problem: str
) -> None:
    path = tmp_path / "broken.json"
    path.write_text(content, encoding="utf-8")

    run = tap.run(option, str(path))

    assert run.code == 1
    (error,) = run.log("ERROR")
    assert error.startswith(f"{option} {path}{problem}")
    assert "Traceback" not in run.stderr
    assert tap.account.requests == []


@pytest.mark.usefixtures("sales_alone")
@pytest.mark.parametrize("content", ["", {"bookmarks": {"sales": 7}}], ids=["empty", "unreadable"])
def test_a_state_without_a_bookmark_is_read_from_start_date(
    tap: Tap, tmp_path: Path, content: object
) -> None:
    publish(tap.account, MONTH)
    path = tmp_path / "a-state.json"
    path.write_text(json.dumps(content) if content else "", encoding="utf-8")

    run = tap.read("--state", str(path))

    assert len(run.records()) == 3
    assert len(run.log("WARNING")) == bool(content)


@pytest.mark.usefixtures("sales_alone")
def test_an_edited_version_of_a_file_reads_its_month_again(tap: Tap) -> None:
    publish(tap.account, MONTH)
    state = tap.read().state
    (version,) = state["bookmarks"]["sales"]["files"].values()
    assert tap.read(state=state).records() == []
    version["etag"] = "a\r\nX-Header: b"

    run = tap.read(state=state)

    assert len(run.records()) == 3
    assert "a" not in {r.headers.get("If-None-Match") for r in tap.account.requests}
