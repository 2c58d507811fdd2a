"""The tap's entry in Meltano's hub, made from `--about`. Run it as a module to write it."""

from __future__ import annotations

import io
import json
import subprocess
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import LiteralScalarString

if TYPE_CHECKING:
    from collections.abc import Iterator

TAP = Path(sysconfig.get_path("scripts"), "tap-amazon-appstore")
ENTRY = Path(__file__).parent.parent / "docs" / "hub" / "tap-amazon-appstore.yml"

PREREQ = """\
You need a security profile that is attached to the Reporting API. An administrator of the
developer account makes it once:

1. In the [Developer Console](https://developer.amazon.com/dashboard) open **Apps & Services**,
   **API Access** (in newer consoles **Settings**, **API Access**) and choose the **Reporting API**.
2. Create a new security profile.
3. Copy Client ID and Client Secret from the profile's **Web Settings** tab.
4. Go back to the **Reporting API**, choose the profile and **Attach** it. Without this step signing
   in fails with `invalid_scope`.
"""

USAGE = """\
### Check the link

This takes seconds, reads no report, and says for each stream whether the account may read it:

```bash
meltano invoke tap-amazon-appstore --test
```

### What a run reads

The first run reads every month since `start_date`. Later runs check the bookmark's month and
`lookback_months` months before it, and download only the reports that Amazon has written anew. Once
a day is often enough.

Amounts are exact decimals in the marketplace's currency: use a loader that keeps them so.

### Optional streams

The `earnings` stream is not selected by default. A selection of your own takes the place of the
default one, so name all streams that you want:

```yaml
select:
- sales.*
- subscriptions.*
- earnings.*
```
"""

# What the tap cannot say of itself. The hub calls a variant by the account that holds its
# repository, and rates its quality itself.
FACTS = {
    "domain_url": "https://developer.amazon.com/docs/reports-promo/reporting-API.html",
    "keywords": ["api", "meltano_sdk"],
    "label": "Amazon Appstore",
    "log_parser": "singer-sdk",
    "maintenance_status": "beta",
    "prereq": LiteralScalarString(PREREQ),
    "quality": "unknown",
    "usage": LiteralScalarString(USAGE),
    "variant": "community",
}

# `faker` would have to be installed beside the tap.
WITHOUT_EFFECT = "faker_config"


def entry() -> str:
    """Return the entry, ordered and indented as the hub wants it."""
    about = _ask("--about", "--format=json")
    name = about["name"]
    settings = sorted(_settings(about["settings"]), key=lambda setting: str(setting["name"]))
    definition = {
        **FACTS,
        "capabilities": sorted(about["capabilities"]),
        "description": about["description"],
        "executable": name,
        "name": name,
        "namespace": name.replace("-", "_"),
        "pip_url": name,
        "select": _select(),
        "settings": [dict(sorted(setting.items())) for setting in settings],
        "settings_group_validation": [sorted(about["settings"]["required"])],
        "supported_python_versions": about["supported_python_versions"],
    }
    yaml = YAML()
    yaml.width = 1000
    text = io.StringIO()
    yaml.dump(dict(sorted(definition.items())), text)
    return text.getvalue()


def _ask(*arguments: str) -> dict[str, Any]:
    command = [str(TAP), *arguments]
    answer: dict[str, Any] = json.loads(
        subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    )
    return answer


def _select() -> list[str]:
    """Return the streams that are selected by default."""
    return [
        f"{stream['tap_stream_id']}.*"
        for stream in _ask("--discover")["streams"]
        for item in stream["metadata"]
        if not item["breadcrumb"] and item["metadata"].get("selected-by-default", True)
    ]


def _settings(schema: dict[str, Any], prefix: str = "") -> Iterator[dict[str, Any]]:
    """Yield the settings; the parts of an object are settings of their own, `outer.inner`."""
    for name, definition in schema["properties"].items():
        if name == WITHOUT_EFFECT:
            continue
        # The properties of stream maps are streams, which nobody can list.
        if definition.get("properties") and name != "stream_maps":
            yield from _settings(definition, f"{prefix}{name}.")
        else:
            yield _setting(f"{prefix}{name}", definition)


def _setting(name: str, definition: dict[str, Any]) -> dict[str, Any]:
    setting = {
        "description": definition["description"],
        "kind": _kind(definition),
        "label": definition["title"],
        "name": name,
    }
    if "default" in definition:
        setting["value"] = definition["default"]
    if "enum" in definition:
        setting["options"] = [{"label": value, "value": value} for value in definition["enum"]]
    if definition.get("secret"):
        setting["sensitive"] = True
    return setting


def _kind(definition: dict[str, Any]) -> str:
    if "enum" in definition:
        return "options"
    if definition.get("format") == "date":
        return "date_iso8601"
    kind: str = definition["type"][0]
    return kind


if __name__ == "__main__":
    ENTRY.parent.mkdir(parents=True, exist_ok=True)
    ENTRY.write_text(entry(), encoding="utf-8")
