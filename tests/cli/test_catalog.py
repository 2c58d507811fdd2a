"""The catalog, and the SDK's own tests of every tap."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from singer_sdk.testing import get_tap_test_class

from sandbox import make_csv
from tap_amazon_appstore.tap import TapAmazonAppstore
from tests.conftest import catalog_with
from tests.data import EARNINGS, MONTH, sale, subscription

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
    account.put_report("sales", MONTH, make_csv([sale(Usage_Time="60")]))
    account.put_report("subscription", MONTH, make_csv([subscription()]))
    account.put_report("earnings", MONTH, make_csv([EARNINGS]))
    CONFIG.update(account.settings)


TestSingerSDK = get_tap_test_class(
    TapAmazonAppstore,
    config=CONFIG,
    catalog=catalog_with(selected=["sales", "subscriptions", "earnings"]),
)


def test_catalog_changes_are_seen_in_review(tap: Tap, snapshot: SnapshotAssertion) -> None:
    """After a wanted change: `uv run pytest --snapshot-update tests/test_catalog.py`."""
    catalog = json.loads(tap.read("--discover").stdout)

    for entry in catalog["streams"]:
        assert entry == snapshot(name=entry["tap_stream_id"])
