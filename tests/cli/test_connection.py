"""`--test` reports within seconds, for each stream, whether access is proven."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from werkzeug import Response

from sandbox import Fault, make_csv
from tap_amazon_appstore.months import current_month
from tests.conftest import TAP, Tap, execute
from tests.data import EARNINGS, publish
from tests.reading import STREAM_NAMES

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox import Sandbox
    from sandbox.request import Answer, Request


def outcomes(stderr: str) -> list[str]:
    """Return level and text of the lines about streams."""
    lines = [line.split(" | ") for line in stderr.splitlines()]
    streams = tuple(STREAM_NAMES)
    return [f"{line[1].strip()} {line[3]}" for line in lines if line[3].startswith(streams)]


def test_a_report_confirms_access_and_none_does_not_prove_it(tap: Tap) -> None:
    publish(tap.account, current_month())
    tap.account.put_report("earnings", current_month(), make_csv([EARNINGS]))

    run = tap.run("--test", start_date="2018-01-01", end_date=None)

    assert run.code == 0, run.stderr
    assert outcomes(run.stderr) == [
        "INFO sales: access confirmed",
        "WARNING subscriptions: no report found yet, so access is not proven",
        "INFO earnings (optional): access confirmed",
    ]
    assert {request.service for request in tap.account.requests} == {"lwa", "api"}
    assert run.stdout == ""


def test_denied_access_to_a_default_stream_fails(sandbox: Sandbox, tmp_path: Path) -> None:
    run = Tap(sandbox.add_account(reports=["sales"]), tmp_path).run("--test")

    assert run.code == 1
    (error,) = run.log("ERROR")
    assert error.startswith("subscriptions: access denied (HTTP 403). Check that the security")
    assert any("earnings (optional): access denied" in text for text in run.log("WARNING"))


def test_a_wrong_secret_fails(tap: Tap) -> None:
    run = tap.run("--test", client_secret=tap.account.client_secret[:-1])

    assert run.code == 1
    (error,) = run.log("ERROR")
    assert "(invalid_client)" in error
    assert "Traceback" not in run.stderr


def test_an_api_that_is_not_found_names_api_url(tap: Tap) -> None:
    tap.account.inject_fault("api-404", times=None)

    run = tap.run("--test")

    assert run.code == 1
    assert len(run.log("ERROR")) == 2
    assert all("HTTP 404" in error and "check api_url" in error for error in run.log("ERROR"))


def test_it_takes_at_most_10_seconds_and_no_patience_with_a_rate_limit(tap: Tap) -> None:
    def hang(_: Request, answer: Answer) -> Response:
        time.sleep(12)
        return answer()

    tap.account.inject_fault(Fault("api", Response(status=429)), times=None, report="sales")
    tap.account.inject_fault(Fault("api", hang), times=None, report="subscription")
    started = time.monotonic()

    run = tap.run("--test")

    assert time.monotonic() - started < 10
    assert run.code == 0
    assert outcomes(run.stderr)[:2] == [
        "WARNING sales: rate-limited; try again later",
        "WARNING subscriptions: not checked: out of time",
    ]


def test_schemas_can_be_written_without_requests(tap: Tap) -> None:
    run = tap.read("--test=schema")

    assert [(message["type"], message["stream"]) for message in run.messages] == [
        ("SCHEMA", name) for name in sorted(STREAM_NAMES)
    ]
    assert tap.account.requests == []


@pytest.mark.parametrize("flag", ["--discover", "--about"])
def test_discovery_and_about_need_no_settings(flag: str) -> None:
    run = execute(str(TAP), flag)

    assert run.code == 0
    assert "sales" in run.stdout
    assert (run.log("ERROR"), run.log("WARNING")) == ([], [])
