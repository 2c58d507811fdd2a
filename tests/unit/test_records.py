"""The short way of records is the SDK's way, byte for byte."""

from __future__ import annotations

import io
import re
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk import Stream

from sandbox import make_csv
from tap_amazon_appstore.output.messages import MessageWriter
from tap_amazon_appstore.output.records import FastRecordsStream
from tap_amazon_appstore.tap import TapAmazonAppstore
from tests.conftest import catalog_with
from tests.data import MONTH, sale, sales, subscription

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox import Account

SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "flattened": {"flattening_enabled": True, "flattening_max_depth": 2},
    "mapped": {
        "stream_maps": {
            "sales": {"app_user_id": "__NULL__", "__filter__": "transaction_id != '2'"},
            "copy": {"__source__": "sales", "title": "md5(asin)"},
            "subscriptions": {"__alias__": "renamed"},
        }
    },
    "removed": {"stream_maps": {"sales": "__NULL__"}},
}
CATALOGS = {
    "all columns": catalog_with(),
    "some columns": catalog_with(
        deselected={"sales": ["app_user_id", "title", "_rescued_data"], "subscriptions": ["asin"]}
    ),
    "fewer columns": catalog_with(),
}
for entry in CATALOGS["fewer columns"]["streams"]:
    entry["schema"]["properties"].pop("vendor_sku", None)


@pytest.fixture
def account(account: Account) -> Account:
    """An account with rows of every kind: typed, empty, odd, in other scripts."""
    rows = [
        *sales(3),
        sale(Title='क्रिकेट "लीग" 🏏, \n\\', Units="many", Sales_Price="-0.10", Adjustment="Yes"),
        sale(Transaction_Time="", Usage_Time="12.50", Estimated_Earnings="12345678901234567.89"),
    ]
    account.put_report("sales", MONTH, make_csv([{**row, "New": "x"} for row in rows]))
    account.put_report("subscription", MONTH, make_csv([subscription(), subscription(Active="")]))
    return account


def output(account: Account, catalog: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    """Return what the tap writes, with the times of extraction made equal."""
    month = MONTH.isoformat()
    config = {**account.settings, "start_date": month, "end_date": month, **settings}
    buffer = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="")
    with redirect_stdout(buffer):
        TapAmazonAppstore(config=config, catalog=dict(catalog)).sync_all()
    buffer.seek(0)
    return re.sub(r'"time_extracted":"[0-9T:.Z-]+"', '"time_extracted":"now"', buffer.read())


@pytest.mark.parametrize("catalog", CATALOGS.values(), ids=CATALOGS)
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_both_ways_write_the_same_bytes(
    account: Account,
    catalog: Mapping[str, Any],
    settings: Mapping[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    short = output(account, catalog, settings)

    monkeypatch.setattr(FastRecordsStream, "_passes_records_through", lambda _: False)
    assert short == output(account, catalog, settings)


def test_plain_records_take_the_short_way(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    write_records = MessageWriter.write_records

    def note(self: MessageWriter, stream: str, records: Any) -> int:  # noqa: ANN401
        written.append(stream)
        return write_records(self, stream, records)

    monkeypatch.setattr(MessageWriter, "write_records", note)

    output(account, CATALOGS["some columns"], {})

    assert written == ["sales", "subscriptions"]


@pytest.mark.parametrize(
    "member",
    [
        "_sync_records",
        "_write_record_message",
        "stream_maps",
        "mask",
        "effective_schema",
        "_finalize_state",
        "_write_state_message",
        "get_record_counter",
        "get_sync_timer",
        "ABORT_AT_RECORD_COUNT",
        "child_streams",
        "_stream_version",
        # What `streams.py` and `batches.py` lean on beside these.
        "_increment_stream_state",
        "_write_starting_replication_value",
        "_sync_batches",
        "state_manager",
    ],
)
def test_the_sdk_still_has_what_streams_lean_on(member: str) -> None:
    tap = TapAmazonAppstore(config={}, validate_config=False)
    for stream in tap.streams.values():
        # Not what the stream's own classes have: that would be there anyway.
        assert member in {*dir(Stream), *vars(stream)}
