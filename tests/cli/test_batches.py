"""Batches hold exactly what the records would have held, in files that are whole or not there."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from s3fs import S3FileSystem

from sandbox import make_csv
from tests.conftest import catalog_with, execute_without_room
from tests.data import MONTH, NEXT_MONTH, sale, sales, subscription
from tests.e2e.environments import command, on_spark, spark_environment

if TYPE_CHECKING:
    from sandbox import Sandbox
    from tests.conftest import Run, Tap

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


@pytest.mark.parametrize("compression", ["none", "gzip"])
@pytest.mark.parametrize("stream_maps", [{}, STREAM_MAPS], ids=["plain", "mapped"])
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


def test_files_have_no_more_records_than_batch_size(tap: Tap, tmp_path: Path) -> None:
    run = tap.read(batch_config=batch_config(tmp_path.as_uri(), batch_size=4))

    assert [len(rows(url)) for url in files(run)] == [4, 2, 3]


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


def test_deselected_columns_are_left_out(tap: Tap, tmp_path: Path) -> None:
    catalog = tap.catalog(deselected={"sales": ["app_user_id"]})

    run = tap.read("--catalog", catalog, batch_config=batch_config(tmp_path.as_uri(), "parquet"))

    assert "app_user_id" not in pq.read_schema(local(files(run)[0])).names


FORMATS = [("jsonl", "none"), ("jsonl", "gzip"), ("parquet", "none")]
BROKEN = make_csv(sales(2500)) + '"never closed'


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


SPARK_READS = """
import json, sys
from pyspark.sql import SparkSession, functions

session = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
session.conf.set("spark.sql.session.timeZone", "UTC")
rows = session.read.parquet(*sys.argv[1:])
totals = rows.agg(
    functions.count("*"),
    functions.countDistinct("line_id"),
    functions.sum("units"),
    functions.sum("sales_price").cast("string"),
    functions.min("transaction_at").cast("string"),
    functions.max("report_month").cast("string"),
)
print(json.dumps({"types": dict(rows.dtypes), "totals": list(totals.first())}))
"""


@on_spark
def test_spark_reads_the_same_totals(
    request: pytest.FixtureRequest, tap: Tap, tmp_path: Path
) -> None:
    batches = tap.read(batch_config=batch_config(tmp_path.as_uri(), "parquet"))

    python = command(spark_environment(request), "python")
    paths = [str(local(url)) for url in files(batches)]
    done = subprocess.run(
        [python, "-c", SPARK_READS, *paths], cwd=tmp_path, stdout=subprocess.PIPE, check=True
    )

    read = json.loads(done.stdout)
    records = tap.read().records()
    assert read["totals"] == [
        len(records),
        len({record["line_id"] for record in records}),
        sum(record["units"] or 0 for record in records),
        f"{sum(Decimal(record['sales_price']) for record in records):.18f}",
        min(r["transaction_at"] for r in records if r["transaction_at"])[:19].replace("T", " "),
        NEXT_MONTH.isoformat(),
    ]
    assert read["types"]["sales_price"] == "decimal(38,18)"
    assert read["types"]["report_month"] == "date"
    assert read["types"]["transaction_at"] == "timestamp"


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"batch_size": 0}, "batch_size below 1"),
        ({"storage": None}, "a storage with a root"),
        ({"encoding": {"format": "csv"}}, "batch_config is not what the setting takes"),
    ],
    ids=["size", "storage", "encoding"],
)
def test_a_batch_config_that_cannot_work_is_refused_at_start(
    tap: Tap, tmp_path: Path, config: dict[str, Any], words: str
) -> None:
    settings = {**batch_config(tmp_path.as_uri()), **config}
    run = tap.run(
        batch_config={name: value for name, value in settings.items() if value is not None}
    )

    assert run.code == 1
    (error,) = run.log("ERROR")
    assert words in error
    assert tap.account.requests == []


def test_files_that_cannot_be_written_are_no_mistake_of_the_tap(
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
        batch_config("gs://bucket"),
        batch_config(f"s3://{sandbox.batch_bucket}", params=params),
    ):
        run = tap.run(batch_config=config)

        assert run.code == 1
        error = assert_one_sentence(run)
        assert error.startswith(f"Batch files cannot be written to {config['storage']['root']} (")
        assert "check batch_config" in error
        assert "a-secret-key" not in run.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit of a file's size")
@pytest.mark.parametrize(("encoding", "compression"), FORMATS)
def test_a_file_that_finds_no_room_is_removed(
    tap: Tap, tmp_path: Path, encoding: str, compression: str
) -> None:
    tap.account.put_report("sales", MONTH, make_csv(sales(2500)))
    tap_command = tap.command(batch_config=batch_config(tmp_path.as_uri(), encoding, compression))

    run = execute_without_room(*tap_command, blocks=60)

    assert run.code == 1
    assert "the room there" in assert_one_sentence(run)
    assert list((tmp_path / "run-1").iterdir()) == []


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("float(units) / 2", Decimal("0.5")),
        ("float(sales_price) / 3600", Decimal("0.001386111111111111")),
        ("float('1e-12')", Decimal("1e-12")),
        ("float('inf')", None),
        ("int(units / 2 * 2)", 1),
        ("bool(units)", True),
        ("datetime.date.fromisoformat(report_month)", MONTH),
        ("sales_price", Decimal("4.99")),
        ("units", 1),
        ("units / 2", "0.5"),
        ("units > 0", "true"),
        ("[asin, sales_price]", '["C00006M4PF",4.99]'),
        ("datetime.timedelta(days=units)", "P1D"),
    ],
)
def test_parquet_holds_what_a_stream_map_makes(
    tap: Tap, tmp_path: Path, expression: str, value: object
) -> None:
    tap.account.put_report("sales", MONTH, make_csv([sale()]))
    tap.settings = {**TWO_MONTHS, "end_date": MONTH.isoformat()}

    run = tap.read(
        batch_config=batch_config(tmp_path.as_uri(), "parquet"),
        stream_maps={"sales": {"made": expression}},
    )

    (url,) = files(run)
    (row,) = pq.read_table(local(url)).to_pylist()
    assert row["made"] == value


@pytest.mark.parametrize(
    ("column", "expression", "kind"),
    [
        ("units", "units / 2", "int64"),
        ("units", "units * 10 ** 19", "int64"),
        ("units", "units == 1", "int64"),
        ("units", "title", "int64"),
        ("sales_price", "sales_price / 3", "decimal128(38, 18)"),
        ("sales_price", "sales_price * 10 ** 20", "decimal128(38, 18)"),
        ("sales_price", "float(sales_price) / 10 ** 6 / 7", "decimal128(38, 18)"),
        ("sales_price", "units == 1", "decimal128(38, 18)"),
        ("sales_price", "title", "decimal128(38, 18)"),
        ("title", r"'\ud800'", "string"),
        ("adjustment", "units", "bool"),
        ("transaction_date", "transaction_at", "date32[day]"),
        ("transaction_at", "transaction_date", "timestamp[us, tz=UTC]"),
    ],
)
def test_what_a_parquet_column_cannot_hold_is_refused(
    tap: Tap, tmp_path: Path, column: str, expression: str, kind: str
) -> None:
    tap.account.put_report("sales", MONTH, make_csv([sale()]))
    tap.settings = TWO_MONTHS

    run = tap.run(
        batch_config=batch_config(tmp_path.as_uri(), "parquet"),
        stream_maps={"sales": {column: expression}},
    )

    assert run.code == 1
    assert assert_one_sentence(run) == (
        f"A stream map of sales failed (a value does not fit the Parquet column {column} of type "
        f"{kind}); check stream_maps"
    )
    assert list((tmp_path / "run-1").iterdir()) == []


def test_a_catalog_with_types_that_do_not_fit_is_refused(tap: Tap, tmp_path: Path) -> None:
    catalog = catalog_with()
    (entry,) = (e for e in catalog["streams"] if e["tap_stream_id"] == "sales")
    entry["schema"]["properties"]["sales_price"]["type"] = ["integer", "null"]
    path = tap.directory / "edited.json"
    path.write_text(json.dumps(catalog), encoding="utf-8")

    run = tap.run("--catalog", str(path), batch_config=batch_config(tmp_path.as_uri(), "parquet"))

    assert run.code == 1
    assert assert_one_sentence(run) == (
        "The catalog's schema of sales failed (a value does not fit the Parquet column sales_price "
        "of type int64); check the catalog"
    )
