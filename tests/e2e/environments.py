"""Environments beside the tests' own: dbt does not get on with what checks types, Spark is large."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest
from uv import find_uv_bin

if TYPE_CHECKING:
    from collections.abc import Callable

REQUIREMENTS = Path(__file__).parents[2] / "transform" / "requirements.txt"


def dbt_environment(request: pytest.FixtureRequest) -> Path:
    """Return where dbt's commands are, with the version of DuckDB that the tests have."""
    return install(request, "dbt", f"-r{REQUIREMENTS}", f"duckdb=={duckdb.__version__}")


def spark_environment(request: pytest.FixtureRequest) -> Path:
    """Return where dbt's and Spark's commands are."""
    return install(request, "dbt-spark", f"-r{REQUIREMENTS}", "dbt-spark[session]>=1.10,<2")


def command(environment: Path, name: str) -> str:
    """Return the path of a command in an environment."""
    path = shutil.which(name, path=os.pathsep.join(map(str, environment.glob("*"))))
    assert path is not None
    return path


def on_spark(test: Callable[..., None]) -> Callable[..., None]:
    """Mark a test that runs Spark: in CI it fails without Java, elsewhere it is skipped."""
    for mark in (
        # One worker for all of them, which a module with another group must not divide.
        pytest.mark.xdist_group("spark"),
        pytest.mark.xdist_group("transform"),
        pytest.mark.skipif(
            _java() < 17 and "CI" not in os.environ, reason="Java 17 or newer is not installed"
        ),
        pytest.mark.skipif(os.name == "nt", reason="on Windows Spark needs more than its package"),
    ):
        test = mark(test)
    return test


def install(request: pytest.FixtureRequest, name: str, *arguments: str) -> Path:
    """Return an environment that is kept for later runs, with what `uv pip install` takes."""
    cache = request.config.cache
    assert cache is not None
    environment = cache.mkdir(f"{name}-{sys.version_info.major}.{sys.version_info.minor}")
    return make_environment(environment, *arguments)


def make_environment(environment: Path, *arguments: str) -> Path:
    """Return an environment, made or brought up to date with what `uv pip install` takes."""
    uv = find_uv_bin()
    make = [uv, "venv", "-q", "--allow-existing", "--python", sys.executable, str(environment)]
    subprocess.run(make, check=True)
    subprocess.run([uv, "pip", "install", "-q", "-p", str(environment), *arguments], check=True)
    return environment


def _java() -> int:
    """Return the version of the machine's Java, or 0 if there is none."""
    if not (path := shutil.which("java")):
        return 0
    told = subprocess.run([path, "-version"], capture_output=True, encoding="utf-8", check=False)
    version = re.search(r'version "(\d+)', told.stderr)
    return int(version[1]) if version else 0
