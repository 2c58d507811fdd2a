"""The command starts light."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from sandbox import make_csv
from tests.data import MONTH, sales

if TYPE_CHECKING:
    from tests.conftest import Tap


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
