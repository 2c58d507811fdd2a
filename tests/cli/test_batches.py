"""Batches hold exactly what the records would have held, in files that are whole or not there."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from s3fs import S3FileSystem

from sandbox import make_csv
from tests.conftest import execute_without_room
from tests.data import MONTH, NEXT_MONTH, sale, sales, subscription

if TYPE_CHECKING:
    from sandbox import Sandbox
    from tests.conftest import Run, Tap

# Runs follow each other at once.
pytestmark = pytest.mark.unlimited

TWO_MONTHS = {"start_date": MONTH.isoformat(), "end_date": NEXT_MONTH.isoformat()}

STREAM_MAPS = {
    "sales": {
        "app_user_id": "__NULL__",
        "gross": "float(sales_price) * 2",
        "__filter__": "transaction_id != '2'",
    },
    "subscriptions": {"__alias__": "renamed"},
}


@pytest.fixture
def tap(tap: Tap) -> Tap:
    """The command with an account of two months of sales and one of subscriptions."""
    odd = sale(Transaction_Id="9", Units="many", Transaction_Time="", Adjustment="Yes")
    tap.account.put_report("sales", MONTH, make_csv([*sales(5), odd]))
    tap.account.put_report("sales", NEXT_MONTH, make_csv(sales(3)))
    tap.account.put_report("subscription", MONTH, make_csv([subscription()]))
    tap.settings = TWO_MONTHS
    return tap


def batch_config(
    root: str,
    encoding: str = "jsonl",
    compression: str = "none",
    **more: Any,  # noqa: ANN401
) -> dict[str, Any]:
    storage = {"root": root, "prefix": "run-1/", "params": more.pop("params", {})}
    return {
        "encoding": {"format": encoding, "compression": compression},
        "storage": storage,
        **more,
    }


def files(run: Run, stream: str = "sales") -> list[str]:
    """Return the URLs of a stream's batches."""
    return [
        url
        for message in run.messages
        if message["type"] == "BATCH" and message["stream"] == stream
        for url in message["manifest"]
    ]


def local(url: str) -> Path:
    return Path(url2pathname(urlsplit(url).path))


def rows(url: str) -> list[dict[str, Any]]:
    """Return the records of a file of JSON lines."""
    content = local(url).read_bytes()
    if url.endswith(".gz"):
        content = gzip.decompress(content)
    return [json.loads(line, parse_float=str) for line in content.splitlines()]


@pytest.mark.parametrize(
    ("compression", "stream_maps"), [("gzip", {}), ("none", STREAM_MAPS)], ids=["plain", "mapped"]
)
def test_json_lines_hold_the_records(
    tap: Tap, tmp_path: Path, compression: str, stream_maps: dict[str, Any]
) -> None:
    config = batch_config(tmp_path.as_uri(), compression=compression)

    batches = tap.read(batch_config=config, stream_maps=stream_maps)

    records = tap.read(stream_maps=stream_maps)
    streams = {message["stream"] for message in records.messages if "stream" in message}
    for stream in streams:
        held = [row for url in files(batches, stream) for row in rows(url)]
        assert held == records.records(stream)
    assert batches.records() == []
    assert batches.state == records.state


@pytest.mark.parametrize("stream_maps", [{}, STREAM_MAPS], ids=["plain", "mapped"])
def test_parquet_holds_the_records_typed(
    tap: Tap, tmp_path: Path, stream_maps: dict[str, Any]
) -> None:
    config = batch_config(tmp_path.as_uri(), "parquet")

    batches = tap.read(batch_config=config, stream_maps=stream_maps)

    tables = [pq.read_table(local(url)) for url in files(batches)]
    records = tap.read(stream_maps=stream_maps).records()
    held = [row for table in tables for row in table.to_pylist()]
    assert [as_message(row) for row in held] == [normalised(record) for record in records]
    schema = tables[0].schema
    assert all(table.schema == schema for table in tables)
    assert schema.field("sales_price").type == pa.decimal128(38, 18)
    assert schema.field("report_month").type == pa.date32()
    assert schema.field("transaction_at").type == pa.timestamp("us", tz="UTC")
    assert schema.field("units").type == pa.int64()
    assert schema.field("adjustment").type == pa.bool_()
    assert ("app_user_id" in schema.names) == (not stream_maps)


