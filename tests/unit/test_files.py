"""Files that the command cannot use: a sentence that names the file and what is wrong with it."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import click
import pytest
from singer_sdk.exceptions import ConfigurationError
from singer_sdk.plugin_base import _ConfigInput

from tap_amazon_appstore.tap import TapAmazonAppstore
from tests.conftest import catalog_with
from tests.reading import STREAM_NAMES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DEEP = '{"a":' * 200 + "1" + "}" * 200


def named(text: str, name: str = "file.json") -> io.StringIO:
    file = io.StringIO(text)
    file.name = name
    return file


def read_config(text: str, directory: Path) -> str:
    """Return the sentence with which a configuration file is rejected."""
    path = directory / "file.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    (option,) = (p for p in TapAmazonAppstore.get_singer_command().params if p.name == "config")
    with pytest.raises(ConfigurationError) as error:
        TapAmazonAppstore.cb_config(click.Context(click.Command("")), option, (str(path),))  # type: ignore[arg-type]
    return str(error.value).replace(str(path), "file.json")


def read(option: str, text: str) -> str:
    """Return the sentence with which a state or a catalog is rejected."""
    with pytest.raises(ConfigurationError) as error:
        TapAmazonAppstore.invoke(**{option: named(text)})
    return str(error.value)


@pytest.mark.parametrize("option", ["config", "state", "catalog"])
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{oops", "is not valid JSON: Expecting property name enclosed in double quotes (line 1, "),
        ("[]", "is not a JSON object"),
        ("null", "is not a JSON object"),
        ('{"a": NaN}', "is not valid JSON: NaN is not a JSON value"),
        (DEEP, "has more than 100 levels"),
        ("[" * 100_000, "has more than 100 levels"),
    ],
    ids=["broken", "a list", "null", "NaN", "deep", "deeper"],
)
def test_a_file_that_is_no_json_object_is_named(
    tmp_path: Path, option: str, text: str, problem: str
) -> None:
    sentence = read_config(text, tmp_path) if option == "config" else read(option, text)

    assert sentence.startswith(f"--{option} file.json {problem}")


def test_a_configuration_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    assert read_config('{"a": "\udcff"}', tmp_path) == (
        "--config file.json could not be read: not UTF-8"
    )


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_empty_state_is_no_state(text: str) -> None:
    options: dict[str, Any] = {
        "about": False,
        "about_format": None,
        "catalog": None,
        "config": _ConfigInput(),
    }

    with pytest.raises(ConfigurationError, match="client_id is missing"):
        TapAmazonAppstore.invoke(state=named(text), **options)


def change(change: Callable[[dict[str, Any]], object]) -> str:
    """Return a catalog whose entry of `sales` has been changed."""
    catalog = catalog_with()
    change(next(s for s in catalog["streams"] if s["tap_stream_id"] == "sales"))
    return json.dumps(catalog)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{}", " is not a valid Singer catalog. Generate a catalog with `--discover`."),
        ('{"streams": []}', " is not a valid Singer catalog. Generate"),
        ('{"streams": {"sales": {}}}', " is not a valid Singer catalog. Generate"),
        ('{"streams": [{"stream": "sales"}]}', " is not a valid Singer catalog. Generate"),
        (
            '{"streams": [{"tap_stream_id": "users", "stream": "users", "schema": {}}]}',
            f" contains none of this tap's streams ({', '.join(STREAM_NAMES)}). Generate a",
        ),
        (
            change(lambda entry: entry["schema"]["properties"].pop("line_id")),
            ": the schema of sales lacks its key, line_id. Generate a catalog",
        ),
        (
            change(lambda entry: entry.update(stream="umsatz")),
            ": tap_stream_id 'sales' and stream 'umsatz' differ. Rename a stream by a stream map",
        ),
        (
            change(lambda entry: entry.update(tap_stream_id="umsatz")),
            ": tap_stream_id 'umsatz' and stream 'sales' differ. Rename a stream by a stream map",
        ),
    ],
    ids=["no streams", "none", "no list", "no id", "another tap's", "no key", "renamed", "id"],
)
def test_a_catalog_that_is_not_this_taps_is_named(text: str, problem: str) -> None:
    assert read("catalog", text).startswith(f"--catalog file.json{problem}")


@pytest.mark.parametrize(
    ("bookmarks", "kept", "warning"),
    [
        ([], {}, "state: bookmarks is not a JSON object; reading from start_date"),
        ({"sales": 7}, {}, "sales: the state of this stream is not a JSON object; reading from"),
        ({"sales": {"a": 1}, "earnings": None}, {"sales": {"a": 1}}, "earnings: the state of"),
        ({"sales": {"a": 1, "partitions": 7, "progress_markers": 8}}, {"sales": {"a": 1}}, None),
        (None, {}, None),
    ],
    ids=["a list", "a number", "null", "unused parts", "no bookmarks"],
)
def test_what_is_not_understood_of_a_state_is_read_again(
    caplog: pytest.LogCaptureFixture, bookmarks: object, kept: object, warning: str | None
) -> None:
    settings = {"client_id": "id", "client_secret": "secret"}
    tap = TapAmazonAppstore(config=settings, state={"bookmarks": bookmarks})

    assert tap.state.get("bookmarks", {}) == kept
    warnings = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert [text[: len(warning or "")] for text in warnings] == [*filter(None, [warning])]
