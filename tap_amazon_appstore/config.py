"""The tap's settings, and what a valid configuration is."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal
from difflib import get_close_matches
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from singer_sdk import typing as th
from singer_sdk.configuration._dict_config import TRUTHY, parse_environment_config
from singer_sdk.helpers._batch import BaseBatchFileEncoding, BatchConfig, StorageTarget
from singer_sdk.mapper import MAPPER_ELSE_OPTION, NULL_STRING
from singer_sdk.plugin_base import JSONSchemaValidator

from tap_amazon_appstore.http import parse_url
from tap_amazon_appstore.months import FIRST_MONTH, current_month, parse_month

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SCHEMA: dict[str, Any] = th.PropertiesList(
    th.Property(
        "client_id",
        th.StringType,
        required=True,
        secret=True,
        title="Client ID",
        description="Client ID of the security profile that is attached to the Reporting API",
        examples=["amzn1.application-oa2-client.1234"],
    ),
    th.Property(
        "client_secret",
        th.StringType,
        required=True,
        secret=True,
        title="Client secret",
        description="Client secret of the same security profile",
        examples=["amzn1.oa2-cs.v1.1234"],
    ),
    th.Property(
        "start_date",
        th.DateType,
        default="2018-01-01",
        title="Start date",
        description="First month to sync (any date in it; earnings begins in January of its year); "
        "Amazon has reports since 2018-01",
        examples=["2024-03-01"],
    ),
    th.Property(
        "end_date",
        th.DateType,
        title="End date",
        description="Last month to sync (any date in it), for sharded backfills; by default the "
        "current month",
        examples=["2024-03-31"],
    ),
    th.Property(
        "lookback_months",
        th.IntegerType(minimum=0),
        default=2,
        title="Lookback months",
        description="Months before the bookmark to re-check for restated reports; earnings uses at "
        "least 12 and goes back to January, because the status of a payment changes late",
        examples=[2],
    ),
    th.Property(
        "requests_per_second",
        th.NumberType(exclusive_minimum=0, maximum=3),
        default=3,
        title="Requests per second",
        description="Rate limit for the Reporting API; Amazon allows 3 requests a second per "
        "account, to be divided among runs that share it. Values below 1 are allowed: 0.5 sends "
        "one request every 2 seconds",
        examples=[1],
    ),
    th.Property(
        "api_url",
        th.URIType,
        default="https://developer.amazon.com",
        title="API URL",
        description="Base URL of the Reporting API",
        examples=["https://developer.amazon.com"],
    ),
    th.Property(
        "auth_url",
        th.URIType,
        default="https://api.amazon.com/auth/o2/token",
        title="Login with Amazon URL",
        description="URL of Login with Amazon's token endpoint",
        examples=["https://api.amazon.com/auth/o2/token"],
    ),
    th.Property(
        "user_agent",
        th.StringType,
        title="User agent",
        description="User-Agent header of all requests; by default name and version of the tap",
        examples=["my-pipeline/1.0"],
    ),
    th.Property(
        "use_singer_decimal",
        th.BooleanType,
        default=False,
        title="Use singer.decimal",
        description="Emit amounts as text with format x-singer.decimal, for targets that convert "
        "numbers to floats",
        examples=[True],
    ),
).to_dict()
"""JSON schema of the tap's own settings."""

# Examples of the SDK's settings, by name or by type.
_EXAMPLES: dict[str, Any] = {
    "stream_maps": {"sales": {"title": None}},
    "batch_config": {"encoding": {"format": "jsonl"}, "storage": {"root": "file:///tmp/batches"}},
    "boolean": True,
    "integer": 1,
    "string": "text",
    "object": {},
}

_TYPES = {
    "boolean": "true or false",
    "integer": "an integer",
    "number": "a number",
    "object": "a JSON object",
    "string": "text",
}

# Settings whose invalid values a sentence may quote: they contain neither secrets nor URLs.
_QUOTABLE = frozenset(
    {*SCHEMA["properties"]} - {"client_id", "client_secret", "api_url", "auth_url"}
)

_MAX_QUOTED = 60

# What an environment variable says for true and for false; an empty one may be left unset so.
_BOOLEANS = frozenset({*TRUTHY, "false", "0", "no", "off", ""})


