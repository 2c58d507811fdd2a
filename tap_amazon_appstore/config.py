"""The settings: what there is to set, and what of it cannot work."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from singer_sdk import typing as th
from singer_sdk.mapper import MAPPER_ELSE_OPTION, NULL_STRING

from tap_amazon_appstore.http import is_secure
from tap_amazon_appstore.months import FIRST_MONTH, current_month, parse_month

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA: dict[str, Any] = th.PropertiesList(
    th.Property(
        "client_id",
        th.StringType,
        required=True,
        secret=True,
        title="Client ID",
        description="Client ID of the security profile that is attached to the Reporting API",
    ),
    th.Property(
        "client_secret",
        th.StringType,
        required=True,
        secret=True,
        title="Client secret",
        description="Client secret of the same security profile",
    ),
    th.Property(
        "start_date",
        th.DateType,
        nullable=False,
        default="2018-01-01",
        title="Start date",
        description="Date whose month is the first one read; Amazon has reports since 2018-01",
    ),
    th.Property(
        "end_date",
        th.DateType,
        title="End date",
        description="Date whose month is the last one read, for sharded backfills; by default "
        "the current month",
    ),
    th.Property(
        "lookback_months",
        th.IntegerType(minimum=0),
        nullable=False,
        default=2,
        title="Lookback months",
        description="Closed months before the bookmark that each run checks again, because "
        "Amazon restates them",
    ),
    th.Property(
        "api_url",
        th.URIType,
        nullable=False,
        default="https://developer.amazon.com",
        title="API URL",
        description="Base URL of the Reporting API",
    ),
    th.Property(
        "auth_url",
        th.URIType,
        nullable=False,
        default="https://api.amazon.com/auth/o2/token",
        title="Login with Amazon URL",
        description="URL of Login with Amazon's token endpoint",
    ),
    th.Property(
        "user_agent",
        th.StringType,
        title="User agent",
        description="What the tap calls itself in requests; by default its name and version",
    ),
).to_dict()
"""JSON schema of the tap's own settings."""


def config_errors(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield what cannot work of settings that the schema allows, a sentence each."""
    for name in ("client_id", "client_secret"):
        if not config[name].strip():
            yield f"{name} is empty"
    for name in ("api_url", "auth_url"):
        if not is_secure(config[name]):
            yield f"{name} must be an https:// URL (http:// is for the loopback address alone)"
    if (user_agent := config.get("user_agent")) and not re.fullmatch(r"[!-~][ -~]*", user_agent):
        yield "user_agent must be a single line of ASCII text"
    yield from _date_errors(config)
    if batch_config := config.get("batch_config"):
        yield from _batch_config_errors(batch_config)


def _date_errors(config: Mapping[str, Any]) -> Iterator[str]:
    months = {}
    for name in ("start_date", "end_date"):
        if (value := config.get(name)) is not None:
            try:
                months[name] = parse_month(value)
            except ValueError:
                yield f"{name} is {value!r}, which is not a date such as 2024-03-01"
    start = max(months.get("start_date", FIRST_MONTH), FIRST_MONTH)
    if start > current_month():
        yield "start_date is in a month that has not begun"
    end = months.get("end_date", start)
    if end < FIRST_MONTH:
        yield "end_date is before 2018-01, the first month that Amazon has reports of"
    elif end < start:
        yield "end_date is before start_date"


def _batch_config_errors(batch_config: Mapping[str, Any]) -> Iterator[str]:
    """Yield what cannot work of a `batch_config` that its schema allows, a sentence each."""
    if batch_config.get("batch_size", 1) < 1:
        yield "batch_config has a batch_size below 1"
    encoding, storage = batch_config.get("encoding"), batch_config.get("storage")
    if not (encoding and storage and storage.get("root")):
        yield "batch_config needs an encoding, and a storage with a root"
        return
    for extra, module, is_needed in (
        ("parquet", "pyarrow", encoding.get("format") == "parquet"),
        ("s3", "s3fs", storage["root"].startswith("s3:")),
    ):
        if is_needed and find_spec(module) is None:
            yield f"batch_config needs what this installs: pip install 'tap-amazon-appstore[{extra}]'"


def stream_map_config_errors(stream_maps: object) -> Iterator[str]:
    """Yield a sentence for each `__else__` of `stream_maps` that cannot work.

    For anything but null, the SDK's schema of them, not well-formed there, ends in an
    AttributeError.
    """
    if not isinstance(stream_maps, Mapping):
        return
    maps = {"stream_maps": stream_maps}
    maps |= {f"stream_maps.{stream}": map_ for stream, map_ in stream_maps.items()}
    for name, map_ in maps.items():
        if isinstance(map_, Mapping) and map_.get(MAPPER_ELSE_OPTION) not in (None, NULL_STRING):
            yield f"{name}.{MAPPER_ELSE_OPTION} must be null, which removes what is not named"


def without_value(error: str) -> str:
    """Return what the schema says of a setting, without the value if that may be secret."""
    for name in ("client_id", "client_secret", "batch_config"):
        if f"config['{name}']" in error:
            return f"{name} is not what the setting takes"
    return error
