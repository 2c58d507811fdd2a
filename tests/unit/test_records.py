"""Records are those of the SDK's own way, byte for byte."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk import Stream
from singer_sdk.exceptions import ConfigurationError

from tap_amazon_appstore.streams import ReportStream
from tap_amazon_appstore.tap import TapAmazonAppstore
from tests.conftest import catalog_with
from tests.data import sale, sales, subscription
from tests.unit.runs import Finished, MemoryClient, run

if TYPE_CHECKING:
    from collections.abc import Mapping

SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "decimals as text": {"use_singer_decimal": True},
    "flattened": {"flattening_enabled": True, "flattening_max_depth": 2},
    "mapped": {
        "stream_maps": {
            "sales": {"app_user_id": "__NULL__", "__filter__": "transaction_id != '2'"},
            "copy": {"__source__": "sales", "title": "md5(asin)"},
            "subscriptions": {"__alias__": "renamed"},
        }
    },
    "mapped decimals as text": {
        "use_singer_decimal": True,
        "stream_maps": {"sales": {"price": "sales_price"}},
    },
    "removed": {"stream_maps": {"sales": "__NULL__"}},
}
SELECTIONS: dict[str, Mapping[str, Any]] = {
    "all columns": {},
    "some columns": {"sales": ["app_user_id", "title", "_rescued_data"], "subscriptions": ["asin"]},
}


@pytest.fixture
def client() -> MemoryClient:
    """Reports with rows of every kind: typed, empty, odd, in other scripts."""
    rows = [
        *sales(3),
        sale(Title='क्रिकेट "लीग" 🏏, \n\\', Units="many", Sales_Price="-0.10", Adjustment="Yes"),
        sale(Transaction_Time="", Usage_Time="12.50", Estimated_Earnings="12345678901234567.89"),
    ]
    client = MemoryClient()
    client.put("sales", "2024-03", [{**row, "New": "x"} for row in rows])
    client.put("subscription", "2024-03", [subscription(), subscription(Active="")])
    return client


def without_times(finished: Finished) -> str:
    return re.sub(r'"time_extracted":"[0-9T:.Z-]+"', "", finished.output.decode())


@pytest.mark.parametrize("deselected", SELECTIONS.values(), ids=SELECTIONS)
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_the_sdk_writes_the_same_bytes(
    client: MemoryClient,
    deselected: Mapping[str, Any],
    settings: Mapping[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def read(client: MemoryClient) -> str:
        decimals = {"use_singer_decimal": settings.get("use_singer_decimal", False)}
        catalog = catalog_with(deselected=deselected, **decimals)
        return without_times(run(client, catalog=catalog, **settings))

    ours = read(client)
    monkeypatch.setattr(ReportStream, "_sync_records", Stream._sync_records)
    assert ours == read(client)


@pytest.mark.parametrize(
    "member",
    [
        "_sync_records",
        "_sync_batches",
        "_increment_stream_state",
        "_write_starting_replication_value",
        "finalize_state_progress_markers",
        "mask",
    ],
)
def test_the_sdk_has_the_members_that_streams_use_or_override(member: str) -> None:
    tap = TapAmazonAppstore(config={}, validate_config=False)
    for stream in tap.streams.values():
        # Not what the stream's own class has: that would exist anyway.
        assert member in {*dir(Stream), *vars(stream)}


def test_a_catalog_of_other_decimals_is_rejected(client: MemoryClient) -> None:
    with pytest.raises(
        Exception, match="Generate the catalog again \\(--discover; with Meltano --refresh-catalog"
    ):
        run(client, use_singer_decimal=True)


def test_a_catalog_may_have_formats_of_its_own(client: MemoryClient) -> None:
    catalog = catalog_with(selected=["sales"])
    properties = next(s for s in catalog["streams"] if s["tap_stream_id"] == "sales")["schema"]
    properties["properties"]["title"]["format"] = "hostname"
    del properties["properties"]["transaction_at"]["format"]

    assert run(client, catalog=catalog).records() == run(client).records()


@pytest.mark.parametrize("maps", [{}, {"stream_maps": {"other": {"title": None}}}])
def test_a_catalog_can_have_a_stream_that_the_tap_lacks(
    client: MemoryClient, maps: dict[str, Any]
) -> None:
    catalog = catalog_with(selected=["sales"])
    other = copy.deepcopy(catalog["streams"][0])
    other["tap_stream_id"] = other["stream"] = "other"
    catalog["streams"].append(other)

    assert run(client, catalog=catalog, **maps).records() == run(client).records()


@pytest.mark.parametrize("method", ["incremental", "LOG_BASED"])
def test_an_unknown_replication_method_is_named(client: MemoryClient, method: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        run(client, method=method)
    assert str(error.value) == (
        f"sales: the catalog's replication method {method!r} is unknown. Use INCREMENTAL or "
        "FULL_TABLE."
    )


@pytest.mark.parametrize(
    "metadata", [{"inclusion": "unsupported"}, {"inclusion": "available", "selected": False}]
)
def test_a_catalog_without_its_key_selected_is_refused(
    client: MemoryClient, metadata: dict[str, Any]
) -> None:
    catalog = catalog_with(selected=["sales"])
    sales = next(s for s in catalog["streams"] if s["tap_stream_id"] == "sales")
    item = next(m for m in sales["metadata"] if m["breadcrumb"] == ["properties", "line_id"])
    item["metadata"] = metadata

    with pytest.raises(ConfigurationError, match="sales: the catalog deselects line_id"):
        run(client, catalog=catalog)


@pytest.mark.parametrize(
    "maps",
    [
        {"subscriptions": {"app_title": "__NULL__"}},
        {"earnings": {"vendor_id": None}},
        {"s*": {"__filter__": "True"}},
        {"copy": {"__source__": "earnings"}},
        {"earnings": {"__alias__": "payments"}},
        {"subscriptions": "__NULL__"},
    ],
)
def test_stream_maps_of_streams_that_are_not_selected_keep_nothing_from_being_read(
    client: MemoryClient, maps: dict[str, Any]
) -> None:
    finished = run(client, selected=["sales"], stream_maps=maps)

    assert finished.failures == []
    assert len(finished.records()) == len(run(client).records())


def test_decimals_as_text_have_all_digits_and_no_exponent() -> None:
    client = MemoryClient()
    amounts = [
        "0.000000000000000001",
        "-.5",
        "+7",
        "12345678901234567890.123456789012345678",
        "1e3",
    ]
    client.put("sales", "2024-03", [sale(Sales_Price=amount) for amount in amounts])
    finished = run(client, catalog=catalog_with(use_singer_decimal=True), use_singer_decimal=True)
    assert [record["sales_price"] for record in finished.records()] == [
        "0.000000000000000001",
        "-0.5",
        "7",
        "12345678901234567890.123456789012345678",
        None,
    ]
    schema = finished.messages[0]["schema"]["properties"]["sales_price"]
    assert (schema["type"], schema["format"]) == (["string", "null"], "x-singer.decimal")
    assert (schema["precision"], schema["scale"]) == (38, 18)
