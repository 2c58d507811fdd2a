"""Checks that must pass before a release: `uv tool run nox` runs all, `--list` has their names."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv"

PYTHONS = nox.project.python_versions(nox.project.load_toml("pyproject.toml"))

MEASURED = "3.13"
"""Python on which coverage is measured, on Linux only: other systems skip tests of signals."""

SCHEMAS = {
    "vendor.github-workflows": ".github/workflows/*.yml",
    "custom.github-workflows-require-timeout": ".github/workflows/*.yml",
    "vendor.github-issue-forms": ".github/ISSUE_TEMPLATE/[0-9]-*.yml",
    "vendor.github-issue-config": ".github/ISSUE_TEMPLATE/config.yml",
    "vendor.dependabot": ".github/dependabot.yml",
    "vendor.meltano": "meltano.yml",
}
"""JSON schema of each file that GitHub or Meltano reads."""


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests on each Python."""
    sync(session, "test")
    gate = ["--cov"] if session.python == MEASURED and sys.platform == "linux" else []
    session.run("pytest", *gate, *session.posargs)


@nox.session
def slow(session: nox.Session) -> None:
    """Run the slow tests, and those that run nowhere else: all models on Spark, other dbt versions."""
    sync(session, "test")
    session.run("pytest", "-m", "slow or nox", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check code style and spelling."""
    sync(session, "lint")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("typos")


@nox.session
def typing(session: nox.Session) -> None:
    """Check types."""
    sync(session, "test", "typing")
    session.run("mypy")


@nox.session
def package(session: nox.Session) -> None:
    """Build the package and use it in clean environments."""
    sync(session, "test")
    session.run("pytest", "-n0", "-rs", "tests/e2e/test_package.py")


@nox.session
def dependencies(session: nox.Session) -> None:
    """Check that dependencies are declared and used."""
    sync(session, "test")
    session.install("deptry~=0.25")
    session.run("deptry", ".")
    # The sandbox and the tests may import development dependencies, but no transitive ones.
    exclude = (
        f"--exclude={name}" for name in (r"\.nox", r"\.pytest_cache", r"\.venv", r"noxfile\.py")
    )
    session.run("deptry", ".", *exclude, "--ignore=DEP002,DEP004")


@nox.session
def workflows(session: nox.Session) -> None:
    """Check workflows, forms and meltano.yml."""
    session.install("check-jsonschema<1", "zizmor<2")
    for schema, pattern in SCHEMAS.items():
        files = sorted(map(str, Path().glob(pattern)))
        session.run("check-jsonschema", f"--builtin-schema={schema}", *files)
    session.run("zizmor", "--strict-collection", ".")


@nox.session(default=False)
def targets(session: nox.Session) -> None:
    """Load into real targets and write the table of docs/targets.md: `-- target-duckdb` chooses one."""
    sync(session, "test")
    session.run("python", "-m", "benchmarks.targets", *session.posargs)


@nox.session(default=False)
def mutation(session: nox.Session) -> None:
    """List mutations that survive the tests: `-- months client` chooses modules, minutes to an hour each."""
    sync(session, "test")
    session.install("cosmic-ray~=8.7")
    settings = nox.project.load_toml("pyproject.toml")["tool"]["cosmic-ray"]
    for module in session.posargs or settings["tests"]:
        copy = Path(session.create_tmp(), *module.split("/")).resolve()
        shutil.rmtree(copy, ignore_errors=True)
        for part in ("tap_amazon_appstore", "sandbox", "tests"):
            shutil.copytree(part, copy / part)
        shutil.copy("pyproject.toml", copy)
        command = f"python -m pytest -n0 -x -q {settings['tests'][module]}"
        config = f"""
            [cosmic-ray]
            module-path = "tap_amazon_appstore/{module}.py"
            test-command = {json.dumps(command)}
            timeout = {settings["timeout"]}.0
            [cosmic-ray.distributor]
            name = "local"
            [cosmic-ray.filters.operators-filter]
            exclude-operators = {json.dumps(settings["excluded-operators"])}
        """
        with session.chdir(copy):
            Path("mutation.toml").write_text(config, encoding="utf-8")
            session.run("cosmic-ray", "baseline", "mutation.toml")
            session.run("cosmic-ray", "init", "mutation.toml", "mutation.sqlite")
            session.run("cr-filter-operators", "mutation.sqlite", "mutation.toml")
            session.run("cosmic-ray", "exec", "mutation.toml", "mutation.sqlite")
            session.run("cr-report", "--surviving-only", "--show-diff", "mutation.sqlite")


def sync(session: nox.Session, *groups: str) -> None:
    """Install the project and these dependency groups only."""
    session.run_install(
        "uv",
        "sync",
        "--no-default-groups",
        *(f"--group={group}" for group in groups),
        env={
            "UV_PROJECT_ENVIRONMENT": session.virtualenv.location,
            "UV_PYTHON": session.virtualenv.location,
        },
    )
