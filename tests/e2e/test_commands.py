"""The commands of README and docs work as they are written."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from datetime import date, datetime, timedelta, timezone
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from uv import find_uv_bin

from tests.data import publish

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sandbox import Sandbox

PROJECT = Path(__file__).parents[2]
COMMAND = re.compile(r"^(?:    |\t|) *((?:pip|uv|python3?|meltano|dbt|export|unset) .*)$")

BLOCKS = {
    ("README.md", "tap-amazon-appstore"): "the same command is in the next blocks",
    ("README.md", "Try it without an Amazon account"): "test_the_demo_runs; .ci/run runs the tests",
    ("README.md", "Use it with Meltano"): "test_a_new_project_loads_into_postgres_and_duckdb",
    ("README.md", "Models and dashboard"): "test_the_demo_runs, test_all_works_without_a_server",
    ("CONTRIBUTING.md", "Set-up"): ".ci/run",
    ("CONTRIBUTING.md", "Add a column"): "test_generated_files_are_up_to_date compares the files",
    ("docs/backfills.md", "Backfill a long history"): "test_shards_and_a_daily_run",
    ("docs/metrics.md", "One currency"): "test_dbt_builds_the_models",
    ("docs/scale.md", "Models"): "not run: takes minutes",
    ("docs/scale.md", "Figures"): "not run: takes minutes",
    ("transform/README.md", "Run with dbt"): "test_dbt_builds_the_models",
}
"""Test of each block of commands."""

TARGETS = {
    "target-postgres": {
        "variant": "meltanolabs",
        "pip_url": "meltanolabs-target-postgres",
        "settings": {
            "sqlalchemy_url": None,
            "default_target_schema": "$MELTANO_EXTRACT__LOAD_SCHEMA",
            "load_method": "append-only",
            "activate_version": True,
            "add_record_metadata": True,
            "hard_delete": False,
            "sanitize_null_text_characters": False,
            "use_copy": False,
            "validate_records": True,
        },
    },
    "target-duckdb": {
        "variant": "jwills",
        "pip_url": "target-duckdb~=0.4",
        "settings": {
            "filepath": "${MELTANO_PROJECT_ROOT}/output/warehouse.duckdb",
            "default_target_schema": "$MELTANO_EXTRACT__LOAD_SCHEMA",
            "batch_size_rows": 100_000,
            "primary_key_required": True,
        },
    },
}
"""The hub's definitions: what matters of them (2026-11)."""

# One worker for all of these tests, which share a server.
pytestmark = pytest.mark.xdist_group("commands")


def read_blocks(document: str) -> dict[str, list[str]]:
    """Return the commands of a document, in order, by the heading above them."""
    blocks: dict[str, list[str]] = {}
    heading = ""
    is_code = False
    for line in (PROJECT / document).read_text("utf-8").splitlines():
        is_code ^= line.startswith("```")
        if line.startswith("#") and not is_code:
            heading = line.strip("# ")
        elif (is_code or line.startswith("    ")) and (match := COMMAND.match(line)):
            blocks.setdefault(heading, []).append(match[1])
    return blocks


def test_each_block_of_commands_is_run() -> None:
    documents = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "transform/README.md"]
    documents += [f"docs/{path.name}" for path in (PROJECT / "docs").glob("*.md")]
    found = {(document, heading) for document in documents for heading in read_blocks(document)}

    assert found == set(BLOCKS)


@pytest.fixture(scope="module")
def bin_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A machine with Python and pip: a folder for PATH, in which pip installs what a user has."""
    environment = tmp_path_factory.mktemp("machine")
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    return environment / "bin"


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this tree with its wheel in `dist`."""
    directory = tmp_path_factory.mktemp("clone")
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    paths = subprocess.run(listing, cwd=PROJECT, capture_output=True, check=True).stdout
    for name in paths.decode().strip("\0").split("\0"):
        if (PROJECT / name).is_file():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / name, directory / name)
    subprocess.run([find_uv_bin(), "build", "-q", "--wheel"], cwd=directory, check=True)
    return directory


