"""Whatever ends the command: a sentence and an exit code, no traceback."""

from __future__ import annotations

import errno
import io
import logging
import os
from typing import TYPE_CHECKING, NoReturn

import pytest
from singer_sdk.exceptions import ConfigurationError

from sandbox import make_zip
from tap_amazon_appstore import __main__ as command
from tap_amazon_appstore.errors import RAISE_LIMITS
from tap_amazon_appstore.reading.archive import check_file
from tap_amazon_appstore.tap import TapAmazonAppstore

if TYPE_CHECKING:
    from collections.abc import Callable


def raising(error: BaseException) -> Callable[[], NoReturn]:
    def run() -> NoReturn:
        raise error

    return run


def start(_: object = None) -> NoReturn:
    """Fail as `threading.Thread.start` does."""
    message = "can't start new thread"
    raise RuntimeError(message)


@pytest.mark.parametrize(
    ("run", "sentences"),
    [
        (raising(ConfigurationError("one.\ntwo.")), ["one.", "two."]),
        (raising(MemoryError()), ["Out of memory. Free some memory and run again to resume."]),
        (
            raising(RecursionError()),
            [
                "A JSON document or an expression is nested too deeply. Check the configuration.",
            ],
        ),
        (
            raising(OSError(errno.EMFILE, "Too many open files")),
            [f"Operating system error: Too many open files. {RAISE_LIMITS}"],
        ),
        (
            raising(OSError(errno.EIO, "Input/output error")),
            ["Operating system error: Input/output error. Run again to resume."],
        ),
        (
            raising(BrokenPipeError()),
            ["Standard output was closed: the target stopped reading. See the target's log."],
        ),
        (
            start,
            [
                "No thread could be started. Raise the limit of processes and run again to resume.",
            ],
        ),
    ],
    ids=["settings", "memory", "depth", "file handles", "disk", "pipe", "threads"],
)
def test_what_the_machine_lacks_is_named(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    run: Callable[[], object],
    sentences: list[str],
) -> None:
    monkeypatch.setattr(TapAmazonAppstore, "cli", run)

    assert command._run() == 1
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [
        ("ERROR", sentence) for sentence in sentences
    ]


EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


@pytest.mark.parametrize("error", [MemoryError(), *(OSError(e, os.strerror(e)) for e in EXHAUSTED)])
def test_a_download_is_not_broken_for_want_of_resources(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def open_zip(*_: object) -> NoReturn:
        raise error

    layout = TapAmazonAppstore(config={}, validate_config=False).discover_streams()[0].layout
    file = io.BytesIO(make_zip({"sales.csv": "x"}))
    monkeypatch.setattr("zipfile.ZipFile", open_zip)

    with pytest.raises(type(error)) as raised:
        check_file(file, layout=layout, is_complete=True)

    assert raised.value is error


def test_an_unexpected_error_quotes_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    monkeypatch.setattr(TapAmazonAppstore, "cli", raising(KeyError("secret")))

    assert command._run() == 1
    assert "Unexpected error (KeyError in run, line " in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize(("code", "expected"), [(None, 0), (0, 0), (143, 143), ("why", 1)])
def test_exit_codes_are_kept(
    monkeypatch: pytest.MonkeyPatch, code: int | str | None, expected: int
) -> None:
    monkeypatch.setattr(TapAmazonAppstore, "cli", raising(SystemExit(code)))

    assert command._run() == expected


@pytest.mark.parametrize("variable", ["LOGLEVEL", "TAP_AMAZON_APPSTORE_LOGLEVEL"])
def test_an_unknown_log_level_is_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, variable: str
) -> None:
    monkeypatch.setenv(variable, "chatty")

    assert command._run() == 1
    (record,) = caplog.records
    assert record.getMessage() == (
        "The log could not be configured (Unknown level: 'CHATTY'). Check LOGLEVEL and "
        "TAP_AMAZON_APPSTORE_LOGLEVEL (DEBUG, INFO, WARNING or ERROR), and "
        "SINGER_SDK_LOG_CONFIG."
    )


def test_an_empty_log_level_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGLEVEL", "")
    monkeypatch.setattr(TapAmazonAppstore, "cli", lambda: None)

    assert command._run() == 0
    assert "LOGLEVEL" not in os.environ


@pytest.fixture(autouse=True)
def log() -> None:
    """Let pytest see what the command logs, whatever other tests have configured."""
    logging.getLogger(TapAmazonAppstore.name).disabled = False
