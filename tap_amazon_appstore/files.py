"""The files that the command is given: settings, state and catalog, each refused in a sentence."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from singer_sdk import Tap
from singer_sdk.exceptions import ConfigurationError
from singer_sdk.singerlib import Catalog

if TYPE_CHECKING:
    import click
    from singer_sdk.plugin_base import _ConfigInput


class TapWithFiles(Tap):
    """A tap that says which of its files cannot be read, and why."""

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
            ConfigurationError: the state or the catalog is not what it has to be.
        """
        for name in ("state", "catalog"):
            if (file := options.get(name)) is not None:
                text = file.read()
                content = _parse_object(f"--{name}", text)
                if name == "catalog":
                    _check_catalog(content)
                options[name] = io.StringIO(text)
        super().invoke(**options)

    @classmethod
    def cb_config(
        cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]
    ) -> _ConfigInput:
        """Read the configuration files, and say which one cannot be read."""
        for path in value:
            if path != "ENV":
                _check_file(path)
        config: _ConfigInput = super().cb_config(ctx, param, value)
        return config


def _check_file(path: str) -> None:
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        problem = getattr(error, "strerror", None) or "it is no UTF-8"
    else:
        _parse_object(path, text)
        return
    message = f"{path} cannot be read: {problem}"
    raise ConfigurationError(message)


def _parse_object(name: str, text: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except ValueError:
        problem = "it is no JSON"
    else:
        if isinstance(content, dict):
            return content
        problem = "it is no JSON object"
    message = f"{name} cannot be read: {problem}"
    raise ConfigurationError(message)


def _check_catalog(content: dict[str, Any]) -> None:
    try:
        is_catalog = bool(content["streams"]) and bool(Catalog.from_dict(content))
    except (AttributeError, KeyError, TypeError, ValueError):
        is_catalog = False
    if not is_catalog:
        message = "--catalog cannot be read: it is no Singer catalog; make one with --discover"
        raise ConfigurationError(message)
