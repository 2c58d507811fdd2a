"""The system's Chromium; in CI a test fails without it, elsewhere it is skipped."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

_PATH = shutil.which("chromium") or shutil.which("chromium-browser")
_FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]

in_chromium = pytest.mark.skipif(
    _PATH is None and "CI" not in os.environ, reason="Chromium is not installed"
)


def launch(driver: Playwright) -> Browser:
    """Start the browser."""
    return driver.chromium.launch(executable_path=_PATH, args=_FLAGS)
