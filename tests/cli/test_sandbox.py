"""The sandbox's servers and its command."""

from __future__ import annotations

import io
import os
import shlex
import signal
import socket
import subprocess
import sys
import zipfile
from collections import defaultdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from sandbox import FAULTS, Fault
from sandbox.__main__ import main
from sandbox.faults import cut_short, drop
from sandbox.login import SCOPE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox import Account
    from sandbox.request import Behaviour

pytestmark = pytest.mark.unlimited

MONTH = date(2024, 3, 1)
CSV = "Marketplace,Title\r\nAmazon.com,Truck\r\n"
PROJECT = Path(__file__).parents[2]


class Client:
    """Signs in over HTTP with an account's settings, and reads its report."""

    def __init__(self, settings: dict[str, str]) -> None:
        self.settings = {name.lower(): value for name, value in settings.items()}
        self.session = requests.Session()

    def ask_for_token(self) -> requests.Response:
        form = {name: self.settings[name] for name in ("client_id", "client_secret")}
        grant = {"grant_type": "client_credentials", "scope": SCOPE}
        return self.session.post(self.settings["auth_url"], data={**form, **grant})

    def ask(self) -> requests.Response:
        token = self.ask_for_token().json()["access_token"]
        return self.session.get(
            f"{self.settings['api_url']}/api/appstore/download/report/sales/2024/03",
            headers={"Authorization": f"Bearer {token}"},
            allow_redirects=False,
        )

    def download(self) -> requests.Response:
        return self.session.get(self.ask().text)


@pytest.fixture
def client(account: Account) -> Iterator[Client]:
    """A client of an account with one sales report."""
    account.put_report("sales", MONTH, CSV)
    client = Client(account.settings)
    with client.session:
        yield client


class TestServers:
    """Connections, and what the WSGI applications do not show."""

    def test_keep_connections_open(self, account: Account, client: Client) -> None:
        for _ in range(2):
            client.ask_for_token()
            client.download()
        client.session.head(client.ask().text)
        addresses = defaultdict(set)
        for request in account.requests:
            addresses[request.service].add(request.environ["REMOTE_PORT"])
        assert [len(ports) for ports in addresses.values()] == [1, 1, 1]

    @pytest.mark.parametrize("behaviour", [drop, cut_short])
    def test_drop_connections(self, account: Account, client: Client, behaviour: Behaviour) -> None:
        account.inject_fault(Fault("lwa", behaviour))
        with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
            client.ask_for_token()
        assert account.requests[-1].status is (None if behaviour is drop else 200)
        assert client.ask_for_token().status_code == 200

    @pytest.mark.parametrize("form", ["csv", "csv-chunked", "csv-unsized"])
    def test_send_bodies_in_three_framings(
        self, account: Account, client: Client, form: str
    ) -> None:
        account.inject_fault(f"bucket-{form}")
        assert client.download().text == CSV
        assert client.download().content == account.get_report("sales", MONTH)

    def test_recognise_a_path_byte_for_byte(self, account: Account, client: Client) -> None:
        """The tap's own client must send the path as it was signed; `requests` does not."""
        account.inject_fault("url-odd-path", times=None)
        url = client.ask().text
        netloc, _, target = url.removeprefix("http://").partition("/")
        assert target.startswith("/a%2fb|c[d]%/")
        assert _raw_status(netloc, f"/{target}") == 200
        assert account.requests[-1].month == MONTH
        assert _raw_status(netloc, f"/{target.replace('%2f', '%2F')}") == 403
        assert _raw_status(netloc, target) == 403
        assert client.session.get(url).status_code == 403


def _raw_status(netloc: str, target: str) -> int:
    host, _, port = netloc.partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: {netloc}\r\n\r\n".encode())
        return int(connection.recv(1000).split()[1])


# The command under the sandbox: it requests two months' reports and prints what it gets.
FETCH = """
import os, requests
client_id, secret, api_url, auth_url = (os.environ["TAP_AMAZON_APPSTORE_" + name]
    for name in ("CLIENT_ID", "CLIENT_SECRET", "API_URL", "AUTH_URL"))
token = requests.post(auth_url, data=dict(client_id=client_id, client_secret=secret,
    grant_type="client_credentials", scope="adx_reporting::appstore:marketer")).json()
for month in ("2024/03", "2024/04"):
    response = requests.get(f"{api_url}/api/appstore/download/report/sales/{month}",
        headers={"Authorization": f"Bearer {token['access_token']}"})
    if response.ok:
        response = requests.get(response.text)
        print(response.headers.get("ETag"), response.headers["Last-Modified"])
    else:
        print(response.status_code, response.text)
"""
WAIT = "import time; print('ready', flush=True); time.sleep(15)"


