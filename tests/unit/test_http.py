"""Which URLs may be given secrets, and what a request without a response says of its cause."""

from __future__ import annotations

import errno
import logging
import os
import socket
import ssl
from typing import TYPE_CHECKING

import pytest
from singer_sdk.exceptions import FatalSyncError

from tap_amazon_appstore.connection_errors import FatalConnectionError
from tap_amazon_appstore.http import hide_library_logs, is_secure, parse_url
from tests.unit.amazon import Amazon, response

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

API = "https://api.example:2"


@pytest.mark.parametrize(
    ("url", "host", "target"),
    [
        ("https://developer.amazon.com", "developer.amazon.com", "/"),
        ("HTTPS://Developer.Amazon.com?a=b", "developer.amazon.com", "/?a=b"),
        ("https://localhost:1/path?query#fragment", "localhost", "/path?query"),
        ("http://localhost", "localhost", "/"),
        ("http://127.0.0.1:8080/a@b:c", "127.0.0.1", "/a@b:c"),
        ("http://[::1]:8080/", "[::1]", "/"),
    ],
)
def test_urls_that_may_be_given_secrets(url: str, host: str, target: str) -> None:
    assert is_secure(url)
    assert (parse_url(url).host, parse_url(url).target) == (host, target)


@pytest.mark.parametrize(
    "url",
    [
        "http://developer.amazon.com",
        "http://127.0.0.2",
        "http://localhost.example.com",
        "http://localhost@example.com",
        "http://remote\\@127.0.0.1/",
        "http://127.0.0.1\\@remote/",
        "http://localhost\\remote",
        "https://example.com\\path",
        "https://user@example.com",
        "https://user:password@example.com",
        "https://@example.com",
        "https://example.com:99999",
        "https://example.com:0",
        "https://example.com:port",
        "https://exa mple.com",
        "https://example.com/a b",
        "https://example.com/\n",
        "https://example.com/\x00",
        "https://example.com/\u2603",
        " https://example.com",
        "https://[",
        "https://[::1",
        "https://",
        "https:///path",
        "https:/example.com",
        "https:example.com",
        "//example.com",
        "http://",
        "ftp://localhost",
        "ws://localhost",
        "developer.amazon.com",
        "",
    ],
)
def test_other_urls_may_not(url: str) -> None:
    assert not is_secure(url)


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the proxies and certificates that this machine's environment names."""
    names = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"]
    for name in [*names, *map(str.lower, names), "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"]:
        # Set first, so that a variable that a test sets is removed again.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def failure(amazon: Amazon) -> FatalSyncError:
    """Return how a request to an API with TLS fails."""
    client = amazon.client(api_url=API)
    with pytest.raises(FatalSyncError) as error:
        client.find_report("sales", "2024-03")
    return error.value


def refuse_connections(amazon: Amazon, error: Exception) -> None:
    """Raise an error instead of connecting to another host than this one."""

    def connect(address: tuple[str, int]) -> None:
        if address[0] != "127.0.0.1":
            raise error

    amazon.connect = connect


NO_NAME = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
TRY_AGAIN = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
NO_FILES = OSError(errno.EMFILE, "Too many open files")
REFUSED = ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
SILENT = TimeoutError("timed out")


@pytest.mark.parametrize(
    ("error", "attempts", "words"),
    [
        (NO_NAME, 1, "the host name api.example could not be resolved (Name or service not known)"),
        (TRY_AGAIN, 6, "the host name api.example could not be resolved (Temporary failure in"),
        (NO_FILES, 1, "no resources left for a connection (Too many open files). Raise its limits"),
        (REFUSED, 6, "no response from api.example (Connection refused)"),
        (SILENT, 6, "no response from api.example (ConnectTimeout)"),
    ],
    ids=["unknown name", "resolver asks to try again", "no files", "refused", "silent"],
)
def test_a_failed_connection_names_its_cause(
    amazon: Amazon, error: Exception, attempts: int, words: str
) -> None:
    refuse_connections(amazon, error)

    assert words in str(failure(amazon))
    assert len(amazon.clock.waits) == attempts - 1


def certificate_error(message: str) -> ssl.SSLError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = message
    return error


