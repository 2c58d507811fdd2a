"""Stream maps and batch files: what a map makes is in the file, or the run fails."""

from __future__ import annotations

import itertools
import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pyarrow.parquet as pq
import pytest

from tests.conftest import catalog_with
from tests.data import MONTH, sale
from tests.unit.runs import Finished, MemoryClient, run

if TYPE_CHECKING:
    from collections.abc import Sequence

FORMATS = [None, "jsonl", "parquet"]


def as_json(value: object) -> object:
    """Return a value of Parquet as a record has it."""
    return value.isoformat() if isinstance(value, date) else value


@pytest.fixture
def client() -> MemoryClient:
    """One sale."""
    client = MemoryClient()
    client.put("sales", "2024-03", [sale()])
    return client


def options(root: Path, format_: str | None, **maps: str) -> dict[str, Any]:
    settings: dict[str, Any] = {"stream_maps": {"sales": maps}} if maps else {}
    if format_:
        storage = {"root": root.as_uri()}
        settings["batch_config"] = {"encoding": {"format": format_}, "storage": storage}
    return settings


def files(finished: Finished) -> list[Path]:
    urls = [m["manifest"][0] for m in finished.messages if m["type"] == "BATCH"]
    return [Path(urlsplit(url).path) for url in urls]


def rows(finished: Finished) -> list[dict[str, Any]]:
    return list(
        itertools.chain.from_iterable(pq.read_table(file).to_pylist() for file in files(finished))
    )


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
    client: MemoryClient, tmp_path: Path, expression: str, value: object
) -> None:
    (row,) = rows(run(client, **options(tmp_path, "parquet", made=expression)))
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
def test_a_value_that_does_not_fit_its_parquet_column_fails_the_stream(
    client: MemoryClient, tmp_path: Path, column: str, expression: str, kind: str
) -> None:
    finished = run(client, **options(tmp_path, "parquet", **{column: expression}))
    assert finished.failures == [
        (
            f"sales: a stream map failed (a value does not fit the Parquet column {column} ({kind})). "
            "Check stream_maps."
        )
    ]
    assert list(tmp_path.iterdir()) == []


def test_an_edited_catalog_with_types_that_do_not_fit_fails_the_stream(
    client: MemoryClient, tmp_path: Path
) -> None:
    catalog = catalog_with(selected=["sales"])
    (entry,) = (e for e in catalog["streams"] if e["tap_stream_id"] == "sales")
    entry["schema"]["properties"]["sales_price"]["type"] = ["integer", "null"]
    finished = run(client, catalog=catalog, **options(tmp_path, "parquet"))
    assert finished.failures == [
        (
            "sales: the catalog's schema does not fit the data (a value does not fit the Parquet column "
            "sales_price (int64)). Check the catalog."
        )
    ]


@pytest.mark.parametrize(
    ("maps", "reason"),
    [
        ({"title": "int(title)"}, "ValueError"),
        ({"title": "sales_price * 0.5"}, "TypeError"),
        (
            {"title": "units + units_ago"},
            "Failed to evaluate simpleeval expressions units + units_ago",
        ),
        ({"__filter__": "int(title)"}, "ValueError"),
    ],
)
@pytest.mark.parametrize("format_", FORMATS)
def test_a_stream_map_that_fails_is_named_and_quotes_no_value(
    client: MemoryClient, tmp_path: Path, format_: str | None, maps: dict[str, str], reason: str
) -> None:
    finished = run(client, **options(tmp_path, format_, **maps))
    assert finished.failures == [f"sales: a stream map failed ({reason}). Check stream_maps."]
    assert not finished.records()


@pytest.mark.parametrize("format_", [None, "jsonl"])
def test_a_result_that_cannot_be_encoded_fails_the_stream(
    client: MemoryClient, tmp_path: Path, format_: str | None
) -> None:
    finished = run(client, **options(tmp_path, format_, title=r"'\ud800'"))
    assert finished.failures == [
        "sales: a stream map failed (UnicodeEncodeError). Check stream_maps."
    ]


def test_a_catalog_with_other_columns_in_another_order_changes_no_value(
    client: MemoryClient, tmp_path: Path
) -> None:
    catalog = catalog_with(selected=["sales"])
    schema = next(e["schema"] for e in catalog["streams"] if e["tap_stream_id"] == "sales")
    names = [name for name in schema["properties"] if name != "title"]
    schema["properties"] = {
        "added": {"type": ["string", "null"]},
        **{name: schema["properties"][name] for name in reversed(names)},
    }
    (expected,) = run(client).records()
    del expected["title"]

    assert run(client, catalog=catalog).records() == [expected]
    finished = run(client, catalog=catalog, **options(tmp_path, "jsonl"))
    (file,) = files(finished)
    assert json.loads(file.read_text(encoding="utf-8"), parse_float=str) == expected
    (row,) = rows(run(client, catalog=catalog, **options(tmp_path, "parquet")))
    assert {name: as_json(value) for name, value in row.items()} == {
        **expected,
        "sales_price": Decimal(expected["sales_price"]),
        "estimated_earnings": Decimal(expected["estimated_earnings"]),
        "added": None,
    }


def test_a_stream_as_it_is_and_its_copy_have_the_same_decimals(
    client: MemoryClient, tmp_path: Path
) -> None:
    settings = options(tmp_path, "parquet")
    settings["stream_maps"] = {"copy": {"__source__": "sales"}}
    catalog = catalog_with(selected=["sales"], use_singer_decimal=True)

    first, second = rows(run(client, catalog=catalog, use_singer_decimal=True, **settings))

    assert first["sales_price"] == second["sales_price"] == Decimal("4.99")


@pytest.mark.parametrize("format_", ["jsonl", "parquet"])
def test_a_relative_root_is_one_in_the_working_directory(
    client: MemoryClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format_: str
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = options(tmp_path, format_)
    settings["batch_config"]["storage"]["root"] = "out/batches"

    (file,) = files(run(client, **settings))

    assert file.parent == tmp_path.resolve() / "out" / "batches"
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("deselected", [[], ["title", "_rescued_data"]])
def test_decimals_of_parquet_are_typed_whatever_records_have(
    client: MemoryClient, tmp_path: Path, deselected: Sequence[str]
) -> None:
    catalog = catalog_with(
        selected=["sales"], deselected={"sales": deselected}, use_singer_decimal=True
    )
    settings = options(tmp_path, "parquet")
    (row,) = rows(run(client, catalog=catalog, use_singer_decimal=True, **settings))
    assert row["sales_price"] == Decimal("4.99")
    assert not {*deselected} & {*row}
