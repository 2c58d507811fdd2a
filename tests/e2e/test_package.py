"""What is released: a wheel and an sdist that work where nothing else is installed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from uv import find_uv_bin

from sandbox import make_csv
from tap_amazon_appstore.tap import TapAmazonAppstore
from tests.conftest import execute
from tests.data import MONTH, sales

if TYPE_CHECKING:
    from tests.conftest import Run, Tap

PROJECT = Path(__file__).parents[2]
PACKAGE = PROJECT / "tap_amazon_appstore"
COMMAND = "tap-amazon-appstore"

# What record mode has no use for, and extras or batches may bring.
HEAVYWEIGHTS = {"boto3", "botocore", "faker", "numpy", "pandas", "pyarrow", "s3fs"}

# One worker builds, for all of these tests.
pytestmark = pytest.mark.xdist_group("package")


def uv(*arguments: str | Path) -> str:
    """Run uv and return what it says."""
    return subprocess.run(
        [find_uv_bin(), *arguments],
        stdout=subprocess.PIPE,
        encoding="utf-8",
        env={**os.environ, "UV_PYTHON_DOWNLOADS": "never"},
        timeout=120,
        check=True,
    ).stdout


def build(kind: str, source: Path, directory: Path) -> Path:
    """Build a `wheel` or an `sdist` and return it."""
    uv("build", f"--{kind}", "--quiet", "--out-dir", directory, source)
    (file,) = directory.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return file


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree."""
    return build("wheel", PROJECT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist of this tree."""
    return build("sdist", PROJECT, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module", params=["3.10", "3.13"])
def environment(
    request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """An environment of a Python that is on this machine, with the wheel installed."""
    try:
        python = _find_python(request.param)
    except subprocess.CalledProcessError:
        pytest.skip(f"there is no Python {request.param} on this machine")
    environment = tmp_path_factory.mktemp("environment")
    uv("venv", "--quiet", "--clear", "--no-project", "--python", python, environment)
    uv("pip", "install", "--quiet", "--python", environment, wheel)
    return environment


def _find_python(version: str) -> str:
    # pyenv answers only for the versions that are chosen.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYENV_VERSION", version)
        return uv("python", "find", "--system", "--no-project", version).strip()


def run(environment: Path, directory: Path, *arguments: str) -> Run:
    """Run the installed command away from this tree, and expect that it succeeds."""
    scripts = os.pathsep.join(str(environment / name) for name in ("bin", "Scripts"))
    command = shutil.which(COMMAND, path=scripts)
    assert command is not None
    run = execute(command, *arguments, cwd=directory)
    assert run.code == 0, run.stderr
    return run


def version_of(wheel: Path) -> str:
    """Return the version that the wheel's metadata name."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        return str(Parser().parsestr(archive.read(name).decode())["Version"])


def test_wheel_holds_the_package_its_schemas_and_py_typed_alone(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}

    assert names == {
        path.relative_to(PROJECT).as_posix()
        for path in PACKAGE.rglob("*")
        if path.suffix in {".py", ".json"} or path.name == "py.typed"
    }
    assert "tap_amazon_appstore/py.typed" in names
    assert "tap_amazon_appstore/schemas/sales.json" in names


def test_wheel_has_the_metadata_of_one_command_and_the_licence_alone(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {
            name.split(".dist-info/")[1] for name in archive.namelist() if ".dist-info/" in name
        }

    assert names == {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}


def test_sdist_holds_what_the_wheel_is_made_of_alone(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.split("/")[1] for name in archive.getnames() if "/" in name}

    assert names == {
        ".gitignore",
        "CHANGELOG.md",
        "LICENSE",
        "PKG-INFO",
        "README.md",
        "pyproject.toml",
        "tap_amazon_appstore",
    }


def test_sdist_builds_the_same_wheel_from_itself(wheel: Path, sdist: Path, tmp_path: Path) -> None:
    again = build("wheel", sdist, tmp_path)

    assert again.name == wheel.name
    assert again.read_bytes() == wheel.read_bytes()


def test_version_is_the_tag(sdist: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    (tree,) = tmp_path.iterdir()
    # In an sdist the version comes from here; in a repository there is no such file.
    (tree / "PKG-INFO").unlink()
    for command in (
        "git init --quiet",
        "git add --all",
        "git -c user.name=nobody -c user.email=nobody@localhost commit --quiet --message=Release",
        "git tag v4.2.0",
    ):
        subprocess.run(command.split(), cwd=tree, check=True)

    assert version_of(build("wheel", tree, tmp_path / "dist")) == "4.2.0"


def test_installed_command_tells_about_itself(
    environment: Path, wheel: Path, tmp_path: Path
) -> None:
    about = json.loads(run(environment, tmp_path, "--about", "--format=json").stdout)

    assert about["name"] == COMMAND
    assert about["version"] == version_of(wheel)


def test_installed_command_discovers_the_streams(environment: Path, tmp_path: Path) -> None:
    catalog = json.loads(run(environment, tmp_path, "--discover").stdout)

    expected = TapAmazonAppstore(config={}, validate_config=False).catalog_dict
    assert catalog == json.loads(json.dumps(expected))


def test_installed_command_reads_a_report(environment: Path, tmp_path: Path, tap: Tap) -> None:
    tap.account.put_report("sales", MONTH, make_csv(sales(100)))

    done = run(environment, tmp_path, *tap.command()[1:])

    read = [record["transaction_id"] for record in done.records()]
    assert read == [str(number) for number in range(1, 101)]
    assert done.bookmark() == MONTH.isoformat()


def test_installation_brings_nothing_heavy(environment: Path) -> None:
    listed = json.loads(uv("pip", "list", "--format=json", "--python", environment))

    assert not HEAVYWEIGHTS & {package["name"] for package in listed}


def test_every_dependency_is_explained() -> None:
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 cannot read TOML")
    declared = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    requirements = [
        *declared["build-system"]["requires"],
        *declared["project"]["dependencies"],
        *(
            item
            for extra in declared["project"]["optional-dependencies"].values()
            for item in extra
        ),
        *(item for group in declared["dependency-groups"].values() for item in group),
    ]
    names = {
        re.split(r"[^\w.-]", requirement)[0]
        for requirement in requirements
        if isinstance(requirement, str)
    }

    text = (PROJECT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    cells = re.findall(r"^\| (`[^|]*) \|", text, re.MULTILINE)
    explained = {name for cell in cells for name in re.findall(r"`([\w.-]+)`", cell)}
    assert names <= explained