def tls_error(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}]")
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("error", "attempts", "words"),
    [
        (
            certificate_error("self-signed certificate"),
            1,
            "the certificate of api.example is not trusted (self-signed certificate). If your",
        ),
        *(
            (tls_error(reason), 1, f"TLS handshake with api.example failed ({reason})")
            for reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNSUPPORTED_PROTOCOL")
        ),
        (ssl.SSLEOFError(8, "EOF occurred"), 6, "no response from api.example (EOF occurred)"),
        (tls_error("TLSV1_ALERT_INTERNAL_ERROR"), 6, "TLS handshake failed: TLSV1_ALERT_INTERNAL"),
        (ConnectionResetError(104, "Connection reset by peer"), 6, "Connection reset by peer"),
    ],
)
def test_a_failed_handshake_names_its_cause(
    amazon: Amazon,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    attempts: int,
    words: str,
) -> None:
    def wrap(**_: object) -> None:
        raise error

    monkeypatch.setattr("urllib3.connection.ssl_wrap_socket", wrap)

    raised = failure(amazon)

    assert words in str(raised)
    assert len(amazon.clock.waits) == attempts - 1
    assert isinstance(raised, FatalConnectionError) == (attempts == 1)


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "could not be read (No such file or directory)"),
        ("no certificate", "contains no certificates"),
    ],
)
def test_an_unusable_ca_bundle_is_named(  # noqa: PLR0913, PLR0917
    amazon: Amazon,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    text: str | None,
    words: str,
    variable: str,
) -> None:
    bundle = tmp_path / "bundle.pem"
    if text:
        bundle.write_text(text)
    monkeypatch.setenv(variable, str(bundle))

    raised = failure(amazon)

    assert str(raised).startswith(f"the CA bundle {bundle} {words}. Set REQUESTS_CA_BUNDLE")
    assert isinstance(raised, FatalConnectionError)
    assert amazon.clock.waits == []


PROXY = "http://user:password@proxy.example:9"


@pytest.mark.parametrize(
    ("proxy", "status", "attempts", "words"),
    [
        (PROXY, 407, 1, "no connection through the proxy proxy.example:9 (HTTP 407)"),
        (PROXY, 403, 1, "no connection through the proxy proxy.example:9 (HTTP 403)"),
        (PROXY, 502, 6, "no connection through the proxy proxy.example:9 (HTTP 502)"),
        (PROXY, 503, 6, "no connection through the proxy proxy.example:9 (HTTP 503)"),
        (PROXY, 504, 6, "no connection through the proxy proxy.example:9 (HTTP 504)"),
        (PROXY, NO_NAME, 1, "the proxy proxy.example:9 (Name or service not known)"),
        (PROXY, TRY_AGAIN, 6, "the proxy proxy.example:9 (Temporary failure in name resolution)"),
        (PROXY, REFUSED, 1, "the proxy proxy.example:9 (Connection refused)"),
        (PROXY, SILENT, 6, "the proxy proxy.example:9"),
        ("http://user:password@proxy.example:port", None, 1, "the proxy (invalid URL)"),
        ("http://proxy.example:99999", None, 1, "the proxy (invalid URL)"),
        ("ftp://user:password@proxy.example", None, 1, "the proxy proxy.example (invalid URL)"),
        ("socks5://proxy.example:9", None, 1, "pip install 'requests[socks]'"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_named(
    amazon: Amazon, proxy: str, status: int | Exception | None, attempts: int, words: str
) -> None:
    os.environ["HTTPS_PROXY"] = proxy  # removed by `no_proxies`
    if isinstance(status, int):
        amazon.always("proxy", response(status))
    elif status:
        refuse_connections(amazon, status)

    raised = failure(amazon)

    assert words in str(raised)
    assert "Check HTTPS_PROXY" in str(raised)
    assert "password@" not in str(raised)
    assert len(amazon.clock.waits) == attempts - 1
    assert isinstance(raised, FatalConnectionError) == (attempts == 1)


def test_no_proxy_sees_what_is_meant_for_this_machine(
    amazon: Amazon, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"):
        monkeypatch.setenv(name, PROXY)

    assert amazon.client().find_report("sales", "2024-03")
    assert {request.service for request in amazon.requests} == {"lwa", "api"}


LIBRARIES = ("urllib3.connectionpool", "botocore.auth", "aiobotocore.hooks", "s3fs", "fsspec")


@pytest.fixture
def loggers() -> Iterator[None]:
    """Give the libraries their loggers back."""
    loggers = map(logging.getLogger, [*LIBRARIES, *logging.root.manager.loggerDict])
    before = [(logger, logger.propagate, logger.handlers) for logger in loggers]
    yield
    for logger, propagate, handlers in before:
        logger.propagate, logger.handlers = propagate, handlers


@pytest.mark.usefixtures("loggers")
def test_libraries_that_log_requests_are_silent_whatever_is_configured(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG")
    logging.getLogger("botocore.auth").handlers = [logging.StreamHandler()]
    hide_library_logs()

    for name in LIBRARIES:
        logging.getLogger(name).setLevel("DEBUG")
        logging.getLogger(name).error("x-amz-security-token: secret")

    assert caplog.text == ""
    assert capsys.readouterr().err == ""
