"""Invalid settings: a sentence with the setting, what is wrong, and a valid value."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest
from singer_sdk.exceptions import ConfigurationError

from scripts.readme import own_settings
from tap_amazon_appstore import config as settings
from tap_amazon_appstore.tap import TapAmazonAppstore

VALID = {"client_id": "id", "client_secret": "secret"}
PREFIX = "TAP_AMAZON_APPSTORE_"

A_BATCH = {"encoding": {"format": "jsonl"}, "storage": {"root": "/tmp/batches"}}  # noqa: S108


@pytest.fixture(autouse=True)
def schema() -> dict[str, Any]:
    """Return the schema of all settings, the SDK's included."""
    schema = TapAmazonAppstore.config_jsonschema
    TapAmazonAppstore.append_builtin_config(schema)
    return schema


def errors(schema: dict[str, Any], **config: object) -> list[str]:
    return settings.config_errors({**VALID, **config}, schema, {})


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"client_id": None}, "client_id is missing; for example amzn1.application-oa2-client.1"),
        ({"client_id": " "}, "client_id is empty; for example amzn1.application-oa2-client.1234"),
        ({"client_secret": 7}, "client_secret must be text; for example amzn1.oa2-cs.v1.1234"),
        ({"start_date": ""}, "start_date must be an ISO date (got ''); for example 2024-03-01"),
        (
            {"end_date": "2024-13-01"},
            "end_date must be an ISO date (got '2024-13-01'); for example",
        ),
        ({"start_date": "2999-01-01"}, "start_date must not be after the current month (got '2999"),
        ({"end_date": "2017-12-31"}, "end_date must not be before 2018-01, the first month that"),
        (
            {"start_date": "2024-05-01", "end_date": "2024-04-30"},
            "end_date must not be before start_date (got '2024-04-30'); for example 2024-03-31",
        ),
        ({"lookback_months": -1}, "lookback_months must be an integer of at least 0 (got -1); for"),
        ({"lookback_months": "2"}, "lookback_months must be an integer of at least 0 (got '2')"),
        ({"lookback_months": math.nan}, "lookback_months must be an integer of at least 0 (got n"),
        ({"requests_per_second": 0}, "requests_per_second must be a number greater than 0 and at"),
        ({"requests_per_second": 3.1}, "requests_per_second must be a number greater than 0 and"),
        (
            {"requests_per_second": Decimal("3.1")},
            "requests_per_second must be a number greater than 0 and at most 3 (got 3.1); for",
        ),
        ({"requests_per_second": True}, "requests_per_second must be a number greater than 0 and"),
        ({"requests_per_second": math.nan}, "requests_per_second must be a number greater than 0"),
        ({"use_singer_decimal": "yes"}, "use_singer_decimal must be true or false (got 'yes')"),
        ({"user_agent": "a\nb"}, "user_agent must be a single line of ASCII text (got 'a\\nb')"),
        ({"api_url": "http://example.com"}, "api_url must be an https:// URL: http:// is allowed"),
        ({"api_url": "https://h/?q=1"}, "api_url must be an https:// URL: it has a query or a fr"),
        ({"auth_url": "https://h/#f"}, "auth_url must be an https:// URL: it has a query or a fr"),
        ({"auth_url": "https://h:port"}, "auth_url must be an https:// URL: its host or port is "),
        ({"api_url": "https://h :1"}, "api_url must be an https:// URL: it has blanks, control c"),
        ({"api_url": "https://user:password@h"}, "api_url must be an https:// URL: it is not an"),
        ({"stream_maps": 7}, 'stream_maps must be a JSON object; for example {"sales": {"title"'),
        ({"stream_maps": {"__else__": {}}}, "stream_maps.__else__ must be null (drops"),
        (
            {"flattening_enabled": True},
            "flattening_max_depth is missing, and flattening_enabled ne",
        ),
        ({"flattening_max_depth": "x"}, "flattening_max_depth must be an integer; for example 1"),
        ({"batch_config": {"encoding": {"format": "x"}}}, "batch_config.encoding.format must be "),
        (
            {"batch_config": {**A_BATCH, "batch_size": 0}},
            "batch_config.batch_size must be an integ",
        ),
        ({"batch_config": {**A_BATCH, "batch_size": "7"}}, "batch_config.batch_size must be an in"),
        ({"batch_config": {**A_BATCH, "batch_size": 5.0}}, "batch_config.batch_size must be an in"),
        (
            {"batch_config": {"encoding": A_BATCH["encoding"]}},
            "batch_config needs an encoding with",
        ),
        ({"batch_config": {**A_BATCH, "encoding": {}}}, "batch_config needs an encoding with"),
        ({"batch_config": {**A_BATCH, "size": 7}}, "batch_config has an unknown key, size; for"),
        (
            {"batch_config": {**A_BATCH, "encoding": {"format": "jsonl", "level": 9}}},
            "batch_config.encoding has an unknown key, level; for example",
        ),
        (
            {"batch_config": {**A_BATCH, "storage": {"root": "x", "param": {}}}},
            "batch_config.storage has an unknown key, param; for example",
        ),
    ],
)
def test_an_invalid_setting_gets_a_sentence(
    schema: dict[str, Any], config: dict[str, object], sentence: str
) -> None:
    (error,) = errors(schema, **config)

    assert error.startswith(sentence)
    assert "; for example " in error
    assert "password" not in error


@pytest.mark.parametrize(
    "root",
    ["memory://x", "memory:/x", "http://x/y", "simplecache::s3://x", "s3://x::http://y"],
)
def test_batches_go_to_files_or_s3_only(schema: dict[str, Any], root: str) -> None:
    batch = {**A_BATCH, "storage": {"root": root}}

    (error,) = errors(schema, batch_config=batch)

    assert error.startswith("batch_config.storage.root must be a path, a file:// URL or an s3://")


