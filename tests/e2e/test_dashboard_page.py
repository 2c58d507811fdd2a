"""The dashboard's page in a browser, with the sample data of its unit tests, and its bundle."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import sync_playwright

from dashboard.render import render
from tests.e2e.browser import in_chromium, launch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

HOME = Path(__file__).parents[2] / "dashboard"
SOURCE, STATIC = HOME / "page", HOME / "static"
NODE, NPM = shutil.which("node"), shutil.which("npm")
SAMPLE = (
    "import {{ createSample }} from {module};"
    "process.stdout.write(JSON.stringify(createSample({options})))"
)


# One worker starts the browser, for all of these tests.
pytestmark = pytest.mark.xdist_group("dashboard_page")


# ---- Bundle, lint and unit tests, by the tools of package.json


@pytest.fixture(scope="module")
def tools() -> None:
    """Install the tools of package.json, if that has not been done."""
    if not (SOURCE / "node_modules" / "esbuild").is_dir():
        installed = run_npm("install", "--no-audit", "--no-fund", "--no-package-lock")
        if installed.returncode:
            pytest.fail(f"npm could not install the page's tools: {installed.stderr[-300:]}")


def run_npm(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(NPM), *arguments],
        cwd=SOURCE,
        capture_output=True,
        encoding="utf-8",
        timeout=240,
        check=False,
    )


@pytest.mark.usefixtures("tools")
@pytest.mark.parametrize("script", ["lint", "test"])
def test_page_passes(script: str) -> None:
    done = run_npm("run", script)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


@pytest.mark.usefixtures("tools")
def test_committed_bundle_is_that_of_the_sources(tmp_path: Path) -> None:
    done = run_npm("run", "build", "--", str(tmp_path))
    assert done.returncode == 0, done.stderr
    for name in ("page.js", "page.css"):
        built = (tmp_path / name).read_bytes()
        assert built == (STATIC / name).read_bytes(), f"{name}: run `npm run build` in {SOURCE}"


# ---- The page in a browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as driver:
        browser = launch(driver)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def write_sample(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return a function that writes the page of sample data with some options, once each."""
    directory = tmp_path_factory.mktemp("pages")

    def write(**options: object) -> Path:
        text = json.dumps(options)
        path = directory / f"{abs(hash(text))}.html"
        if not path.exists():
            module = json.dumps((SOURCE / "test" / "sample.js").as_uri())
            program = SAMPLE.format(module=module, options=text)
            done = subprocess.run(
                [str(NODE), "--input-type=module", "--eval", program],
                capture_output=True,
                encoding="utf-8",
                timeout=60,
                check=True,
            )
            page = render(json.loads(done.stdout), datetime(2024, 6, 16, tzinfo=timezone.utc))
            path.write_text(page, encoding="utf-8")
        return path

    return write


Open = Callable[..., "Page"]


@pytest.fixture
def open_page(browser: Browser, write_sample: Callable[..., Path]) -> Iterator[Open]:
    """Return a function that opens the page of sample data; no page may complain."""
    complaints: list[str] = []
    contexts = []

    def open_one(fragment: str = "", sample: dict[str, Any] | None = None, **options: Any) -> Page:  # noqa: ANN401
        settings = {"viewport": {"width": 1280, "height": 900}, "locale": "en-US", **options}
        context = browser.new_context(**settings)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.goto(write_sample(**sample or {}).as_uri() + (fragment and f"#{fragment}"))
        wait(page)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert complaints == []


def wait(page: Page) -> None:
    """Wait until all charts are drawn."""
    page.wait_for_selector("main[aria-busy=false]", timeout=30_000)


PHONE: dict[str, Any] = {"viewport": {"width": 375, "height": 800}, "has_touch": True}
OPEN_ALL = "document.querySelectorAll('details').forEach((one) => { one.open = true })"


