"""Downloads are on disk for a while, and leave nothing there."""

from __future__ import annotations

import os
import secrets
import time
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from sandbox import make_csv
from tap_amazon_appstore.months import add_months
from tests.cli.test_signals import hanging, started
from tests.conftest import Tap, execute_without_room
from tests.data import MONTH, NEXT_MONTH, publish, sale

if TYPE_CHECKING:
    from pathlib import Path


# Runs follow each other at once.
pytestmark = pytest.mark.unlimited

JANUARY = date(2024, 1, 1)
MONTHS = [add_months(JANUARY, number) for number in range(4)]
JANUARY_TO_APRIL: dict[str, Any] = {"start_date": "2024-01-01", "end_date": "2024-04-01"}

posix_only = pytest.mark.skipif(os.name == "nt", reason="signals and limits are POSIX's")


class TestDisk:
    """Downloads lie on disk for a while, and leave nothing there."""

    @pytest.fixture
    def temporary(self, tmp_path: Path) -> Path:
        path = tmp_path / "temporary"
        path.mkdir()
        return path

    def test_nothing_stays_behind(self, tap: Tap, temporary: Path) -> None:
        publish(tap.account, *MONTHS)
        tap.account.inject_fault("bucket-bad-crc", 1, "sales", JANUARY)
        tap.account.inject_fault("api-redirect", None, "sales", NEXT_MONTH)

        tap.run(env={"TMPDIR": str(temporary)}, **JANUARY_TO_APRIL)

        assert len([r for r in tap.account.requests if r.service == "bucket"]) >= 3
        assert list(temporary.iterdir()) == []

    def test_nothing_stays_behind_when_killed(self, tap: Tap, temporary: Path) -> None:
        publish(tap.account, MONTH, rows=300)
        env = {"TMPDIR": str(temporary)}
        with hanging(tap.account, "bucket") as reached, started(tap, env=env) as process:
            assert reached.wait(20)
            time.sleep(0.2)
            process.kill()
            process.communicate()

        assert list(temporary.iterdir()) == []

    @posix_only
    @pytest.mark.parametrize("rows", [100, 2000], ids=["at its end", "within it"])
    def test_a_full_disk(self, tap: Tap, rows: int) -> None:
        publish(tap.account, JANUARY)
        # Random text does not get shorter in a ZIP.
        items = (
            sale(Transaction_Id=str(number), Receipt_ID=secrets.token_hex(16))
            for number in range(rows)
        )
        tap.account.put_report("sales", add_months(JANUARY, 1), make_csv(items))
        command = tap.command(start_date="2024-01-01", end_date="2024-02-01")

        run = execute_without_room(*command, blocks=4)

        assert run.code == 1, run.stderr
        assert "sales 2024-02: the download could not be written to disk" in run.log("ERROR")[0]
        assert "Free space" in run.log("ERROR")[0]
        assert "Traceback" not in run.stderr
        assert len(run.records()) == 3
        assert run.bookmark() == "2024-01-01"