def read_environment(schema: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Return the settings of environment variables and `.env`, as text what is not of its type.

    Unlike the SDK, which leaves numbers as text and takes any text for a boolean.
    """
    parse_environment_config({}, prefix)  # exports what is in `.env`
    config: dict[str, Any] = {}
    for name, definition in schema["properties"].items():
        if (text := os.environ.get(variable(name, prefix))) is None:
            continue
        try:
            own = {"properties": {name: definition}}
            config |= parse_environment_config(own, prefix, dotenv_path=os.devnull)
            if "number" in definition.get("type", ()):
                config[name] = float(text)
            if "boolean" in definition.get("type", ()) and text.lower() not in _BOOLEANS:
                config[name] = text  # which would be false without a word
        except (ValueError, RecursionError):
            config[name] = text
    return config


def variable(name: str, prefix: str) -> str:
    """Return the environment variable of a setting."""
    return prefix + name.upper()


def unknown_variables(schema: Mapping[str, Any], prefix: str) -> Iterator[str]:
    """Yield a sentence for each environment variable with the tap's prefix that is no setting."""
    # Meltano's own variables have another underscore after the prefix.
    names = [name for name in os.environ if re.match(rf"{prefix}(?!_|LOGLEVEL$)", name)]
    yield from unknown_settings(names, [variable(name, prefix) for name in schema["properties"]])


def unknown_settings(names: Iterable[str], known: Iterable[str]) -> Iterator[str]:
    """Yield a sentence for each name that is no setting, with the nearest one that is."""
    known = list(known)
    for name in sorted({*names} - {*known}):
        nearest = get_close_matches(name.casefold(), [k.casefold() for k in known], 1)
        hint = next((f"; did you mean {k}?" for k in known if k.casefold() in nearest), "")
        yield f"unknown setting {name[:_MAX_QUOTED]}{hint}"


def config_errors(
    config: dict[str, Any], schema: Mapping[str, Any], variables: Mapping[str, str]
) -> list[str]:
    """Return what is wrong with a configuration, a sentence for each fault; set its defaults.

    Args:
        config: the settings; a null one is not set.
        schema: JSON schema of the tap's own settings and the SDK's.
        variables: the environment variables of the settings that come from the environment.
    """
    for name in [name for name, value in config.items() if value is None]:
        del config[name]
    # In turn: each check relies on the ones before it. The SDK's schema of stream maps fails in its
    # own code at what the first one finds.
    checks = (_stream_map_errors, lambda config: _schema_errors(config, schema), _value_errors)
    for check in checks:
        try:
            errors = dict.fromkeys(check(config))
        except RecursionError:
            return ["config is nested too deeply"]
        if errors:
            return [_sentence(config, *error, schema, variables) for error in errors]
    return []


def _sentence(
    config: Mapping[str, Any],
    path: str,
    problem: str,
    schema: Mapping[str, Any],
    variables: Mapping[str, str],
) -> str:
    """Name the setting and its source, what is wrong, and a valid value."""
    name = path.partition(".")[0]
    source = f" (from {variables[name]})" if name in variables else ""
    value = config.get(name)
    if isinstance(value, Decimal):  # as the SDK reads numbers of files
        value = float(value)
    if name in _QUOTABLE and value is not None:
        problem += f" (got {value!r:.{_MAX_QUOTED}})"
    definition = schema["properties"][name]
    keys = [name, *definition["type"]]
    examples = [*definition.get("examples", ()), *(_EXAMPLES[k] for k in keys if k in _EXAMPLES)]
    example = next(iter(examples), "")
    text = example if isinstance(example, str) else json.dumps(example)
    return f"{path}{source} {problem}" + (f"; for example {text}" if text else "")


def _schema_errors(config: dict[str, Any], schema: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield path and problem of what the schema does not allow."""
    for error in JSONSchemaValidator(schema).iter_errors(config):
        path = ".".join(map(str, error.path))
        if error.validator == "required":
            for name in schema["required"]:
                if name not in config:
                    yield name, "is missing"
        elif error.validator == "enum":
            yield path, f"must be one of {', '.join(error.validator_value)}"
        else:
            yield path, _requirement(error.schema)


def _requirement(definition: Mapping[str, Any]) -> str:
    """Return what a value must be, without the value: it may be secret."""
    words = [_TYPES[kind] for kind in definition.get("type", ()) if kind in _TYPES]
    bounds = [
        f"{words} {definition[keyword]}"
        for keyword, words in (
            ("minimum", "of at least"),
            ("exclusiveMinimum", "greater than"),
            ("maximum", "at most"),
        )
        if keyword in definition
    ]
    if not words:
        return "has an invalid value"
    return f"must be {' '.join([' or '.join(words), ' and '.join(bounds)]).strip()}"


def _value_errors(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield name and problem of settings that the schema allows and that cannot work."""
    for name in ("client_id", "client_secret"):
        if not config[name].strip():
            yield name, "is empty"
    for name in ("api_url", "auth_url"):
        if problem := _url_problem(config[name]):
            yield name, f"must be an https:// URL: {problem}"
    if (user_agent := config.get("user_agent")) and not re.fullmatch(r"[!-~][ -~]*", user_agent):
        yield "user_agent", "must be a single line of ASCII text"
    for name, definition in SCHEMA["properties"].items():
        # JSON schema lets NaN pass, which is not greater and not smaller than a bound.
        if "number" in definition["type"] and not math.isfinite(config.get(name, 0)):
            yield name, _requirement(definition)
    if config.get("flattening_enabled") and config.get("flattening_max_depth") is None:
        yield "flattening_max_depth", "is missing, and flattening_enabled needs it"
    yield from _date_errors(config)
    if batch_config := config.get("batch_config"):
        yield from _batch_errors(batch_config)


def _url_problem(text: str) -> str | None:
    if "?" in text or "#" in text:
        return "it has a query or a fragment"
    try:
        parse_url(text)
    except ValueError as error:
        return str(error)
    return None


def _date_errors(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    months = {}
    for name in ("start_date", "end_date"):
        if (value := config.get(name)) is not None:
            try:
                months[name] = parse_month(value)
            except ValueError:
                yield name, "must be an ISO date"
    start = max(months.get("start_date", FIRST_MONTH), FIRST_MONTH)
    if start > current_month():
        yield "start_date", "must not be after the current month"
    end = months.get("end_date", start)
    if end < FIRST_MONTH:
        yield "end_date", "must not be before 2018-01, the first month that has reports"
    elif end < start:
        yield "end_date", "must not be before start_date"


def _batch_errors(batch_config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    encoding = batch_config.get("encoding") or {}
    storage = batch_config.get("storage") or {}
    if not (encoding.get("format") and storage.get("root")):
        yield "batch_config", "needs an encoding with a format, and a storage with a root"
        return
    for path, part, kind in (
        ("batch_config", batch_config, BatchConfig),
        ("batch_config.encoding", encoding, BaseBatchFileEncoding),
        ("batch_config.storage", storage, StorageTarget),
    ):
        for name in part.keys() - {field.name for field in fields(kind)}:
            yield path, f"has an unknown key, {name[:_MAX_QUOTED]}"
    size = batch_config.get("batch_size")
    if size is not None and (not isinstance(size, int) or size < 1):
        yield "batch_config.batch_size", "must be an integer of at least 1"
    root = storage["root"]
    # A scheme has two letters or more: one is a drive of Windows.
    if "::" in root or re.match(r"(?!(file|s3)://)[A-Za-z][A-Za-z0-9+.-]+:", root):
        yield "batch_config.storage.root", "must be a path, a file:// URL or an s3:// URL"
        return
    for extra, module, is_needed in (
        ("parquet", "pyarrow", encoding.get("format") == "parquet"),
        ("s3", "s3fs", root.startswith("s3:")),
    ):
        if is_needed and find_spec(module) is None:
            install = f"pip install 'tap-amazon-appstore[{extra}]'"
            yield "batch_config", f"requires an optional dependency: {install}"


def _stream_map_errors(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each `__else__` of `stream_maps` that is not null."""
    stream_maps = config.get("stream_maps")
    if not isinstance(stream_maps, Mapping):
        return
    maps = {"stream_maps": stream_maps}
    maps |= {f"stream_maps.{stream}": map_ for stream, map_ in stream_maps.items()}
    for path, map_ in maps.items():
        if isinstance(map_, Mapping) and map_.get(MAPPER_ELSE_OPTION) not in (None, NULL_STRING):
            yield (
                f"{path}.{MAPPER_ELSE_OPTION}",
                "must be null (drops properties that are not listed)",
            )
