"""The tap: its settings, its streams and its account."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from functools import cached_property
from typing import IO, TYPE_CHECKING, Any, ClassVar

from singer_sdk import Tap
from singer_sdk.exceptions import ConfigurationError, FatalSyncError, SingerSDKError
from singer_sdk.helpers.capabilities import TapCapabilities
from singer_sdk.singerlib import Catalog
from singer_sdk.singerlib.catalog import REPLICATION_INCREMENTAL
from singer_sdk.tap_base import CliTestOptionValue
from typing_extensions import override

from tap_amazon_appstore import access
from tap_amazon_appstore.auth import LoginWithAmazon
from tap_amazon_appstore.client import ReportingClient
from tap_amazon_appstore.config import (
    SCHEMA,
    config_errors,
    read_environment,
    unknown_settings,
    unknown_variables,
    variable,
)
from tap_amazon_appstore.connection_errors import FatalConnectionError
from tap_amazon_appstore.errors import describe_unexpected_error
from tap_amazon_appstore.files import check_config, read_catalog, read_state, usable_bookmarks
from tap_amazon_appstore.http import hide_library_logs
from tap_amazon_appstore.months import current_month
from tap_amazon_appstore.output.messages import MessageWriter, OutputError
from tap_amazon_appstore.patience import Patience
from tap_amazon_appstore.streams import (
    DECIMAL_TEXT,
    EarningsStream,
    SalesStream,
    SubscriptionsStream,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    import click
    from singer_sdk import Stream
    from singer_sdk.helpers.capabilities import CapabilitiesEnum
    from singer_sdk.plugin_base import _ConfigInput

    from tap_amazon_appstore.streams import ReportStream


class _RunStopped(BaseException):
    """Ends a run past the SDK's handlers of exceptions: its failure is already recorded."""


