"""Settings that cannot work are refused at the start, before anything is asked of Amazon."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conftest import TAP, Tap, execute
from tests.data import MONTH, publish

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("settings", "sentences"),
    [
        (
            {
                "client_id": " ",
                "client_secret": "",
                "api_url": "http://example.com",
                "auth_url": "https://[",
                "start_date": "",
                "end_date": "2024-13-01",
            },
            [
                "client_id is empty",
                "client_secret is empty",
                "api_url must be an https:// URL (http:// is for the loopback address alone)",
                "auth_url must be an https:// URL (http:// is for the loopback address alone)",
                "start_date is '', which is not a date such as 2024-03-01",
                "end_date is '2024-13-01', which is not a date such as 2024-03-01",
            ],
        ),
        (
            {"start_date": "2024-05-01", "end_date": "2024-04-30"},
            ["end_date is before start_date"],
        ),
        (
            {"start_date": "2015-01-01", "end_date": "2017-12-31"},
            ["end_date is before 2018-01, the first month that Amazon has reports of"],
        ),
        (
            {"start_date": "2999-01-01", "end_date": None},
            ["start_date is in a month that has not begun"],
        ),
        (
            {"lookback_months": -1},
            ["-1 is less than the minimum of 0 in config['lookback_months']"],
        ),
        ({"user_agent": "two\nlines"}, ["user_agent must be a single line of ASCII text"]),
        (
            {"stream_maps": {"__else__": {}, "sales": {"line_id": "line_id", "__else__": ""}}},
            [
                "stream_maps.__else__ must be null, which removes what is not named",
                "stream_maps.sales.__else__ must be null, which removes what is not named",
            ],
        ),
    ],
    ids=[
        "one by one",
        "end before start",
        "end before Amazon",
        "start to come",
        "negative lookback",
        "user agent",
        "stream maps",
    ],
)
def test_settings_that_cannot_work_are_refused_with_a_sentence_each(
    tap: Tap, settings: dict[str, object], sentences: list[str]
) -> None:
    run = tap.run(**settings)  # type: ignore[arg-type]

    assert run.code == 1
    assert run.log("ERROR") == sentences
    assert run.log("WARNING") == []
    assert run.stdout == ""
    assert tap.account.requests == []


def test_settings_that_are_missing_are_named() -> None:
    run = execute(str(TAP))

    assert run.code == 1
    assert run.log("ERROR") == [
        "'client_id' is a required property",
        "'client_secret' is a required property",
    ]


def test_settings_may_come_from_the_environment(tap: Tap, tmp_path: Path) -> None:
    publish(tap.account, MONTH)
    env = {
        **tap.account.environment,
        "TAP_AMAZON_APPSTORE_START_DATE": "2024-03-01",
        "TAP_AMAZON_APPSTORE_END_DATE": "2024-03-01",
        "TAP_AMAZON_APPSTORE_LOOKBACK_MONTHS": "0",
    }

    run = execute(str(TAP), "--config=ENV", env=env, cwd=tmp_path)
    wrong = execute(
        str(TAP),
        "--config=ENV",
        env={**env, "TAP_AMAZON_APPSTORE_LOOKBACK_MONTHS": "two"},
        cwd=tmp_path,
    )

    assert len(run.records()) == 3
    assert wrong.code == 1
    assert len(wrong.log("ERROR")) == 1
    assert "a value that cannot work" in wrong.log("ERROR")[0]
    assert "'two'" in wrong.log("ERROR")[0]
