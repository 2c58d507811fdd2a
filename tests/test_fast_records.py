"""The short way of records is the SDK's way, byte for byte, and the command starts light."""

from __future__ import annotations

import io
import os
import re
import struct
import subprocess
import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk import Stream

from sandbox import make_csv
from tap_amazon_appstore.fast_records import FastRecordsStream
from tap_amazon_appstore.messages import MessageWriter
from tap_amazon_appstore.tap import TapAmazonAppstore
from tests.conftest import catalog_with
from tests.data import MONTH, sale, sales, subscription

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox import Account
    from tests.conftest import Tap

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


def test_the_command_leaves_alone_what_it_does_not_need(tap: Tap) -> None:
    tap.account.put_report("sales", MONTH, make_csv(sales(1)))
    program = (
        "import sys, contextlib\n"
        "from tap_amazon_appstore.__main__ import TapAmazonAppstore\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(sys.stderr):\n"
        f"    TapAmazonAppstore.cli({tap.command()[1:]!r})\n"
        "print(*sys.modules)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=True
    )

    assert "1 rows" in done.stderr
    assert not {
        "fsspec",
        "joblib.parallel",
        "jsonpath_ng.parser",
        "packaging.tags",
        "tqdm",
        "upath.core",
    } & set(done.stdout.split())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
def test_a_terminal_sees_a_bar_and_a_pipe_does_not(tap: Tap) -> None:
    import fcntl  # noqa: PLC0415
    import pty  # noqa: PLC0415
    import termios  # noqa: PLC0415

    tap.account.put_report("sales", MONTH, make_csv(sales(3)))
    terminal, stderr = pty.openpty()
    fcntl.ioctl(stderr, termios.TIOCSWINSZ, struct.pack("4H", 24, 120, 0, 0))
    subprocess.run(tap.command(), stdout=subprocess.DEVNULL, stderr=stderr, check=True)
    os.close(stderr)
    seen = b""
    while chunk := _read(terminal):
        seen += chunk

    assert b"1/1" in seen
    assert b"3 rows" in seen
    assert b"rows/s" in seen
    assert "rows/s" not in tap.read().stderr


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so when the other side is closed.
        return b""