@in_chromium
@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        (1280, "light"),
        (375, "dark"),
        pytest.param(1280, "dark", marks=pytest.mark.slow),
        pytest.param(375, "light", marks=pytest.mark.slow),
    ],
)
def test_axe_finds_no_violation(open_page: Open, width: int, scheme: str) -> None:
    viewport = {"width": width, "height": 900}
    page = open_page("period=90d", viewport=viewport, color_scheme=scheme)
    page.evaluate(OPEN_ALL)
    found = Axe().run(page, options={"resultTypes": ["violations"]})
    assert found.violations_count == 0, found.generate_report()


TOO_WIDE = """
    [...document.querySelectorAll("body *")]
        .filter((one) => !one.closest(".unseen, .skip, .scroller table, svg, #tip"))
        .filter((one) => one.getBoundingClientRect().right > innerWidth + 0.5
            || one.matches(".card, .tile, p, dd, dt, .segments") && one.scrollWidth > one.clientWidth + 1)
        .map((one) => `${one.tagName} ${one.className} ${one.textContent.slice(0, 40)}`)
"""
SMALLEST = """
    Math.min(...[...document.querySelectorAll("body *:not(script):not(.unseen)")]
        .filter((one) => one.textContent.trim())
        .map((one) => parseFloat(getComputedStyle(one).fontSize)))
"""


@in_chromium
@pytest.mark.parametrize("width", [375, 320])
def test_phone_shows_everything_at_a_legible_size(open_page: Open, width: int) -> None:
    page = open_page("period=ytd", viewport={"width": width, "height": 800})
    page.evaluate(OPEN_ALL)
    page.wait_for_function("document.querySelector('.more-right')")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate(TOO_WIDE) == []
    assert page.evaluate(SMALLEST) >= 13
    hint = page.locator("#apps-card .scroll-hint")
    assert hint.is_visible()
    page.locator("#apps-card .scroller").evaluate("(one) => { one.scrollLeft = one.scrollWidth }")
    page.wait_for_selector("#apps-card .more-left:not(.more-right)")


@in_chromium
def test_a_tap_shows_values_and_reasons(open_page: Open) -> None:
    page = open_page("period=30d", **PHONE, is_mobile=True)
    chart = page.locator("#revenue-card .chart svg")
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    assert box
    page.touchscreen.tap(box["x"] + box["width"] - 30, box["y"] + 60)
    tip = page.locator("#tip")
    assert "Truck Game" in tip.inner_text()
    assert "Total" in tip.inner_text()
    assert "Provisional" in tip.inner_text()

    page.locator("h1").tap()
    assert tip.is_hidden()
    page.locator("#tile-mrr-churn .unknown").tap()
    assert "needs at least one full month" in tip.inner_text()


@in_chromium
def test_a_view_can_be_reloaded_and_shared(open_page: Open) -> None:
    page = open_page()
    page.select_option("#app", label="Ünïcödé & Söns")
    page.locator("#presets label", has_text="90 days").click()
    page.select_option("#country", label="United States")
    wait(page)
    shown = page.locator("#tiles").inner_text()
    assert "country=US" in page.url

    page.reload()
    wait(page)
    assert page.locator("#tiles").inner_text() == shown
    # Marts do not cross countries and devices: the newest choice holds.
    page.select_option("#device", label="Fire TV")
    assert page.locator("#country").input_value() == ""
    page.click("#reset")
    wait(page)
    assert "#" not in page.url
    assert page.locator("[name=period]:checked").input_value() == "12m"


@in_chromium
def test_tables_are_sorted_copied_and_saved_without_formulas(
    open_page: Open, tmp_path: Path
) -> None:
    page = open_page()
    card = page.locator("#apps-card")
    names = card.locator("tbody th")
    before = names.all_inner_texts()
    assert before[-1] == "(no title)"

    heading = card.get_by_role("button", name="Downloads", exact=True)
    heading.focus()
    page.keyboard.press("Enter")
    assert card.locator("[aria-sort=descending]").inner_text().startswith("Downloads")
    page.keyboard.press("Enter")
    assert card.locator("[aria-sort=ascending]").count() == 1
    assert names.all_inner_texts()[-1] == "(no title)"

    with page.expect_download() as download:
        card.get_by_role("button", name="Download CSV: Apps").click()
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["App"] for row in rows] == [
        "'=HYPERLINK(1)" if name == "=HYPERLINK(1)" else name for name in before
    ]
    net = sum(float(row["Net sales"]) for row in rows)
    value = page.locator("#tile-net-sales data").get_attribute("value")
    assert net == pytest.approx(float(value or "nan"))
    assert "Trend" not in rows[0]


