"""The files that the command reads: configuration, state and catalog."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import Tap
from singer_sdk.exceptions import ConfigurationError
from singer_sdk.singerlib import Catalog
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Sequence

    import click
    from singer_sdk.plugin_base import _ConfigInput

# Levels of a JSON document; no state or configuration has more than a dozen.
_MAX_DEPTH = 100

_GENERATE = "Generate a catalog with `--discover`."


class TapWithFiles(Tap):
    """A tap that names the file that is invalid, and why."""

    stream_classes: ClassVar[Sequence[Any]]
    """The classes of the tap's streams."""

    @override
    def load_state(self, state: dict[str, Any]) -> None:
        """Load the state of an earlier run; what is not understood is read again, with a warning."""
        bookmarks = state.get("bookmarks")
        if bookmarks is None:
            return
        if not isinstance(bookmarks, dict):
            self.logger.warning("state: bookmarks is not a JSON object; reading from start_date")
            bookmarks = {}
        for name, bookmark in bookmarks.items():
            if not isinstance(bookmark, dict):
                self.logger.warning(
                    "%s: the state of this stream is not a JSON object; reading from start_date",
                    name,
                )
        # The SDK would fail at progress markers and partitions in another form, and the streams
        # have neither.
        unused = {"partitions", "progress_markers"}
        readable = {
            name: {key: value for key, value in bookmark.items() if key not in unused}
            for name, bookmark in bookmarks.items()
            if isinstance(bookmark, dict)
        }
        super().load_state({"bookmarks": readable})

    @classmethod
    @override
    def invoke(cls, **options: Any) -> None:
        """Run the tap.

        Raises:
            ConfigurationError: state or catalog is invalid.
        """
        for option in ("state", "catalog"):
            if (file := options.get(option)) is not None:
                name = f"--{option} {file.name}"
                try:
                    text = file.read()
                except UnicodeError:
                    message = f"{name} is not UTF-8"
                    raise ConfigurationError(message) from None
                is_empty = option == "state" and not text.strip()
                content = {} if is_empty else _parse_object(name, text)
                if option == "catalog":
                    _check_catalog(name, content, [stream.name for stream in cls.stream_classes])
                options[option] = None if is_empty else io.StringIO(text)
        cls.run(**options)

    @classmethod
    def run(cls, **options: Any) -> None:  # noqa: ANN401
        """Run the tap with files that have been checked."""
        super().invoke(**options)

    @classmethod
    @override
    def cb_config(
        cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]
    ) -> _ConfigInput:
        """Read the configuration files, and name the one that is invalid."""
        for path in value:
            if path != "ENV":
                _check_config(path)
        return super().cb_config(ctx, param, value)


def _check_config(path: str) -> None:
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        problem = getattr(error, "strerror", None) or "not UTF-8"
        message = f"--config {path} could not be read: {problem}"
        raise ConfigurationError(message) from None
    _parse_object(f"--config {path}", text)


def _parse_object(name: str, text: str) -> dict[str, Any]:
    """Parse a JSON object. No sentence quotes the text: it may contain secrets."""
    try:
        content = json.loads(text, parse_constant=_refuse_constant)
        problem = None if isinstance(content, dict) else "is not a JSON object"
    except json.JSONDecodeError as error:
        problem = f"is not valid JSON: {error.msg} (line {error.lineno}, column {error.colno})"
    except ValueError as error:
        problem = f"is not valid JSON: {error}"
    except RecursionError:
        problem = f"has more than {_MAX_DEPTH} levels"
    else:
        level = [content]
        for _ in range(_MAX_DEPTH):
            level = [item for items in level for item in _items(items)]
        if level:
            problem = f"has more than {_MAX_DEPTH} levels"
    if problem:
        message = f"{name} {problem}"
        raise ConfigurationError(message) from None
    return content  # type: ignore[no-any-return]


def _refuse_constant(name: str) -> None:
    message = f"{name} is not a JSON value"
    raise ValueError(message)


def _items(content: object) -> Sequence[Any]:
    if isinstance(content, dict):
        return list(content.values())
    return content if isinstance(content, list) else ()


def _check_catalog(name: str, content: dict[str, Any], streams: Sequence[str]) -> None:
    try:
        catalog = Catalog.from_dict(content)
    except (AttributeError, KeyError, TypeError, ValueError):
        catalog = Catalog()
    if not catalog:
        message = f"{name} is not a valid Singer catalog. {_GENERATE}"
        raise ConfigurationError(message)
    if not any(stream in catalog for stream in streams):
        message = f"{name} contains none of this tap's streams ({', '.join(streams)}). {_GENERATE}"
        raise ConfigurationError(message)
    for entry in catalog.streams:
        names = {entry.tap_stream_id, entry.stream or entry.tap_stream_id}
        if len(names) > 1 and not names.isdisjoint(streams):
            message = (
                f"{name}: tap_stream_id {entry.tap_stream_id!r} and stream {entry.stream!r} differ. "
                "Rename a stream by a stream map (__alias__) instead."
            )
            raise ConfigurationError(message)
        if entry.tap_stream_id in streams and "line_id" not in entry.schema.to_dict().get(
            "properties", {}
        ):
            message = (
                f"{name}: the schema of {entry.tap_stream_id} lacks its key, line_id. {_GENERATE}"
            )
            raise ConfigurationError(message)
