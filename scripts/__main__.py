"""Write every file, or part of one, that is generated from the code: `uv run python -m scripts`."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from scripts.hub import ENTRY, entry
from scripts.readme import README, STREAMS, own_settings, with_columns, with_tables

if TYPE_CHECKING:
    from collections.abc import Callable

PROJECT = Path(__file__).parent.parent


def with_settings(text: str) -> str:
    """Return meltano.yml with the tap's settings and capabilities replaced."""
    yaml = YAML()
    yaml.width = 1000
    yaml.preserve_quotes = True
    project = yaml.load(text)
    definition = YAML(typ="safe").load(entry())
    (plugin,) = project["plugins"]["extractors"]
    settings = {setting["name"]: setting for setting in definition["settings"]}
    plugin["capabilities"] = definition["capabilities"]
    plugin["settings"] = [_ordered(settings[name]) for name in own_settings()]
    # The comment was at the end of the capabilities.
    comment = "Meltano selects every stream by default; add `earnings.*` to load earnings."
    plugin.yaml_set_comment_before_after_key("select", before=comment, indent=4)
    output = io.StringIO()
    yaml.dump(project, output)
    return output.getvalue()


def _ordered(setting: dict[str, Any]) -> dict[str, Any]:
    keys = ("name", "label", "kind", "sensitive", "value", "description")
    return {key: setting[key] for key in keys if key in setting}


def with_variables(text: str) -> str:
    """Return .env.example with the tap's variables replaced."""
    lines = []
    for name, setting in own_settings().items():
        optional = "" if setting["required"] else "# "
        default = setting.get("default", "")
        value = str(default).lower() if isinstance(default, bool) else default
        lines += [
            f"# {setting['description']}",
            f"{optional}TAP_AMAZON_APPSTORE_{name.upper()}={value}",
        ]
    block = "\n".join(lines)
    pattern = r"(# Copy to .env[^\n]*\n\n).*?\n(?=\n)"
    return re.sub(pattern, lambda match: f"{match[1]}{block}\n", text, count=1, flags=re.DOTALL)


FILES: dict[Path, Callable[[str], str]] = {
    README: with_tables,
    STREAMS: with_columns,
    ENTRY: lambda _: entry(),
    PROJECT / "meltano.yml": with_settings,
    PROJECT / ".env.example": with_variables,
}
"""The files, and what returns each one's new text for its present one."""


def main() -> None:
    """Write the files."""
    for path, generate in FILES.items():
        path.write_text(generate(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
