"""The parts of the README that are generated from the code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tap_amazon_appstore.tap import TapAmazonAppstore

if TYPE_CHECKING:
    from collections.abc import Sequence

README = Path(__file__).parent.parent / "README.md"


def parts() -> dict[str, str]:
    """Return the generated parts by the names of their markers."""
    tap = TapAmazonAppstore(config={}, validate_config=False)
    return {"settings": _settings(), "streams": "\n\n".join(map(_stream, tap.discover_streams()))}


def with_parts(text: str) -> str:
    """Return a README with its generated parts replaced."""
    for name, part in parts().items():
        match = re.search(rf"<!-- {name}:[^\n]*-->\n(.*?)<!-- /{name} -->", text, re.DOTALL)
        if match is None:
            message = f"The README has no place for {name}"
            raise ValueError(message)
        text = f"{text[: match.start(1)]}{part}\n{text[match.end(1) :]}"
    return text


def own_settings() -> dict[str, dict[str, Any]]:
    """Return the tap's own settings, without the SDK's."""
    schema = TapAmazonAppstore.config_jsonschema
    builtin: dict[str, Any] = {"properties": {}}
    TapAmazonAppstore.append_builtin_config(builtin)
    return {
        name: {**definition, "required": name in schema["required"]}
        for name, definition in schema["properties"].items()
        if name not in builtin["properties"]
    }


def _settings() -> str:
    rows = [
        (f"`{name}`", _kind(definition), _default(definition), definition["description"])
        for name, definition in own_settings().items()
    ]
    return _table(("Setting", "Kind", "Default", "Description"), rows)


def _kind(definition: dict[str, Any]) -> str:
    kind = "secret" if definition.get("secret") else definition.get("format", _type(definition))
    return f"{kind}, required" if definition["required"] else kind


def _default(definition: dict[str, Any]) -> str:
    return f"`{definition['default']}`" if "default" in definition else ""


def _stream(stream: Any) -> str:  # noqa: ANN401
    rows = [
        (f"`{name}`", definition.get("format", _type(definition)), definition["description"])
        for name, definition in stream.schema["properties"].items()
    ]
    title = f"### `{stream.name}`\n\n{stream.__doc__}\n\n"
    return title + _table(("Column", "Type", "Description"), rows)


def _type(definition: dict[str, Any]) -> str:
    kinds = definition["type"] if isinstance(definition["type"], list) else [definition["type"]]
    return "decimal" if kinds[0] == "number" else kinds[0]


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
