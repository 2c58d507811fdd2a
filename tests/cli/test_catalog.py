"""The catalog, and the SDK's own tests of every tap."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from singer_sdk.testing import get_tap_test_class

from sandbox import make_csv
from tap_amazon_appstore.tap import TapAmazonAppstore
from tests.conftest import catalog_with
from tests.data import MONTH, ROWS, sale
from tests.reading import STREAM_NAMES

if TYPE_CHECKING:
    from syrupy.assertion import SnapshotAssertion

    from sandbox import Sandbox
    from tests.conftest import Tap

# The SDK wants the settings when tests are collected; the sandbox's take their place later.
CONFIG = {
    "client_id": "to come",
    "client_secret": "to come",
    "start_date": MONTH.isoformat(),
    "end_date": MONTH.isoformat(),
}


@pytest.fixture(scope="module", autouse=True)
def _linked_account(sandbox: Sandbox) -> None:
    account = sandbox.add_account()
    for report, row in (ROWS | {"sales": sale(Usage_Time="60")}).items():
        account.put_report(report, MONTH, make_csv([row]))
    CONFIG.update(account.settings)


TestSingerSDK = get_tap_test_class(
    TapAmazonAppstore,
    config=CONFIG,
    catalog=catalog_with(selected=STREAM_NAMES),
)


def test_catalog_changes_are_seen_in_review(tap: Tap, snapshot: SnapshotAssertion) -> None:
    """After a wanted change: `uv run pytest --snapshot-update tests/cli/test_catalog.py`."""
    catalog = json.loads(tap.read("--discover").stdout)

    for entry in catalog["streams"]:
        assert entry == snapshot(name=entry["tap_stream_id"])
