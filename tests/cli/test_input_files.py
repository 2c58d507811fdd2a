"""Files that the command is given and cannot read are refused, each with a sentence."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.conftest import TAP, execute

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Tap


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file or directory"),
        ("{oops", "is no JSON"),
        ("[]", "is no JSON object"),
    ],
    ids=["missing", "no JSON", "no object"],
)
def test_a_settings_file_that_cannot_be_read_is_named(
    tmp_path: Path, content: str | None, words: str
) -> None:
    path = tmp_path / "settings.json"
    if content:
        path.write_text(content, encoding="utf-8")

    run = execute(str(TAP), "--config", str(path))

    assert run.code == 1
    assert len(run.stderr.splitlines()) == 1
    assert str(path) in run.log("ERROR")[0]
    assert words in run.log("ERROR")[0]


@pytest.mark.parametrize("option", ["--state", "--catalog"])
@pytest.mark.parametrize("content", ["{oops", "[]"])
def test_a_state_or_catalog_that_cannot_be_read_is_refused(
    tap: Tap, tmp_path: Path, option: str, content: str
) -> None:
    path = tmp_path / "broken.json"
    path.write_text(content, encoding="utf-8")

    run = tap.run(option, str(path))

    assert run.code == 1
    (error,) = run.log("ERROR")
    assert error.startswith(f"{option} cannot be read: it is no JSON")


@pytest.mark.parametrize("bookmarks", [[], {"sales": 7}])
def test_a_state_of_another_form_is_refused(tap: Tap, bookmarks: object) -> None:
    run = tap.run(state={"bookmarks": bookmarks})

    assert run.code == 1
    (error,) = run.log("ERROR")
    assert "correct or remove the state" in error


@pytest.mark.parametrize(
    "catalog",
    [{}, {"streams": []}, {"streams": {"sales": {}}}, {"streams": [{"stream": "sales"}]}],
    ids=["no streams", "no stream", "no list", "no id"],
)
def test_a_catalog_of_another_form_is_refused(tap: Tap, tmp_path: Path, catalog: object) -> None:
    path = tmp_path / "other.json"
    path.write_text(json.dumps(catalog), encoding="utf-8")

    run = tap.run("--catalog", str(path))

    assert run.code == 1
    assert run.log("ERROR") == [
        "--catalog cannot be read: it is no Singer catalog; make one with --discover"
    ]
