"""The tap: its settings and its streams."""

from __future__ import annotations

import io
import json
import re
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import Tap
from singer_sdk import typing as th
from singer_sdk.exceptions import ConfigurationError, ConfigValidationError, FatalSyncError
from singer_sdk.tap_base import CliTestOptionValue

from tap_amazon_appstore import batches
from tap_amazon_appstore.auth import LoginWithAmazon
from tap_amazon_appstore.client import ReportingClient
from tap_amazon_appstore.http import is_secure
from tap_amazon_appstore.messages import MessageWriter
from tap_amazon_appstore.months import FIRST_MONTH, current_month, parse_month
from tap_amazon_appstore.streams import EarningsStream, SalesStream, SubscriptionsStream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from types import FrameType

    import click
    from singer_sdk.plugin_base import _ConfigInput

    from tap_amazon_appstore.streams import ReportStream


class TapAmazonAppstore(Tap):
    """Singer tap for the Amazon Appstore: sales, subscriptions and earnings reports."""

    name = "tap-amazon-appstore"
    message_writer_class = MessageWriter
    message_writer: MessageWriter

    config_jsonschema: ClassVar[dict[str, Any]] = th.PropertiesList(
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

    def __init__(self, **options: Any) -> None:  # noqa: ANN401
        """Make a tap, as `Tap` does.

        Raises:
            ConfigurationError: the environment has a setting that cannot be read.
            ConfigValidationError: a setting cannot work.
        """
        try:
            super().__init__(**options)
        except ValueError as error:
            message = f"A setting in the environment has a value that cannot work: {error}"
        else:
            return
        raise ConfigurationError(message)

    def discover_streams(self) -> list[ReportStream]:
        """Return the streams."""
        return [SalesStream(self), SubscriptionsStream(self), EarningsStream(self)]

    @cached_property
    def client(self) -> ReportingClient:
        """The account's reports; all streams share it, its token and its rate."""
        return ReportingClient(
            api_url=self.config["api_url"],
            authenticator=LoginWithAmazon(
                client_id=self.config["client_id"],
                client_secret=self.config["client_secret"],
                auth_url=self.config["auth_url"],
                user_agent=self.user_agent,
            ),
            user_agent=self.user_agent,
        )

    @property
    def user_agent(self) -> str:
        """What the tap calls itself in requests."""
        return self.config.get("user_agent") or f"{self.name}/{self.plugin_version}"

    @property
    def first_month(self) -> date:
        """The first month that may be read."""
        return max(parse_month(self.config["start_date"]), FIRST_MONTH)

    @property
    def last_month(self) -> date:
        """The last month that is read: `end_date`'s, and at most the current one."""
        end = self.config.get("end_date")
        return min(parse_month(end), current_month()) if end else current_month()

    def test_link(self) -> bool:
        """Sign in and say, for each stream, whether this account may read it.

        One request a stream, for the current month: that it has no report yet is an answer too.

        Returns:
            Whether all streams that are selected by default may be read.

        Raises:
            FatalSyncError: signing in failed.
        """
        linked = True
        self.client.sign_in()
        for stream in self.discover_streams():
            try:
                may_read = self.client.may_read(stream.report, current_month())
            except FatalSyncError as error:
                self.logger.error("%s: %s", stream.name, error)  # noqa: TRY400 - no traceback
                linked = False
                continue
            if may_read:
                self.logger.info("%s: this account may read it", stream.name)
            elif stream.selected_by_default:
                self.logger.error(
                    "%s: this account may NOT read it; check that its security profile is "
                    "attached to the Reporting API and not to another one, and that the account's "
                    "role includes this report",
                    stream.name,
                )
                linked = False
            else:
                self.logger.warning("%s (optional): this account may not read it", stream.name)
        return linked

    def load_state(self, state: dict[str, Any]) -> None:
        """Take the state of the run before.

        Raises:
            ConfigurationError: it has not the form of a state.
        """
        bookmarks = state.get("bookmarks", {})
        if not (
            isinstance(bookmarks, dict) and all(isinstance(b, dict) for b in bookmarks.values())
        ):
            message = "The state's bookmarks are no JSON objects; correct or remove the state"
            raise ConfigurationError(message)
        super().load_state(state)

    @classmethod
    def invoke(cls, **options: Any) -> None:  # noqa: ANN401
        """Run the tap.

        Raises:
            ConfigurationError: the state or the catalog is no JSON object.
        """
        for name in ("state", "catalog"):
            if (file := options.get(name)) is not None:
                text = file.read()
                _check_json_object(f"--{name}", text)
                options[name] = io.StringIO(text)
        super().invoke(**options)

    @classmethod
    def cb_config(
        cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]
    ) -> _ConfigInput:
        """Read the configuration files, and say which one cannot be read."""
        for path in value:
            if path != "ENV":
                _check_json_file(path)
        config: _ConfigInput = super().cb_config(ctx, param, value)
        return config

    @classmethod
    def cb_test(cls, ctx: click.Context, param: click.Option, value: str) -> None:
        """Run `--test`: verify the link instead of reading all months up to a first record."""
        if value != CliTestOptionValue.All.value:
            super().cb_test(ctx, param, value)
            return
        config = ctx.params["config"]
        tap = cls(config=config.config, parse_env_config=config.parse_env)
        ctx.exit(0 if tap.test_link() else 1)

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """Refuse settings that cannot work, a sentence each, and without the secrets' values."""
        errors = super()._validate_config(raise_errors=False)
        errors = [_without_value(error) for error in errors] or list(self._unworkable_settings())
        if errors and raise_errors:
            message = "; ".join(errors)
            raise ConfigValidationError(message, errors=errors)
        return errors

    def _unworkable_settings(self) -> Iterator[str]:
        for name in ("client_id", "client_secret"):
            if not self.config[name].strip():
                yield f"{name} is empty"
        for name in ("api_url", "auth_url"):
            if not is_secure(self.config[name]):
                yield f"{name} is no https:// URL (http:// is for the loopback address alone)"
        if re.fullmatch(r"[!-~][ -~]*", self.user_agent) is None:
            yield "user_agent is no single line of ASCII text"
        yield from self._unworkable_dates()
        if batch_config := self.config.get("batch_config"):
            yield from batches.unworkable_settings(batch_config)

    def _unworkable_dates(self) -> Iterator[str]:
        months = {}
        for name in ("start_date", "end_date"):
            if (value := self.config.get(name)) is not None:
                try:
                    months[name] = parse_month(value)
                except ValueError:
                    yield f"{name} is {value!r}, which is no date such as 2024-03-01"
        start = max(months.get("start_date", FIRST_MONTH), FIRST_MONTH)
        if start > current_month():
            yield "start_date is in a month that has not begun"
        end = months.get("end_date", start)
        if end < FIRST_MONTH:
            yield "end_date is before 2018-01, the first month that Amazon has reports of"
        elif end < start:
            yield "end_date is before start_date"

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """End on a signal with the shell's exit code for it: a part of a run is no success.

        The state needs no word more: the last one written is where the next run goes on.
        """
        self.message_writer.exit(128 + signum)


def _check_json_file(path: str) -> None:
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        problem = getattr(error, "strerror", None) or "it is no UTF-8"
    else:
        _check_json_object(path, text)
        return
    message = f"{path} cannot be read: {problem}"
    raise ConfigurationError(message)


def _check_json_object(name: str, text: str) -> None:
    try:
        content = json.loads(text)
    except ValueError:
        problem = "it is no JSON"
    else:
        if isinstance(content, dict):
            return
        problem = "it is no JSON object"
    message = f"{name} cannot be read: {problem}"
    raise ConfigurationError(message)


def _without_value(error: str) -> str:
    """Return what the schema says of a setting, without the value if that may be secret."""
    for name in ("client_id", "client_secret", "batch_config"):
        if f"config['{name}']" in error:
            return f"{name} is not what the setting takes"
    return error
