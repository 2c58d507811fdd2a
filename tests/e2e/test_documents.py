"""The documents say what the code does: made parts are up to date, settings agree everywhere."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

from sandbox import make_csv
from scripts.__main__ import FILES
from scripts.readme import README, own_settings
from tests.conftest import execute
from tests.data import MONTH, sale

if TYPE_CHECKING:
    from tests.conftest import Tap

PROJECT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path.relative_to(PROJECT)
    for pattern in ("*.md", "docs/*.md", "transform/*.md", "dashboard/**/*.md")
    for path in PROJECT.glob(pattern)
    if "node_modules" not in path.parts
)


@pytest.fixture(scope="module")
def meltano_plugin() -> dict[str, Any]:
    """The tap's definition in meltano.yml."""
    definition = YAML(typ="safe").load(PROJECT / "meltano.yml")
    (plugin,) = definition["plugins"]["extractors"]
    return dict(plugin)


@pytest.mark.parametrize("path", FILES, ids=[path.name for path in FILES])
def test_generated_files_are_up_to_date(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text == FILES[path](text), "run: uv run python -m scripts"


def test_every_setting_has_a_title_and_a_description() -> None:
    assert all(setting["title"] and setting["description"] for setting in own_settings().values())


def test_about_lists_the_settings(tap: Tap) -> None:
    about = json.loads(tap.read("--about", "--format=json").stdout)

    listed = about["settings"]["properties"]
    for name, setting in own_settings().items():
        assert listed[name]["description"] == setting["description"]
        assert listed[name].get("default") == setting.get("default")
        assert listed[name].get("secret", False) == setting.get("secret", False)


def test_meltano_yml_requires_what_the_tap_requires(meltano_plugin: dict[str, Any]) -> None:
    required = [name for name, setting in own_settings().items() if setting["required"]]

    assert meltano_plugin["settings_group_validation"] == [required]


def test_meltano_yml_installs_what_the_models_and_the_dashboard_are_tested_with() -> None:
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 cannot read TOML")
    groups = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    requirements = (PROJECT / "transform" / "requirements.txt").read_text(encoding="utf-8")
    definition = YAML(typ="safe").load(PROJECT / "meltano.yml")
    dbt, dashboard = definition["plugins"]["utilities"]

    tested = [line for line in requirements.splitlines() if line.startswith("dbt-")]
    assert dbt["pip_url"].split() == tested
    assert dashboard["pip_url"].split() == groups["dependency-groups"]["dashboard"]


def test_contributing_chooses_tests_that_there_are() -> None:
    text = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    choices = re.findall(r"uv run pytest (?:-n0 )?(?:--snapshot-update )?(tests/[^`\n]*)", text)

    assert len(choices) > 3
    for choice in choices:
        paths = [word for word in choice.split() if word.startswith("tests/")]
        assert all((PROJECT / path).exists() for path in paths), choice
        if len(choice.split()) > len(paths):
            command = [sys.executable, "-m", "pytest", "-n0", "--collect-only", *choice.split()]
            # Without `--cov`, which would take over what this run of the tests has measured so far.
            run = execute(*command, env={"PYTEST_ADDOPTS": ""})
            assert run.code == 0, run.stdout


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_names_of_the_code_exist(name: str) -> None:
    """A name with an underscore in backticks is in the code, unless it is an example's."""
    text = re.sub(r"```.*?```", "", (PROJECT / name).read_text("utf-8"), flags=re.DOTALL)
    names = {*re.findall(r"`(_?[A-Za-z]+(?:_[A-Za-z0-9]+)*)`", text)} - {"promotion_id"}
    folders = ("tap_amazon_appstore", "sandbox", "tests", "transform", "scripts", "dashboard")
    files = [path for folder in folders for path in (PROJECT / folder).rglob("*.*")]
    suffixes = {".py", ".json", ".sql", ".yml"}
    code = "\n".join(path.read_text("utf-8") for path in files if path.suffix in suffixes)

    assert {name for name in names if "_" in name and name not in code} == set()


@pytest.mark.parametrize("path", DOCUMENTS, ids=str)
def test_links_lead_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```", "", (PROJECT / path).read_text("utf-8"), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith(("https:", "mailto:")):
            continue
        name, _, anchor = link.partition("#")
        file = (PROJECT / path).parent / name if name else PROJECT / path
        assert file.exists(), link
        assert not anchor or anchor in _anchors(file), link


def _anchors(path: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", path.read_text("utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_a_release_is_uploaded_before_anything_else_runs() -> None:
    workflow = YAML(typ="safe").load(PROJECT / ".github" / "workflows" / "release.yml")
    jobs = workflow["jobs"]

    assert [step["run"] for step in jobs["build"]["steps"] if "run" in step] == ["uv build"]
    assert jobs["attest"]["needs"] == jobs["check"]["needs"] == "build"
    assert {*jobs["publish"]["needs"]} == {"attest", "check"}


def test_personal_data_can_be_hashed_as_the_readme_says(tap: Tap) -> None:
    text = README.read_text(encoding="utf-8")
    stream_maps = YAML(typ="safe").load(
        re.search(r"`stream_maps: (\{.*\})`", text)[1]  # type: ignore[index]
    )
    rows = [sale(App_User_ID="somebody"), sale(Transaction_Id="2")]
    tap.account.put_report("sales", MONTH, make_csv(rows))

    records = tap.read(stream_maps=stream_maps).records()

    assert [record["app_user_id"] for record in records] == [
        "78b9d09661da64f0bc6c146c524bae4a",
        None,
    ]
