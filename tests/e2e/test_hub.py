"""The hub entry says what the tap says of itself, and Meltano can use it."""

from __future__ import annotations

import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from scripts.hub import ENTRY, WITHOUT_EFFECT
from scripts.readme import own_settings

PROJECT = Path(__file__).parents[2]
MELTANO = Path(sysconfig.get_path("scripts"), "meltano")


@pytest.fixture(scope="module")
def definition() -> dict[str, Any]:
    """The entry."""
    return dict(YAML(typ="safe").load(ENTRY))


@pytest.fixture(scope="module")
def settings(definition: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The entry's settings by their names."""
    return {setting["name"]: setting for setting in definition["settings"]}


def test_entry_selects_requires_and_can_do_what_meltano_yml_says(
    definition: dict[str, Any],
) -> None:
    (plugin,) = YAML(typ="safe").load(PROJECT / "meltano.yml")["plugins"]["extractors"]

    for name in ("namespace", "executable", "select", "settings_group_validation"):
        assert definition[name] == plugin[name]
    assert definition["capabilities"] == sorted(plugin["capabilities"])


def test_only_secrets_are_sensitive(settings: dict[str, dict[str, Any]]) -> None:
    sensitive = {name for name, setting in settings.items() if setting.get("sensitive")}

    assert sensitive == {name for name, setting in own_settings().items() if setting.get("secret")}


def test_settings_of_the_sdk_are_there_if_they_have_an_effect(
    settings: dict[str, dict[str, Any]],
) -> None:
    assert {"stream_maps", "flattening_enabled", "batch_config.storage.root"} < set(settings)
    assert not any(name.startswith(WITHOUT_EFFECT) for name in settings)


def test_meltano_adds_the_tap_from_the_entry(tmp_path: Path, definition: dict[str, Any]) -> None:
    project = tmp_path / "meltano.yml"
    project.write_text("version: 1\nsend_anonymous_usage_stats: false\n", encoding="utf-8")

    subprocess.run(
        [MELTANO, "add", definition["name"], "--from-ref", ENTRY, "--no-install"],
        cwd=tmp_path,
        check=True,
    )

    (plugin,) = YAML(typ="safe").load(project)["plugins"]["extractors"]
    assert plugin["settings"] == definition["settings"]
    assert plugin["supported_python_versions"] == definition["supported_python_versions"]
