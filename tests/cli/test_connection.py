"""`--test` says within seconds, for each stream, whether this account may read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from werkzeug import Response

from tests.conftest import TAP, Tap, execute

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox import Sandbox


def test_a_linked_account_may_read_all_streams(tap: Tap) -> None:
    run = tap.run("--test", start_date="2018-01-01", end_date=None)

    assert run.code == 0, run.stderr
    assert [text for text in run.log("INFO") if "may read" in text] == [
        f"{stream}: this account may read it" for stream in ("sales", "subscriptions", "earnings")
    ]
    assert [request.service for request in tap.account.requests] == ["lwa", *["api"] * 3]
    assert run.stdout == ""


def test_a_stream_that_may_not_be_read_is_told(sandbox: Sandbox, tmp_path: Path) -> None:
    run = Tap(sandbox.add_account(reports=["sales"]), tmp_path).run("--test")

    assert run.code == 1
    assert len(run.log("ERROR")) == 1
    assert run.log("ERROR")[0].startswith("subscriptions: this account may NOT read it; ")
    assert "attached to the Reporting API" in run.log("ERROR")[0]
    assert "sales: this account may read it" in run.log("INFO")
    assert "earnings (optional): this account may not read it" in run.log("WARNING")


def test_a_stream_of_which_nothing_can_be_said_keeps_no_other_from_being_told(tap: Tap) -> None:
    teapot = Response("A teapot", 418)
    tap.account.inject_fault("api", teapot, times=None, report="sales")

    run = tap.run("--test")

    assert run.code == 1
    assert [error.partition(":")[0] for error in run.log("ERROR")] == ["sales"]
    assert "refused the request (418)" in run.log("ERROR")[0]
    assert "subscriptions: this account may read it" in run.log("INFO")
    assert "Traceback" not in run.stderr


def test_a_wrong_secret_is_told(tap: Tap) -> None:
    run = tap.run("--test", client_secret=tap.account.client_secret[:-1])

    assert run.code == 1
    assert len(run.log("ERROR")) == 1
    assert "(invalid_client)" in run.log("ERROR")[0]
    assert "Traceback" not in run.stderr


def test_schemas_can_be_written_alone(tap: Tap) -> None:
    run = tap.read("--test=schema")

    assert [(message["type"], message["stream"]) for message in run.messages] == [
        ("SCHEMA", "earnings"),
        ("SCHEMA", "sales"),
        ("SCHEMA", "subscriptions"),
    ]
    assert tap.account.requests == []


@pytest.mark.parametrize("flag", ["--discover", "--about"])
def test_discovery_and_about_need_no_settings(flag: str) -> None:
    run = execute(str(TAP), flag)

    assert run.code == 0
    assert "sales" in run.stdout
    assert (run.log("ERROR"), run.log("WARNING")) == ([], [])