@in_chromium
def test_paper_has_legends_and_colours_and_no_toggles(open_page: Open) -> None:
    page = open_page("period=30d", color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    for hidden in ("#filters", ".tools >> nth=0", "details >> nth=0", ".more >> nth=0"):
        if page.locator(hidden).count():
            assert page.locator(hidden).is_hidden(), hidden
    assert page.locator("#revenue-card .legend").is_visible()
    style = page.locator("#revenue-card .mark-rect path").first.evaluate(
        "(one) => [getComputedStyle(one).printColorAdjust,"
        " getComputedStyle(document.body).backgroundColor]"
    )
    assert style == ["exact", "rgb(255, 255, 255)"]
    heads = page.locator(".table thead").evaluate_all(
        "(all) => all.map((one) => [getComputedStyle(one).display, getComputedStyle(one).breakAfter])"
    )
    assert {tuple(head) for head in heads} == {("table-header-group", "avoid")}
    pdf = page.pdf(prefer_css_page_size=True)
    assert pdf.startswith(b"%PDF")


@in_chromium
def test_the_keyboard_works_everything(open_page: Open) -> None:
    page = open_page()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "figures"
    assert "#" not in page.url  # the fragment is the view's

    page.locator("[name=period]:checked").focus()
    page.keyboard.press("ArrowLeft")
    wait(page)
    assert page.url.endswith("#period=ytd")
    page.locator("#revenue-card summary").focus()
    page.keyboard.press("Enter")
    assert page.locator("#revenue-card table").is_visible()

    page.keyboard.press("Escape")
    page.locator("#selects select").first.focus()
    reached = set()
    for _ in range(80):
        page.keyboard.press("Tab")
        focus = page.evaluate(
            "(() => { const one = document.activeElement; const box = one.getBoundingClientRect();"
            " const style = getComputedStyle(one.matches('.segments input') ? one.nextSibling : one);"
            " return [one.tagName, box.top >= 0 && box.bottom <= innerHeight + 1,"
            " style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2]; })()"
        )
        if focus[0] == "BODY":
            break
        assert focus[1:] == [True, True], focus
        reached.add(focus[0])
    assert {"SELECT", "BUTTON", "SUMMARY", "INPUT"} <= reached


@in_chromium
def test_days_and_weeks_are_offered_where_the_data_have_them(open_page: Open) -> None:
    page = open_page("period=all&grain=day")
    assert page.locator("[name=grain]:checked").input_value() == "month"
    assert page.locator("[name=grain][value=day]").is_disabled()
    page.locator("#presets label", has_text="30 days").click()
    page.locator("#grains label", has_text="Week").click()
    wait(page)
    first = page.locator("#revenue-card tbody th").first.text_content()
    assert first
    assert first.startswith("May 16")
    assert first.endswith("19, 2024")


@in_chromium
@pytest.mark.parametrize(
    "sample",
    [
        {"apps": ["Free Flashlight"], "isFree": True, "hasSubscriptions": False},
        {"hasSubscriptions": False, "hasEarnings": False},
        {"apps": ["New"], "first": "2024-06-14"},
    ],
)
def test_every_account_has_true_sentences(open_page: Open, sample: dict[str, Any]) -> None:
    page = open_page(sample=sample)
    text = page.locator("body").inner_text()
    for wrong in ("NaN", "Infinity", "undefined", "null", "Other apps leads"):
        assert wrong not in text
    if sample.get("isFree"):
        assert "Nothing in these reports was sold for money" in text
        assert "$" not in text
        assert page.locator("#app, #tile-net-sales").count() == 0