class TapAmazonAppstore(Tap):
    """Singer tap for the Amazon Appstore: sales, subscriptions and earnings reports."""

    name = "tap-amazon-appstore"
    message_writer_class = MessageWriter
    message_writer: MessageWriter

    config_jsonschema: ClassVar[dict[str, Any]] = SCHEMA

    capabilities: ClassVar[list[CapabilitiesEnum]] = [
        item for item in Tap.capabilities if item is not TapCapabilities.ACTIVATE_VERSION
    ]
    stream_classes = (SalesStream, SubscriptionsStream, EarningsStream)

    def __init__(self, **options: Any) -> None:  # noqa: ANN401
        """Make a tap, as `Tap` does."""
        self.failures: list[str] = []
        """A sentence for each stream that was not read to its end."""
        super().__init__(**options)
        hide_library_logs()

    @classmethod
    @override
    def cb_config(
        cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]
    ) -> _ConfigInput:
        """Read the configuration files, and name the one that is invalid."""
        for path in value:
            if path != "ENV":
                check_config(path)
        return super().cb_config(ctx, param, value)

    @classmethod
    @override
    def invoke(
        cls,
        *,
        config: Any = None,
        state: IO[str] | None = None,
        catalog: IO[str] | None = None,
        **options: Any,
    ) -> None:
        # As `Tap.invoke`, but to the end of all streams.
        files = {
            "state": state and read_state(state),
            "catalog": catalog and read_catalog(catalog, [s.name for s in cls.stream_classes]),
        }
        super(Tap, cls).invoke(**options)
        cls.print_version(print_fn=cls.logger.info)
        tap = cls(config=config.config, parse_env_config=config.parse_env, **files)
        with suppress(_RunStopped):
            tap.sync_all()
        if tap.failures:
            raise FatalSyncError(" ".join(tap.failures))

    @override
    def load_state(self, state: dict[str, Any]) -> None:
        """Load the state of an earlier run; what is not understood is read again, with a warning."""
        if (bookmarks := state.get("bookmarks")) is not None:
            super().load_state({"bookmarks": usable_bookmarks(bookmarks, self.logger.warning)})

    def initialize_bookmarks(self) -> None:
        """Add the streams without a bookmark to the state, as null.

        Otherwise, after a full refresh that failed within one stream, Meltano would merge the state
        with an older one, and the next run would not read the other streams again.
        """
        for stream in self.streams.values():
            if stream.selected and stream.replication_method == REPLICATION_INCREMENTAL:
                stream.stream_state.setdefault("replication_key", stream.replication_key)
                stream.stream_state.setdefault("replication_key_value", None)

    @contextmanager
    def stream_errors(self, stream: Stream) -> Iterator[None]:
        """Record that a stream failed, so that the others are still read.

        The run's last line has all failures: only a failure that other streams follow is logged
        here as well.
        """
        try:
            yield
        except (FatalConnectionError, OutputError) as error:
            self.failures.append(str(error))
            raise _RunStopped from None
        except SingerSDKError as error:
            self.failures.append(str(error))
        except Exception as error:  # noqa: BLE001 - no stream may keep others from being read
            self.failures.append(describe_unexpected_error(error))
        else:
            return
        streams = [item for item in self.streams.values() if item.selected]
        if stream is not streams[-1]:
            self.logger.error("%s", self.failures[-1])

    @override
    def setup_mapper(self) -> None:
        super(Tap, self).setup_mapper()
        for name, entry in self.catalog.items():
            if name not in self.streams:  # an entry of another version or another tap
                continue
            # Of a stream that is not selected the SDK would drop all columns, and then fail at its
            # stream maps for want of a key.
            if self.streams[name].selected:
                self.mapper.register_raw_streams_from_catalog(Catalog({name: entry}))
            else:
                schema = entry.schema.to_dict()
                self.mapper.register_raw_stream_schema(name, schema, entry.key_properties)
        # The SDK's catalog drops keywords that it does not know. Without these, targets would make
        # a column of whole numbers.
        for stream_maps in self.mapper.stream_maps.values():
            for stream_map in stream_maps:
                for definition in stream_map.transformed_schema["properties"].values():
                    if definition.get("format") == DECIMAL_TEXT["format"]:
                        definition.update(DECIMAL_TEXT)

    @override
    def discover_streams(self) -> list[ReportStream]:
        """Return the streams."""
        return [stream(self) for stream in self.stream_classes]

    @cached_property
    def client(self) -> ReportingClient:
        """The account's reports; all streams share it, its token and its rate limit."""
        return self.connect(Patience())

    def connect(self, patience: Patience) -> ReportingClient:
        """Return a client of the account, and log which one it is."""
        # Only the end of the client ID: enough to distinguish accounts.
        self.logger.info("Using client ID ...%s", self.config["client_id"][-4:])
        user_agent = self.config.get("user_agent") or f"{self.name}/{self.plugin_version}"
        return ReportingClient(
            api_url=self.config["api_url"],
            authenticator=LoginWithAmazon(
                client_id=self.config["client_id"],
                client_secret=self.config["client_secret"],
                auth_url=self.config["auth_url"],
                user_agent=user_agent,
                patience=patience,
            ),
            user_agent=user_agent,
            requests_per_second=float(self.config["requests_per_second"]),
            patience=patience,
        )

    @classmethod
    @override
    def cb_test(cls, ctx: click.Context, param: click.Option, value: str) -> None:
        """Run `--test`: check access instead of reading all months up to a first record."""
        if value != CliTestOptionValue.All.value:
            super().cb_test(ctx, param, value)
            return
        config = ctx.params["config"]
        tap = cls(config=config.config, parse_env_config=config.parse_env)
        client = tap.connect(access.PATIENCE)
        streams = tap.discover_streams()
        is_ok = access.check_access(client, streams, current_month(), cls.logger)
        ctx.exit(0 if is_ok else 1)

    @cached_property
    def _env_var_config(self) -> dict[str, Any]:
        """Settings in the environment."""
        self.append_builtin_config(self.config_jsonschema)
        return read_environment(self.config_jsonschema, self._env_var_prefix)

    @override
    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        """Reject invalid settings, a sentence each, and warn of unknown ones."""
        self.append_builtin_config(self.config_jsonschema)
        schema, prefix = self.config_jsonschema, self._env_var_prefix
        warnings = list(unknown_settings(self._config, schema["properties"]))
        variables: dict[str, str] = {}
        if (environment := vars(self).get("_env_var_config")) is not None:
            variables = {name: variable(name, prefix) for name in environment}
            warnings += unknown_variables(schema, prefix)
        errors = config_errors(self._config, schema, variables)
        if raise_errors:
            for warning in warnings:
                self.logger.warning(warning)
            if errors:
                # Not the error that the SDK handles: it would log one more line after these.
                raise ConfigurationError("\n".join(errors))
        return errors

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """End on a signal with the shell's exit code for it: the run is not complete.

        The last state that was written is where the next run resumes.
        """
        self.message_writer.exit(128 + signum)
