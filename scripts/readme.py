"""The parts of the README and of docs/ that are generated from the code."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tap_amazon_appstore.tap import TapAmazonAppstore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_amazon_appstore.streams import ReportStream

README = Path(__file__).parent.parent / "README.md"
STREAMS = README.parent / "docs" / "streams.md"


def with_tables(text: str) -> str:
    """Return the README with its tables of streams and settings replaced."""
    return _replace(_replace(text, "streams", _streams()), "settings", _settings())


def with_columns(text: str) -> str:
    """Return docs/streams.md with its tables of columns replaced."""
    tap = TapAmazonAppstore(config={}, validate_config=False)
    return _replace(text, "streams", "\n\n".join(map(_columns, tap.discover_streams())))


def _replace(text: str, name: str, part: str) -> str:
    match = re.search(rf"<!-- {name}:[^\n]*-->\n(.*?)<!-- /{name} -->", text, re.DOTALL)
    if match is None:
        message = f"The document has no place for {name}"
        raise ValueError(message)
    return f"{text[: match.start(1)]}{part}\n{text[match.end(1) :]}"


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


def _streams() -> str:
    rows = [
        (
            f"`{stream.name}`",
            _lines(stream)[0].removesuffix("."),
            *(f"`{key}`" for key in stream.primary_keys),
            f"incremental by `{stream.replication_key}`",
            "yes" if stream.selected_by_default else "no",
        )
        for stream in TapAmazonAppstore.stream_classes
    ]
    header = ("Stream", "Contains", "Key", "Replication", "Selected by default")
    return _table(header, rows)


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


def _columns(stream: ReportStream) -> str:
    rows = [
        (f"`{name}`", definition.get("format", _type(definition)), definition["description"])
        for name, definition in stream.schema["properties"].items()
    ]
    lines = _lines(stream)
    if not stream.selected_by_default:
        lines += ["", f"Not selected by default; under Meltano add `{stream.name}.*` to `select`."]
    title = f"## `{stream.name}`\n\n"
    return title + "\n".join(lines) + "\n\n" + _table(("Column", "Type", "Description"), rows)


def _lines(stream: ReportStream | type[ReportStream]) -> list[str]:
    return (inspect.getdoc(stream) or "").splitlines()


def _type(definition: dict[str, Any]) -> str:
    kinds = definition["type"] if isinstance(definition["type"], list) else [definition["type"]]
    return "decimal" if kinds[0] == "number" else kinds[0]


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