@pytest.mark.parametrize("root", ["/tmp/x", "x/y", "C:\\x", "file:///tmp/x", "s3://x/y"])  # noqa: S108
def test_batches_may_go_to_files_and_s3(schema: dict[str, Any], root: str) -> None:
    assert errors(schema, batch_config={**A_BATCH, "storage": {"root": root}}) == []


def test_the_default_batch_size_may_be_written(schema: dict[str, Any]) -> None:
    assert errors(schema, batch_config={**A_BATCH, "batch_size": None}) == []


@pytest.mark.parametrize("extra", ["parquet", "s3"])
def test_optional_dependencies_are_named(
    schema: dict[str, Any], monkeypatch: pytest.MonkeyPatch, extra: str
) -> None:
    monkeypatch.setattr(settings, "find_spec", lambda _: None)
    batch = {"encoding": {"format": "parquet"}, "storage": {"root": "x"}}
    if extra == "s3":
        batch = {**A_BATCH, "storage": {"root": "s3://x"}}

    (error,) = errors(schema, batch_config=batch)

    assert f"requires an optional dependency: pip install 'tap-amazon-appstore[{extra}]'" in error


def test_null_means_the_default(schema: dict[str, Any]) -> None:
    config = {**VALID, **dict.fromkeys(set(schema["properties"]) - set(VALID))}

    assert settings.config_errors(config, schema, {}) == []
    assert config["start_date"] == "2018-01-01"
    assert config["requests_per_second"] == 3
    assert config["use_singer_decimal"] is False


def test_deep_settings_are_refused(schema: dict[str, Any]) -> None:
    deep: dict[str, Any] = {}
    for _ in range(2000):
        deep = {"x": deep}

    (error,) = errors(schema, stream_maps={"sales": deep})

    # How deep is too deep depends on the version of Python.
    assert error.startswith(("config is nested too deeply", "stream_maps.sales has an invalid"))


def test_each_setting_has_a_title_and_a_description_and_an_example_that_is_valid(
    schema: dict[str, Any],
) -> None:
    for name, definition in own_settings().items():
        assert definition["title"]
        assert definition["description"]
        (example,) = definition["examples"]
        assert errors(schema, **{name: example}) == []


@pytest.mark.parametrize(
    ("text", "value"), [("2", 2.0), ("0.5", 0.5), ("1e-1", 0.1), ("two", "two")]
)
def test_numbers_in_the_environment_are_numbers(
    schema: dict[str, Any], monkeypatch: pytest.MonkeyPatch, text: str, value: object
) -> None:
    monkeypatch.setenv(f"{PREFIX}REQUESTS_PER_SECOND", text)
    monkeypatch.setenv(f"{PREFIX}USE_SINGER_DECIMAL", "true")

    config = settings.read_environment(schema, PREFIX)

    assert config["requests_per_second"] == value
    assert config["use_singer_decimal"] is True


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *((text, True) for text in ("True", "1", "yes", "ON")),
        *((text, False) for text in ("False", "0", "No", "off", "")),
    ],
)
def test_booleans_in_the_environment_are_booleans(
    schema: dict[str, Any], monkeypatch: pytest.MonkeyPatch, text: str, *, value: bool
) -> None:
    monkeypatch.setenv(f"{PREFIX}USE_SINGER_DECIMAL", text)

    assert settings.read_environment(schema, PREFIX)["use_singer_decimal"] is value


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("LOOKBACK_MONTHS", "two", "lookback_months (from {}) must be an integer of at least 0 ("),
        ("LOOKBACK_MONTHS", "-1", "lookback_months (from {}) must be an integer of at least 0 (g"),
        (
            "USE_SINGER_DECIMAL",
            "y",
            "use_singer_decimal (from {}) must be true or false (got 'y'); ",
        ),
        ("FLATTENING_ENABLED", "t", "flattening_enabled (from {}) must be true or false; for exam"),
        ("STREAM_MAPS", "{oops", "stream_maps (from {}) must be a JSON object; for example"),
        ("CLIENT_ID", " ", "client_id (from {}) is empty; for example"),
        ("API_URL", "ftp://x", "api_url (from {}) must be an https:// URL: it is not an http"),
    ],
)
def test_a_setting_from_the_environment_names_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, sentence: str
) -> None:
    for variable, value in {"CLIENT_ID": "a", "CLIENT_SECRET": "b", name: text}.items():
        monkeypatch.setenv(f"{PREFIX}{variable}", value)

    with pytest.raises(ConfigurationError) as error:
        TapAmazonAppstore(parse_env_config=True)

    assert "\n" not in str(error.value)
    assert str(error.value).startswith(sentence.format(f"{PREFIX}{name}"))


def test_unknown_settings_are_warned_of_with_the_nearest_name(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(f"{PREFIX}LOOKBACK_MONTH", "1")
    monkeypatch.setenv(f"{PREFIX}_SELECT", "Meltano's own")
    monkeypatch.setenv(f"{PREFIX}LOGLEVEL", "DEBUG")

    config = {**VALID, "startdate": "2024-01-01", "colour": "red", "stream_maps": {}}
    TapAmazonAppstore(config=config, parse_env_config=True)

    assert [r.getMessage() for r in caplog.records if r.levelname == "WARNING"] == [
        "unknown setting colour",
        "unknown setting startdate; did you mean start_date?",
        f"unknown setting {PREFIX}LOOKBACK_MONTH; did you mean {PREFIX}LOOKBACK_MONTHS?",
    ]
