"""Files that the command is given: configuration, state and catalog; errors name them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from singer_sdk.exceptions import ConfigurationError
from singer_sdk.singerlib import Catalog

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Levels of a JSON document; no state or configuration has more than a dozen.
_MAX_DEPTH = 100

_GENERATE = "Generate a catalog with `--discover`."


def check_config(path: str) -> None:
    """Check that a configuration file is a JSON object.

    Raises:
        ConfigurationError: it is not, or cannot be read.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        problem = getattr(error, "strerror", None) or "not UTF-8"
        message = f"--config {path} could not be read: {problem}"
        raise ConfigurationError(message) from None
    _parse_object(f"--config {path}", text)


def read_state(file: IO[str]) -> dict[str, Any]:
    """Return the content of a state file; none of an empty one.

    Raises:
        ConfigurationError: it is not a JSON object.
    """
    name = f"--state {file.name}"
    text = _read(file, name)
    return _parse_object(name, text) if text.strip() else {}


def read_catalog(file: IO[str], streams: Sequence[str]) -> Catalog:
    """Return the catalog in a file.

    Raises:
        ConfigurationError: it is not a catalog of the tap's `streams`.
    """
    name = f"--catalog {file.name}"
    content = _parse_object(name, _read(file, name))
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
        if entry.tap_stream_id in streams and "line_id" not in (entry.schema.properties or ()):
            message = (
                f"{name}: the schema of {entry.tap_stream_id} lacks its key, line_id. {_GENERATE}"
            )
            raise ConfigurationError(message)
    return catalog


def usable_bookmarks(bookmarks: object, warn: Callable[[str], None]) -> dict[str, Any]:
    """Return what the streams and the SDK can use of the state's `bookmarks`; warn of the rest."""
    if not isinstance(bookmarks, dict):
        warn("state: bookmarks is not a JSON object; reading from start_date")
        return {}
    usable = {}
    for name, bookmark in bookmarks.items():
        if isinstance(bookmark, dict):
            # The SDK would fail at progress markers and partitions in another form, and the streams
            # have neither.
            unused = {"partitions", "progress_markers"}
            usable[name] = {key: value for key, value in bookmark.items() if key not in unused}
        else:
            warn(f"{name}: the state of this stream is not a JSON object; reading from start_date")
    return usable


def _read(file: IO[str], name: str) -> str:
    try:
        return file.read()
    except UnicodeError:
        message = f"{name} is not UTF-8"
        raise ConfigurationError(message) from None


def _parse_object(name: str, text: str) -> dict[str, Any]:
    """Parse a JSON object. No sentence quotes the text: it may contain secrets."""
    try:
        content = json.loads(text, parse_constant=_refuse_constant)
        _check_depth(content, _MAX_DEPTH)
    except json.JSONDecodeError as error:
        problem = f"is not valid JSON: {error.msg} (line {error.lineno}, column {error.colno})"
    except ValueError as error:
        problem = f"is not valid JSON: {error}"
    except RecursionError:
        problem = f"has more than {_MAX_DEPTH} levels"
    else:
        if isinstance(content, dict):
            return content
        problem = "is not a JSON object"
    message = f"{name} {problem}"
    raise ConfigurationError(message)


def _refuse_constant(name: str) -> None:
    message = f"{name} is not a JSON value"
    raise ValueError(message)


def _check_depth(content: Any, levels: int) -> None:  # noqa: ANN401
    if not levels:
        raise RecursionError
    items = content.values() if isinstance(content, dict) else content
    for item in items if isinstance(content, (dict, list)) else ():
        _check_depth(item, levels - 1)
