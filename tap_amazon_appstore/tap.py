"""The tap: its streams, its account, and the test of the link between them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk.exceptions import ConfigurationError, ConfigValidationError, FatalSyncError
from singer_sdk.tap_base import CliTestOptionValue

from tap_amazon_appstore.auth import LoginWithAmazon
from tap_amazon_appstore.client import ReportingClient
from tap_amazon_appstore.config import (
    SCHEMA,
    config_errors,
    stream_map_config_errors,
    without_value,
)
from tap_amazon_appstore.files import TapWithFiles
from tap_amazon_appstore.months import FIRST_MONTH, current_month, parse_month
from tap_amazon_appstore.output.messages import MessageWriter
from tap_amazon_appstore.streams import EarningsStream, SalesStream, SubscriptionsStream

if TYPE_CHECKING:
    from datetime import date
    from types import FrameType

    import click

    from tap_amazon_appstore.streams import ReportStream


class TapAmazonAppstore(TapWithFiles):
    """Singer tap for the Amazon Appstore: sales, subscriptions and earnings reports."""

    name = "tap-amazon-appstore"
    message_writer_class = MessageWriter
    message_writer: MessageWriter

    config_jsonschema: ClassVar[dict[str, Any]] = SCHEMA

    def __init__(self, **options: Any) -> None:  # noqa: ANN401
        """Make a tap, as `Tap` does.

        Raises:
            ConfigurationError: the environment has a setting that cannot be read.
            ConfigValidationError: a setting cannot work.
        """
        try:
            super().__init__(**options)
        except ValueError as error:
            if not options.get("parse_env_config"):
                raise
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
        errors = list(stream_map_config_errors(self.config.get("stream_maps")))
        # In turn: each check relies on what the ones before it have found to be right.
        if not errors:
            errors = super()._validate_config(raise_errors=False)
            errors = [without_value(error) for error in errors]
        if not errors:
            errors = list(config_errors(self.config))
        if errors and raise_errors:
            message = "; ".join(errors)
            raise ConfigValidationError(message, errors=errors)
        return errors

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """End on a signal with the shell's exit code for it: a part of a run is no success.

        The state needs no word more: the last one written is where the next run goes on.
        """
        self.message_writer.exit(128 + signum)
