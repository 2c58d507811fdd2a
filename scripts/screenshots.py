"""Run the demo and write the pictures of the README: `uv run python -m scripts.screenshots`.

Needs the dependency group `test`, Chromium on the PATH, and fonts for the titles of all apps
(Debian: `fonts-droid-fallback`, `fonts-deva-extra`, `fonts-noto-color-emoji`).
"""

from __future__ import annotations

import base64
import io
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PROJECT = Path(__file__).parent.parent
DASHBOARD = PROJECT / "output" / "amazon_appstore.html"
IMAGES = PROJECT / "docs" / "img"
LARGEST = 150_000
"""Bytes of a picture."""
COMMAND = "uv run --only-group demo python -m sandbox.demo"
COLUMNS = 110
"""Width of the demo's output."""


@dataclass(frozen=True)
class Picture:
    """A part of the page, from its top or from an element on."""

    name: str
    width: int
    height: int
    scheme: str = "light"
    top: str = "body"
    scale: float = 1


PICTURES = (
    Picture("dashboard-light", 1280, 1460),
    Picture("dashboard-dark", 1280, 1280, "dark", top="#subscriptions"),
    Picture("dashboard-phone", 375, 800, scale=2),
)


def main() -> None:
    """Write all pictures."""
    IMAGES.mkdir(exist_ok=True)
    (IMAGES / "demo.svg").write_text(draw_demo(), encoding="utf-8")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for picture in PICTURES:
            image = take(browser, DASHBOARD, picture)
            (IMAGES / f"{picture.name}.webp").write_bytes(image)
            sys.stderr.write(f"{picture.name}: {len(image) / 1000:.0f} kB\n")
        browser.close()


def draw_demo() -> str:
    """Run the demo and return its output as an SVG image."""
    environment = {**os.environ, "COLUMNS": f"{COLUMNS}", "FORCE_COLOR": "1"}
    output = subprocess.run(
        [sys.executable, "-m", "sandbox.demo"],
        cwd=PROJECT,
        env=environment,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=True,
    ).stdout
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(Text.from_ansi(output.replace(f"{PROJECT.as_uri()}/", "")))
    svg = console.export_svg(title=COMMAND)
    # Browsers do not load fonts that an image links.
    return re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)


def take(browser: Browser, path: Path, picture: Picture) -> bytes:
    """Return a picture as WebP, of the best quality that is small enough."""
    page = browser.new_page(
        viewport={"width": picture.width, "height": picture.height},
        color_scheme="dark" if picture.scheme == "dark" else "light",
        device_scale_factor=picture.scale,
        locale="en-US",
    )
    page.goto(path.resolve().as_uri())
    page.wait_for_selector("main[aria-busy=false]")
    page.locator(picture.top).first.evaluate("(one) => one.scrollIntoView()")
    session = page.context.new_cdp_session(page)
    for quality in range(90, 0, -10):
        shot = session.send("Page.captureScreenshot", {"format": "webp", "quality": quality})
        if len(image := base64.b64decode(shot["data"])) <= LARGEST:
            break
    page.close()
    return image


if __name__ == "__main__":
    main()
