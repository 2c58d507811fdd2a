"""The tap's definition in Meltano's hub, generated from `--about`."""

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
developer account creates it once:

1. In the [Developer Console](https://developer.amazon.com/dashboard) open **Apps & Services**,
   **API Access** (in newer consoles **My Settings**, **API Access**) and choose the **Reporting
   API**.
2. Create a new security profile.
3. Copy Client ID and Client Secret from the profile's **Web Settings** tab.
4. Go back to the **Reporting API**, choose the profile and **Attach** it. Without this step signing
   in fails with `invalid_scope`.
"""

USAGE = """\
### Check access

This takes at most 10 seconds, downloads no report, and prints for each stream whether the account
has access:

```bash
meltano invoke tap-amazon-appstore --test
```

### What a run reads

The first run reads every month since `start_date`. Later runs check the bookmark's month and
`lookback_months` months before it, and download only the reports that have changed. Amazon updates
them once a day.

Amounts are exact decimals in the marketplace's currency. If the loader converts numbers to floats,
set `use_singer_decimal`.

### Optional streams

The `earnings` stream is not selected by default. A `select` replaces the default selection, so list
all streams that you want:

```yaml
select:
- sales.*
- subscriptions.*
- earnings.*
```
"""

# What `--about` does not contain. The hub names a variant after the account that has its repository,
# and rates the quality itself.
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

# Needs `faker`, which the tap does not install.
WITHOUT_EFFECT = "faker_config"


def entry() -> str:
    """Return the definition, ordered and indented as the hub requires."""
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
    """Yield the settings; those within an object are named `outer.inner`."""
    for name, definition in schema["properties"].items():
        if name == WITHOUT_EFFECT:
            continue
        # The properties of stream maps are streams with any name.
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
    return "decimal" if kind == "number" else kind