def fetch(capfd: pytest.CaptureFixture[str], *options: str) -> list[str]:
    """Fetch sales of March and April 2024 in a sandbox with these options."""
    command = (sys.executable, "-c", FETCH)
    assert main(["--months=2", "--rows=50", "--today=2024-04-15", *options, *command]) == 0
    stdout, stderr = capfd.readouterr()
    assert stderr == ""
    return stdout.splitlines()


@pytest.fixture
def _signals() -> Iterator[None]:
    """Restore the handlers of signals that the command replaces in this process."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("_signals")
class TestCommand:
    """``python -m sandbox``, mostly without starting another Python for it."""

    def test_files_are_the_same_in_every_run(self, capfd: pytest.CaptureFixture[str]) -> None:
        first = fetch(capfd)
        assert len(set(first)) == 2
        assert fetch(capfd, "--") == first
        assert fetch(capfd, "--months=0") == ["400 Report not found"] * 2

    def test_activates_faults(self, capfd: pytest.CaptureFixture[str]) -> None:
        faults = ("--fault=api-503:1", "--fault=bucket-no-etag", "--fault=bucket-404:0.0s")
        last, this = fetch(capfd, *faults)
        assert last.startswith("503")
        assert this.startswith("None ")

    @pytest.mark.skipif(os.name == "nt", reason="Windows has no signals to pass on")
    def test_serves_accounts_until_it_is_stopped(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        options = ["--months=2", "--rows=20", "--accounts=2", "--today=2024-04-15"]
        command = [sys.executable, "-m", "sandbox", *options, "--serve", f"--port={port}"]
        with subprocess.Popen(
            command, cwd=PROJECT, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(12)]
            settings = [shlex.split(line)[1].partition("=") for line in lines if "export" in line]
            prefix = "TAP_AMAZON_APPSTORE_"
            first, second = (
                {name.removeprefix(prefix): value for name, _, value in settings[i : i + 5]}
                for i in (0, 5)
            )
            assert first["API_URL"] == second["API_URL"] == f"http://127.0.0.1:{port}"
            assert first["START_DATE"] == "2024-03-01"
            contents = [Client(settings).download().content for settings in (first, second)]
            process.terminate()
            assert process.wait(timeout=10) == 0
        assert zipfile.is_zipfile(io.BytesIO(contents[0]))
        assert contents[0] != contents[1]

    def test_passes_the_exit_code_on(self) -> None:
        assert main(["--months=0", sys.executable, "-c", "raise SystemExit(7)"]) == 7

    @pytest.mark.skipif(os.name == "nt", reason="Windows has no signals to pass on")
    def test_passes_termination_on(self) -> None:
        command = [sys.executable, "-m", "sandbox", "--months=0", sys.executable, "-c", WAIT]
        with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            process.terminate()
            assert process.wait(timeout=10) == 128 + signal.SIGTERM

    def test_lists_faults(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["--list-faults"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert [line.split()[0] for line in lines] == list(FAULTS)

    @pytest.mark.parametrize(
        ("arguments", "error"),
        [
            ([], "either a command or --serve is required"),
            (["--"], "either a command or --serve is required"),
            (["--serve", "x"], "either a command or --serve is required"),
            (["--accounts", "0", "x"], "--accounts must be at least 1"),
            (["--fault", "nope", "x"], "There is no fault 'nope'. There are: lwa-503"),
            (["--fault", "api-503:x", "x"], "--fault"),
            (["--fault", "api-503:xs", "x"], "--fault"),
        ],
    )
    def test_rejects_invalid_arguments(
        self, capsys: pytest.CaptureFixture[str], arguments: list[str], error: str
    ) -> None:
        with pytest.raises(SystemExit, match="2"):
            main(arguments)
        stdout, stderr = capsys.readouterr()
        assert stdout == ""
        assert error in stderr

    def test_reports_an_unknown_command(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["--months=0", "no-such-command"]) == 127
        assert "no-such-command" in capsys.readouterr().err
