"""Invalid settings are rejected at startup, before a request is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conftest import TAP, Tap, execute
from tests.data import MONTH, publish

if TYPE_CHECKING:
    from pathlib import Path

# Runs follow each other at once.
pytestmark = pytest.mark.unlimited

UNSAFE = "it has blanks, control characters, backslashes or non-ASCII characters"


def test_each_invalid_setting_is_rejected_in_a_sentence(tap: Tap) -> None:
    run = tap.run(
        client_id=" ",
        lookback_months=2,
        requests_per_second=2.5,
        api_url="http://remote\\@127.0.0.1/",
        start_date="2024-05-01",
        end_date="2024-04-30",
        batch_config={"encoding": {"format": "jsonl"}, "storage": {"root": "memory://x"}},
    )

    assert run.code == 1
    assert [error.split("; for example ")[0] for error in run.log("ERROR")] == [
        "client_id is empty",
        f"api_url must be an https:// URL: {UNSAFE}",
        "end_date must not be before start_date (got '2024-04-30')",
        "batch_config.storage.root must be a path, a file:// URL or an s3:// URL",
    ]
    assert (run.log("WARNING"), run.stdout, tap.account.requests) == ([], "", [])


def test_missing_settings_are_named() -> None:
    run = execute(str(TAP))

    assert run.code == 1
    assert run.log("ERROR") == [
        "client_id is missing; for example amzn1.application-oa2-client.1234",
        "client_secret is missing; for example amzn1.oa2-cs.v1.1234",
    ]


def test_an_unknown_log_level_is_named() -> None:
    run = execute(str(TAP), "--discover", env={"LOGLEVEL": "chatty"})

    assert (run.code, run.stdout) == (1, "")
    assert run.stderr == (
        "The log could not be configured (Unknown level: 'CHATTY'). Check LOGLEVEL and "
        "TAP_AMAZON_APPSTORE_LOGLEVEL (DEBUG, INFO, WARNING or ERROR), and "
        "SINGER_SDK_LOG_CONFIG.\n"
    )


def test_null_is_the_default_and_an_unknown_setting_is_a_warning(tap: Tap) -> None:
    publish(tap.account, MONTH)
    everything = tap.catalog(selected=[])

    run = tap.read("--catalog", everything, start_date=None, startdate="2024-01-01")

    assert run.log("WARNING") == ["unknown setting startdate; did you mean start_date?"]
    assert run.log("ERROR") == []


def test_settings_may_come_from_the_environment(tap: Tap, tmp_path: Path) -> None:
    publish(tap.account, MONTH)
    env = {
        **tap.account.environment,
        "TAP_AMAZON_APPSTORE_START_DATE": "2024-03-01",
        "TAP_AMAZON_APPSTORE_END_DATE": "2024-03-01",
        "TAP_AMAZON_APPSTORE_LOOKBACK_MONTHS": "0",
        "TAP_AMAZON_APPSTORE_REQUESTS_PER_SECOND": "2.5",
    }

    run = execute(str(TAP), "--config=ENV", env=env, cwd=tmp_path)
    wrong = execute(
        str(TAP),
        "--config=ENV",
        env={**env, "TAP_AMAZON_APPSTORE_LOOKBACK_MONTHS": "two"},
        cwd=tmp_path,
    )

    assert len(run.records()) == 3
    assert f"Using client ID ...{tap.account.client_id[-4:]}" in run.log("INFO")
    assert wrong.code == 1
    (error,) = wrong.log("ERROR")
    assert error.startswith("lookback_months (from TAP_AMAZON_APPSTORE_LOOKBACK_MONTHS) must be an")
    assert error.endswith("integer of at least 0 (got 'two'); for example 2")
