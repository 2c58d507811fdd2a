"""Print how soon a browser shows a dashboard: `python -m benchmarks.dashboard FILE...`.

The files are those of `python -m dashboard`. Medians of five loads, each in a browser context without
cache. Needs Chromium on the PATH.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwright.sync_api import Browser

LOADS = 5
# Milliseconds since navigation began, when the first frame with tiles is about to be painted.
WATCH = """
    new MutationObserver((_, observer) => {
        if (!document.querySelector("#tiles")?.children.length) return;
        observer.disconnect();
        requestAnimationFrame(() => { globalThis.tilesAt = performance.now(); });
    }).observe(document, { childList: true, subtree: true });
"""
TIMES = """() => [
    performance.getEntriesByName("first-contentful-paint")[0].startTime,
    globalThis.tilesAt,
    performance.now(),
]"""


def main(arguments: Sequence[str]) -> None:
    """Print a row for each file."""
    table = Table("file", "MB", "first paint, ms", "tiles, ms", "all charts, ms")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for path in map(Path, arguments):
            loads = zip(*(load(browser, path) for _ in range(LOADS)), strict=True)
            megabytes = f"{path.stat().st_size / 1e6:.2f}"
            table.add_row(path.name, megabytes, *(f"{median(times):.0f}" for times in loads))
        browser.close()
    Console().print(table)


def load(browser: Browser, path: Path) -> tuple[float, float, float]:
    """Return when something, the tiles and all charts are painted, in milliseconds."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.add_init_script(WATCH)
    page = context.new_page()
    page.goto(path.resolve().as_uri())
    page.wait_for_selector("main[aria-busy=false]", timeout=60_000)
    first, tiles, charts = page.evaluate(TIMES)
    context.close()
    return first, tiles, charts


if __name__ == "__main__":
    main(sys.argv[1:])