def as_message(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of a Parquet file as its record stands in a message."""
    return {
        name: value
        if value is None or isinstance(value, str | int)
        else f"{value.normalize():f}"
        if hasattr(value, "normalize")
        else value.isoformat()
        for name, value in row.items()
    }


def normalised(record: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.rstrip("0").rstrip(".")
        if name in {"sales_price", "estimated_earnings", "gross"}
        else value
        for name, value in record.items()
    }


def test_a_state_follows_the_last_batch_of_each_month(tap: Tap, tmp_path: Path) -> None:
    tap.streams = ["sales"]
    run = tap.read(batch_config=batch_config(tmp_path.as_uri(), batch_size=4))

    assert [message["type"] for message in run.messages] == [
        *["SCHEMA", "BATCH", "BATCH", "STATE"],
        *["BATCH", "STATE"],
    ]
    assert [state["bookmarks"]["sales"]["replication_key_value"] for state in run.states] == [
        "2024-03-01",
        "2024-04-01",
    ]


SALES_ALONE = pytest.mark.usefixtures("sales_alone")
FORMATS = [("jsonl", "gzip"), ("parquet", "none")]
BROKEN = make_csv(sales(2500)) + '"never closed'


@SALES_ALONE
@pytest.mark.parametrize(("encoding", "compression"), FORMATS)
def test_nothing_of_a_failed_month_has_a_final_name(
    tap: Tap, tmp_path: Path, encoding: str, compression: str
) -> None:
    tap.account.put_report("sales", NEXT_MONTH, BROKEN)

    run = tap.run(batch_config=batch_config(tmp_path.as_uri(), encoding, compression))

    assert run.code == 1
    assert [local(url) for url in files(run)] == list((tmp_path / "run-1").iterdir())
    assert_one_sentence(run)


def assert_one_sentence(run: Run) -> str:
    """Expect that a run says one thing about its failure, and return it."""
    (error,) = run.log("ERROR")
    assert "Traceback" not in run.stderr
    assert "Exception ignored" not in run.stderr
    return error


@SALES_ALONE
def test_what_a_killed_run_leaves_is_removed_by_the_next(tap: Tap, tmp_path: Path) -> None:
    tap.account.put_report("sales", MONTH, make_csv(sales(40_000)))
    settings = {"batch_config": batch_config(tmp_path.as_uri(), batch_size=10**6)}
    # Slow enough to be killed before the file ends.
    maps = {"stream_maps": {"sales": {"made": " + ".join(["float(sales_price)"] * 30)}}}
    with subprocess.Popen(tap.command(**settings, **maps), stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and not list(tmp_path.glob("run-1/.*.part")):
            time.sleep(0.005)
        process.kill()
    (left,) = (tmp_path / "run-1").iterdir()
    assert left.name.endswith(".part")

    run = tap.read(**settings)

    assert sorted((tmp_path / "run-1").iterdir()) == sorted(local(url) for url in files(run))


def test_an_unknown_format_is_refused(tap: Tap, tmp_path: Path) -> None:
    run = tap.run(batch_config=batch_config(tmp_path.as_uri(), "csv"))

    assert run.code == 1
    assert "batch_config" in run.stderr


@pytest.fixture
def bucket(sandbox: Sandbox) -> S3FileSystem:
    """An S3 client of another library than the sandbox's server."""
    return S3FileSystem(**s3_params(sandbox), skip_instance_cache=True)


def s3_params(sandbox: Sandbox) -> dict[str, Any]:
    return {**sandbox.s3_credentials, "endpoint_url": sandbox.s3_endpoint_url}


@pytest.mark.parametrize("encoding", ["jsonl", "parquet"])
def test_batches_go_to_s3(tap: Tap, sandbox: Sandbox, bucket: S3FileSystem, encoding: str) -> None:
    root = f"s3://{sandbox.batch_bucket}/{tap.directory.name}"
    config = batch_config(root, encoding, params=s3_params(sandbox))

    run = tap.read(batch_config=config)

    records = tap.read().records()
    contents = [bucket.cat_file(url) for url in files(run)]
    if encoding == "jsonl":
        held = [json.loads(line, parse_float=str) for c in contents for line in c.splitlines()]
        assert held == records
    else:
        held = [row for c in contents for row in pq.read_table(pa.BufferReader(c)).to_pylist()]
        assert [row["line_id"] for row in held] == [record["line_id"] for record in records]
    keys = list(sandbox.s3_credentials.values())
    assert not any(key in run.stdout + run.stderr for key in keys)


@pytest.mark.parametrize(("encoding", "compression"), FORMATS)
@SALES_ALONE
def test_nothing_of_a_failed_month_is_in_s3(
    tap: Tap, sandbox: Sandbox, bucket: S3FileSystem, encoding: str, compression: str
) -> None:
    tap.account.put_report("sales", NEXT_MONTH, BROKEN)
    root = f"s3://{sandbox.batch_bucket}/{tap.directory.name}"
    config = batch_config(root, encoding, compression, params=s3_params(sandbox))

    run = tap.run(batch_config=config)

    assert run.code == 1
    assert [url.removeprefix("s3://") for url in files(run)] == bucket.find(root)
    assert_one_sentence(run)


@SALES_ALONE
def test_the_root_is_named_if_files_cannot_be_written(
    sandbox: Sandbox, tap: Tap, tmp_path: Path
) -> None:
    occupied = tmp_path / "file"
    occupied.touch()
    params = {
        "key": "nobody",
        "secret": "a-secret-key",
        "client_kwargs": {"endpoint_url": sandbox.s3_endpoint_url},
    }
    for config in (
        batch_config((occupied / "folder").as_uri()),
        batch_config(f"s3://{sandbox.batch_bucket}", params=params),
    ):
        run = tap.run(batch_config=config)

        assert run.code == 1
        error = assert_one_sentence(run)
        assert error.startswith(f"Writing batch files to {config['storage']['root']} failed (")
        assert "Check batch_config" in error
        assert "a-secret-key" not in run.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of a file's size")
@pytest.mark.parametrize(("encoding", "compression"), FORMATS)
@SALES_ALONE
def test_a_file_that_finds_no_room_is_removed(
    tap: Tap, tmp_path: Path, encoding: str, compression: str
) -> None:
    tap.account.put_report("sales", MONTH, make_csv(sales(2500)))
    tap_command = tap.command(batch_config=batch_config(tmp_path.as_uri(), encoding, compression))

    run = execute_without_room(*tap_command, blocks=60)

    assert run.code == 1
    assert "the free space there" in assert_one_sentence(run)
    assert list((tmp_path / "run-1").iterdir()) == []