@pytest.fixture(scope="module")
def hub_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A local Meltano hub that has two targets."""
    root = tmp_path_factory.mktemp("hub")
    loaders = root / "meltano" / "api" / "v1" / "plugins" / "loaders"
    loaders.mkdir(parents=True)

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(root)))
    url = f"http://127.0.0.1:{server.server_port}"
    index = {}
    for name, target in TARGETS.items():
        variant = target["variant"]
        address = f"{url}/meltano/api/v1/plugins/loaders/{name}--{variant}"
        definition = {
            **target,
            "name": name,
            "namespace": name.replace("-", "_"),
            "executable": name,
            "settings": _as_settings(target["settings"]),
        }
        (loaders / f"{name}--{variant}").write_text(json.dumps(definition))
        index[name] = {
            "default_variant": variant,
            "variants": {variant: {"ref": address}},
            "logo_url": "",
        }
    (loaders / "index").write_text(json.dumps(index))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield url
    server.shutdown()
    server.server_close()


def _as_settings(defaults: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    kinds = {bool: "boolean", int: "integer"}
    return [
        {"name": name, "kind": kinds.get(type(value), "string")}
        | ({} if value is None else {"value": value})
        for name, value in defaults.items()
    ]


def run_commands(
    commands: list[str],
    directory: Path,
    environment: Mapping[str, str],
    **replacements: str,
) -> str:
    """Run commands one after the other in one shell, and return the output."""
    script = "\n".join(commands)
    for placeholder, value in replacements.items():
        assert placeholder in script
        script = script.replace(placeholder, value)
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("VIRTUAL_ENV", "COVERAGE", "COV_", "PYTEST", "UV_", "MELTANO_"))
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],  # noqa: S607
        cwd=directory,
        env={**inherited, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def user(sandbox: Sandbox, postgres_uri: str, bin_directory: Path, hub_url: str) -> dict[str, str]:
    """The environment of a user whose account has two months of reports."""
    account = sandbox.add_account()
    account.add_sample(months=2)
    return {
        **account.environment,
        "TAP_AMAZON_APPSTORE_START_DATE": (
            datetime.now(timezone.utc).date() - timedelta(days=70)
        ).isoformat(),
        "TARGET_POSTGRES_SQLALCHEMY_URL": postgres_uri.replace(":", "+psycopg:", 1),
        "MELTANO_HUB_URL": hub_url,
        "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false",
        "PATH": f"{bin_directory}{os.pathsep}{os.environ['PATH']}",
    }


@pytest.fixture(scope="module")
def project(user: Mapping[str, str], clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that the README's commands have made, with all months loaded."""
    directory = tmp_path_factory.mktemp("project")
    commands = read_blocks("README.md")["Use it with Meltano"]
    run_commands(commands, directory, user, **{"/path/to/clone": str(clone)})
    return directory / "appstore"


@pytest.mark.slow
def test_a_new_project_loads_into_postgres_and_duckdb(project: Path, postgres_uri: str) -> None:
    query = "select line_id, cast(units as int) from tap_amazon_appstore.sales order by 1"
    # By the target's own DuckDB, whose files an older one cannot read.
    script = (
        f"import duckdb; print(duckdb.connect('appstore.duckdb').execute({query!r}).fetchall())"
    )
    python = project / ".meltano" / "loaders" / "target-duckdb" / "venv" / "bin" / "python"
    loaded = run_commands([f'{python} -c "{script}"'], project, {})

    with psycopg.connect(postgres_uri) as server:
        rows = server.execute(query.encode()).fetchall()
        tables = b"select table_name from information_schema.tables where table_schema = %s"
        names = {name for (name,) in server.execute(tables, ["tap_amazon_appstore"])}
    assert rows
    assert ast.literal_eval(loaded) == rows
    assert names == {"sales", "subscriptions"}


@pytest.mark.slow
def test_shards_and_a_daily_run(
    sandbox: Sandbox, user: Mapping[str, str], project: Path, postgres_uri: str
) -> None:
    account = sandbox.add_account()
    months = [date(year, month, 1) for year in (2018, 2021, 2026) for month in (1, 2)]
    publish(account, *months)
    environment = {
        **user,
        **account.environment,
        "TAP_AMAZON_APPSTORE__SELECT": '["sales.*"]',
        "TAP_AMAZON_APPSTORE__LOAD_SCHEMA": "shards",
    }
    commands = read_blocks("docs/backfills.md")["Backfill a long history"]

    output = run_commands(commands, project, environment)

    with psycopg.connect(postgres_uri) as server:
        rows = server.execute(b"select transaction_id from shards.sales order by 1").fetchall()
    assert rows == [(f"{month}-{number}",) for month in months for number in (1, 2, 3)]
    assert output.count("sales 2018-01") == 1


@pytest.mark.slow
def test_dbt_builds_the_models(
    user: Mapping[str, str], project: Path, clone: Path, postgres_uri: str
) -> None:
    assert project.exists()  # and its tables
    parts = psycopg.conninfo.conninfo_to_dict(postgres_uri)
    commands = [
        *read_blocks("transform/README.md")["Run with dbt"],
        *read_blocks("docs/metrics.md")["One currency"],
    ]
    output = run_commands(
        commands,
        clone / "transform",
        user,
        **{
            "HOST=localhost": f"HOST={parts['host']}",
            "USER=me": f"USER={parts['user']}",
            "PASSWORD=…": "PASSWORD=none",
            "DBNAME=warehouse": f"DBNAME={parts['dbname']}",
        },
    )

    assert output.count("Completed successfully") == 2


@pytest.mark.slow
def test_the_demo_runs(user: Mapping[str, str], clone: Path) -> None:
    (command, _) = read_blocks("README.md")["Try it without an Amazon account"]

    output = run_commands([command], clone, {"PATH": user["PATH"]})

    assert "tests passed" in output
    assert (clone / "output" / "amazon_appstore.html").is_file()


@pytest.mark.slow
def test_all_works_without_a_server(user: Mapping[str, str], project: Path, clone: Path) -> None:
    assert project.exists()  # and Meltano on the PATH
    install, _, *commands = read_blocks("README.md")["Models and dashboard"]
    page = clone / "output" / "amazon_appstore.html"
    page.unlink(missing_ok=True)

    output = run_commands([install, *commands], clone, user)

    assert "Completed successfully" in output
    assert page.is_file()
    assert (clone / "warehouse.duckdb").is_file()
