"""The page: its figures are the marts', for every reader, whatever stands in a title."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import sync_playwright
from ruamel.yaml import YAML

from report.figures import read_figures
from report.marts import QUERIES, Query
from report.page import render
from report.warehouse import _DUCKDB_FILE, _POSTGRES_DEFAULTS, _SCHEMA, connect

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from playwright.sync_api import Browser, Page

    from report.figures import Figures

PROJECT = Path(__file__).parents[2]
DESCRIPTION = PROJECT / "transform" / "models" / "marts" / "_marts.yml"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)

in_chromium = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")

# One worker starts the server and the browser, for all of these tests.
pytestmark = pytest.mark.xdist_group("report")

Rows = list[dict[str, Any]]
Read = Callable[..., "Reader"]

HOSTILE = "</script><img src=x onerror=alert(1)>"
APPS = (HOSTILE, "Truck Game", "Ünïcödé & Söns", "App 4", "App 5", "App 6", "App 7", "App 8")
SUBSCRIBED = APPS[:3]
COUNTRIES = {"US": "USD", "CA": "USD", "XX": "USD", None: "USD", "DE": "EUR", "JP": "JPY"}
DEVICES = ("Fire TV", "Fire tablet", "Android phone", "Others", None)
FIRST_DAY, FIRST_SUBSCRIPTION = date(2023, 1, 1), date(2023, 3, 10)
LAST_DAY = date(2024, 6, 14)
LAST_MONTH = LAST_DAY.replace(day=1)

# ---- Marts: columns as the dbt package describes them, rows made up

COLUMNS = {
    model["name"].removeprefix("amazon_appstore__"): {
        column["name"]: column["data_type"] for column in model["columns"]
    }
    for model in YAML(typ="safe").load(DESCRIPTION)["models"]
}
SALES_MARTS = ("overview_report", "country_report", "device_report", "product_report")
MEASURES = [
    name for name, kind in COLUMNS["overview_report"].items() if kind in {"bigint", "numeric"}
]


@dataclass(frozen=True)
class Marts:
    """A schema with the marts, empty at first."""

    connection: psycopg.Connection[Any]
    schema: str

    def __post_init__(self) -> None:
        """Create the marts, and a table `sales` that has the columns of all sales marts."""
        self.connection.execute(f"create schema {self.schema}")
        sales = {name: kind for mart in SALES_MARTS for name, kind in COLUMNS[mart].items()}
        for mart, columns in {**COLUMNS, "sales": sales}.items():
            described = ", ".join(f"{name} {kind}" for name, kind in columns.items())
            self.connection.execute(f"create table {self.table(mart)} ({described})")

    def table(self, mart: str) -> str:
        return f"{self.schema}.amazon_appstore__{mart}"

    def add_sales(self, rows: Rows) -> None:
        """Fill the sales marts; measures that a row does not tell are 0."""
        self.add("sales", [dict.fromkeys(MEASURES, 0) | row for row in rows])
        for mart in SALES_MARTS:
            key = [name for name in COLUMNS[mart] if name not in {*MEASURES, "item_name"}]
            names = ["item_name"] if "item_name" in COLUMNS[mart] else []
            sums = [f"max({name})" for name in names] + [f"sum({name})" for name in MEASURES]
            self.connection.execute(
                f"insert into {self.table(mart)} ({', '.join([*key, *names, *MEASURES])}) "
                f"select {', '.join([*key, *sums])} from {self.table('sales')} "
                f"group by {', '.join(key)}"
            )

    def add(self, mart: str, rows: Rows) -> None:
        columns = sorted({name for row in rows for name in row} | {"date_month"})
        statement = f"copy {self.table(mart)} ({', '.join(columns)}) from stdin"
        with self.connection.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                full = {"date_month": row["date_day"].replace(day=1), **row}
                copy.write_row([full.get(name) for name in columns])


def days_from(first: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((LAST_DAY - first).days + 1)]


def sales_rows() -> Rows:
    """Sales of eight apps, of which half are free, in three currencies."""
    chance = random.Random(1)  # noqa: S311
    return [
        _sale(chance, day, place)
        for day in days_from(FIRST_DAY)
        for place in range(len(APPS))
        for _ in range(chance.randint(0, 7 - place // 2))
    ]


def _sale(chance: random.Random, day: date, place: int) -> dict[str, Any]:
    app = APPS[place]
    country = chance.choices(list(COUNTRIES), (9, 3, 1, 1, 4, 3))[0]
    # The first app has more products than the page names.
    number = chance.randint(1, 70 if place == 0 else 30)
    kind, measure = (
        ("Application", "downloads")
        if number <= 12
        else ("Subscription", "subscription_units")
        if number <= 15
        else ("In-App", "in_app_units")
    )
    units = chance.randint(1, 4)
    price = Decimal("0.99") + number if kind != "Application" or place % 2 else Decimal(0)
    refunded = price * units if chance.random() < 0.03 else Decimal(0)
    net = price * units - refunded
    return {
        "date_day": day,
        "app_name": app,
        "country_short": country,
        "device": chance.choice(DEVICES),
        "asin": f"B{place}{number * (number > 12):03}",
        "vendor_sku": f"com.example.{place}.{number}" if number > 12 else None,
        "item_type": kind,
        "item_name": f"Gems <b>{number}</b> & more" if number > 12 else app,
        "currency": COUNTRIES[country],
        measure: units,
        "gross_sales": price * units,
        "refunded_sales": refunded,
        "net_sales": net,
        "estimated_earnings": (net * Decimal("0.7")).quantize(Decimal("0.001")),
        "report_lines": 1,
    }


def subscription_rows() -> Rows:
    chance = random.Random(2)  # noqa: S311
    rows: Rows = []
    for place, app in enumerate(SUBSCRIBED):
        active = {"trial": 5, "paid": 600 // (place + 1)}
        for day in days_from(FIRST_SUBSCRIPTION):
            counts = {"trial_conversions": chance.randint(0, 1)}
            for kind in ("trial", "paid"):
                started, ended = chance.randint(0, 4), min(active[kind], chance.randint(0, 4))
                active[kind] += started - ended
                counts |= {
                    f"{kind}_active": active[kind],
                    f"{kind}_started": started,
                    f"{kind}_ended": ended,
                    f"{kind}_refunded": ended // 3,
                }
            for name in ("active", "started", "ended", "refunded"):
                counts[name] = counts[f"trial_{name}"] + counts[f"paid_{name}"]
            rows.append({"date_day": day, "app_name": app, "vendor_sku": "monthly", **counts})
    # Conversions come from the sales report, which can be ahead of the subscription report.
    ahead = {"date_day": LAST_DAY + timedelta(1), "app_name": APPS[0], "trial_conversions": 2}
    return [*rows, ahead]


def mrr_rows() -> Rows:
    chance = random.Random(3)  # noqa: S311
    rows: Rows = []
    for place, app in enumerate(SUBSCRIBED):
        for currency in ("USD", "EUR"):
            mrr = Decimal(0)
            for day in days_from(FIRST_SUBSCRIPTION):
                gains = {
                    f"{name}_mrr": chance.randint(0, 4 - place) * Decimal("3.333333")
                    for name in ("new", "expansion", "reactivated")
                }
                losses = {
                    f"{name}_mrr": chance.randint(0, 1) * (mrr / 20).quantize(Decimal("0.000001"))
                    for name in ("contraction", "churned")
                }
                mrr += sum(gains.values()) - sum(losses.values())
                known = {"date_day": day, "app_name": app, "currency": currency, "mrr": mrr}
                rows.append({**known, "subscribers": int(mrr / 3), **gains, **losses})
    return rows


def free_rows() -> Rows:
    """Downloads of the one app of an account, in three months, charged in two currencies."""
    return [
        {
            "date_day": date(2024, 1 + number % 3, 5 + number),
            "app_name": "Free Flashlight",
            "country_short": "US" if number % 2 else "DE",
            "device": "Fire tablet",
            "asin": "B0FREE",
            "item_type": "Application",
            "item_name": "Free Flashlight",
            "currency": "USD" if number % 2 else "EUR",
            "downloads": number + 1,
            "report_lines": 1,
        }
        for number in range(12)
    ]


# ---- The warehouse and its pages


@dataclass(frozen=True)
class Warehouse:
    """A PostgreSQL server with the marts of some accounts, a schema each."""

    connection: psycopg.Connection[Any]
    environment: Mapping[str, str]

    def rows(self, query: str, **values: object) -> list[tuple[Any, ...]]:
        """Query the marts of the account that has everything."""
        return self.connection.execute(query, values).fetchall()

    def value(self, query: str, **values: object) -> Any:  # noqa: ANN401
        ((value,),) = self.rows(query, **values)
        return value


@pytest.fixture(scope="module")
def warehouse(postgres_uri: str) -> Iterator[Warehouse]:
    with psycopg.connect(postgres_uri, autocommit=True) as connection:
        everything = Marts(connection, "everything")
        everything.add_sales(sales_rows())
        everything.add("subscription_report", subscription_rows())
        everything.add("mrr", mrr_rows())
        Marts(connection, "free").add_sales(free_rows())
        Marts(connection, "no_rows")
        connection.execute("set search_path to everything")
        host = psycopg.conninfo.conninfo_to_dict(postgres_uri)["host"]
        yield Warehouse(connection, {"DBT_TARGET": "postgres", "DBT_POSTGRES_HOST": str(host)})


@dataclass(frozen=True)
class Written:
    """What the command did."""

    code: int
    stderr: str
    path: Path


def write_page(path: Path, *arguments: str, **environment: str) -> Written:
    """Run the command, which writes the page to a path."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("DBT_")}
    done = subprocess.run(
        [sys.executable, "-m", "report", "--output", path, *arguments],
        cwd=PROJECT,
        env={**inherited, **environment},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    return Written(done.returncode, done.stderr, path)


@pytest.fixture(scope="module")
def pages(warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Written]:
    """The page of each account."""
    directory = tmp_path_factory.mktemp("pages")

    def write(schema: str) -> Written:
        path = directory / "new" / f"{schema}.html"
        return write_page(path, "--schema", schema, **warehouse.environment)

    accounts = ("everything", "free", "no_rows", "absent")
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(accounts, pool.map(write, accounts), strict=True))


# ---- What a reader sees


@dataclass(frozen=True)
class Reader:
    """A page in a browser."""

    page: Page
    told: list[str] = field(default_factory=list)
    """Whatever a page should not do: errors, warnings, requests, dialogs."""

    def open(self, path: Path) -> None:
        page = self.page
        page.on("console", lambda message: self.told.append(message.text))
        page.on("pageerror", lambda error: self.told.append(str(error)))
        page.on("dialog", lambda dialog: self.told.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: self.told.append(request.url))
        page.goto(path.as_uri())
        self.told.remove(path.as_uri())
        self.wait()

    def wait(self) -> None:
        """Wait until all charts are drawn, if the page has any."""
        if self.page.locator("#data").count():
            self.page.wait_for_selector("main[aria-busy=false]", timeout=60_000)

    def choose(self, **choices: str) -> None:
        """Choose in filters, by what their options say."""
        for name, label in choices.items():
            if self.page.locator(f"#{name} option:checked").text_content() != label:
                self.page.select_option(f"#{name}", label=label)
        self.wait()

    def text(self, selector: str) -> str:
        return self.page.locator(selector).inner_text()

    def tile(self, name: str) -> tuple[Decimal | None, str]:
        """Return a tile's value, and how it is written."""
        data = self.page.locator(f"#tile-{name} data")
        value = data.get_attribute("value")
        return (Decimal(value) if value else None), data.inner_text()

    def table(self, card: str) -> list[list[str]]:
        """Return the cells of the rows of a card's table, without its head and its total."""
        cells: list[list[str]] = self.page.locator(f"#{card}-card tbody tr").evaluate_all(
            "rows => rows.map(row => [...row.cells].map(cell => cell.firstChild.textContent))"
        )
        return cells

    def boxes(self, selector: str) -> list[dict[str, float]]:
        """Return the boxes of marks in a chart."""
        boxes: list[dict[str, float]] = self.page.locator(selector).evaluate_all(
            "marks => marks.map(mark => mark.getBBox())"
            ".map(({x, y, width, height}) => ({x, y, width, height}))"
        )
        return boxes

    def run(self, code: str) -> Any:  # noqa: ANN401
        return self.page.evaluate(code)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
        yield browser
        browser.close()


@pytest.fixture
def read(browser: Browser, pages: dict[str, Written]) -> Iterator[Read]:
    """Open an account's page as a reader with a locale, a screen and preferences of their own."""
    readers: list[Reader] = []

    def read(account: str = "everything", *, width: int = 1280, **preferences: Any) -> Reader:  # noqa: ANN401
        context = browser.new_context(
            **{"locale": "en-US", "viewport": {"width": width, "height": 900}, **preferences}
        )
        reader = Reader(context.new_page())
        readers.append(reader)
        reader.open(pages[account].path)
        return reader

    yield read
    for reader in readers:
        assert reader.told == []
        reader.page.context.close()


# ---- The figures

WHERE = """
    date_month between %(first)s and %(last)s
    and (%(app)s::text is null or app_name = %(app)s)
"""
SUBSCRIPTIONS_END = """
    (select max(date_day) from amazon_appstore__subscription_report
     where active is not null and date_month <= %(last)s)
"""


@dataclass(frozen=True)
class Selection:
    """What is chosen in the filters."""

    first: date = FIRST_DAY
    last: date = LAST_MONTH
    app: str | None = None
    currency: str = "USD"

    @property
    def choices(self) -> dict[str, str]:
        names = {"USD": "US Dollar", "EUR": "Euro", "JPY": "Japanese Yen"}
        return {
            "from": month_name(self.first),
            "to": month_name(self.last),
            "app": self.app or "All apps",
            "currency": f"{names[self.currency]} ({self.currency})",
        }

    def value(self, warehouse: Warehouse, query: str) -> Any:  # noqa: ANN401
        return warehouse.value(query, **vars(self))

    def rows(self, warehouse: Warehouse, query: str) -> list[tuple[Any, ...]]:
        return warehouse.rows(query, **vars(self))

    def money(self, amount: Decimal | None) -> str:
        """Write an amount as in the United States."""
        sign, digits = {"USD": ("$", 2), "EUR": ("€", 2), "JPY": ("¥", 0)}[self.currency]
        rounded = rounded_up(amount or Decimal(0), digits)
        return f"{'-' if rounded < 0 else ''}{sign}{abs(rounded):,}"


SELECTIONS = {
    "everything": Selection(),
    "another currency": Selection(currency="JPY"),
    "an app": Selection(app=HOSTILE),
    "an app without subscriptions": Selection(app="App 4"),
    "a period": Selection(date(2023, 6, 1), date(2023, 9, 1)),
    "all filters": Selection(date(2023, 11, 1), LAST_MONTH, app=APPS[1], currency="EUR"),
}


def rounded_up(number: Decimal, digits: int) -> Decimal:
    """Round a number as people do, a half away from zero."""
    return number.quantize(Decimal(10) ** -digits, ROUND_HALF_UP)


def month_name(month: date) -> str:
    return f"{month:%b %Y}"


def percent(number: Decimal | None) -> str:
    if number is None:
        return "—"
    text = f"{rounded_up(100 * number, 1)}"
    return f"{text.removesuffix('.0')}%"


@pytest.fixture(scope="module")
def shown(browser: Browser, pages: dict[str, Written]) -> Iterator[Reader]:
    """The page of the account that has everything, opened once for all selections."""
    context = browser.new_context(locale="en-US", viewport={"width": 1280, "height": 900})
    reader = Reader(context.new_page())
    reader.open(pages["everything"].path)
    yield reader
    assert reader.told == []
    context.close()


@pytest.fixture
def whole(shown: Reader) -> Reader:
    """The same page as it was when it was opened."""
    page = shown.page
    page.mouse.move(0, 0)
    page.click("#reset")
    if "first" in shown.text("#more"):
        page.click("#more")
    shown.run("document.querySelectorAll('details').forEach((one) => { one.open = false })")
    shown.wait()
    return shown


@pytest.fixture(scope="module", params=SELECTIONS.values(), ids=list(SELECTIONS))
def selection(request: pytest.FixtureRequest, shown: Reader) -> Selection:
    """Choose in the filters; the tests see the page as it is then."""
    chosen: Selection = request.param
    shown.choose(**chosen.choices)
    return chosen


@in_chromium
def test_tiles_show_the_sums_of_the_marts(
    selection: Selection, shown: Reader, warehouse: Warehouse
) -> None:
    amounts = {"net-sales": "net_sales", "earnings": "estimated_earnings"}
    for tile, column in amounts.items():
        amount = selection.value(
            warehouse,
            f"select coalesce(sum({column}), 0) from amazon_appstore__overview_report "
            f"where {WHERE} and currency = %(currency)s",
        )
        assert shown.tile(tile) == (amount, selection.money(amount))
    for tile, column in {"downloads": "downloads", "in-app": "in_app_units"}.items():
        units = selection.value(
            warehouse, f"select sum({column}) from amazon_appstore__overview_report where {WHERE}"
        )
        assert shown.tile(tile) == (units, f"{units:,}")


@in_chromium
def test_tiles_show_how_subscriptions_stand_at_the_end(
    selection: Selection, shown: Reader, warehouse: Warehouse
) -> None:
    mrr = selection.value(
        warehouse,
        f"select coalesce(sum(mrr), 0) from amazon_appstore__mrr where {WHERE} "
        "and currency = %(currency)s and date_day = "
        "(select max(date_day) from amazon_appstore__mrr where date_month <= %(last)s)",
    )
    assert shown.tile("mrr") == (mrr, selection.money(mrr))

    active = selection.value(
        warehouse,
        "select coalesce(sum(active), 0) from amazon_appstore__subscription_report "
        f"where {WHERE} and date_day = {SUBSCRIPTIONS_END}",
    )
    assert shown.tile("active") == (active, f"{active:,}")

    converted, decided = selection.rows(
        warehouse,
        "select coalesce(sum(trial_conversions), 0), "
        "coalesce(sum(trial_conversions), 0) + coalesce(sum(trial_ended), 0) "
        f"from amazon_appstore__subscription_report where {WHERE}",
    )[0]
    rate = converted / decided if decided else None
    assert shown.tile("conversion")[1] == percent(rate)


CHURN = f"""
    select
        months.date_month,
        (
            select sum(paid_ended) from amazon_appstore__subscription_report as report
            where report.date_month = months.date_month
                and (%(app)s::text is null or app_name = %(app)s)
        ) as ended,
        (
            select sum(paid_active) from amazon_appstore__subscription_report as report
            where report.date_day = months.date_month - 1
                and (%(app)s::text is null or app_name = %(app)s)
        ) as active_before
    from (
        select distinct date_month from amazon_appstore__subscription_report
        where date_month between %(first)s and %(last)s and date_month < '{LAST_MONTH}'
    ) as months
    order by date_month
"""


@in_chromium
def test_churn_is_of_full_months_by_the_day_before(
    selection: Selection, shown: Reader, warehouse: Warehouse
) -> None:
    months = [row for row in selection.rows(warehouse, CHURN) if row[2]]
    assert shown.table("churn") == [
        [month_name(month), percent(ended / before), f"{ended:,}", f"{before:,}"]
        for month, ended, before in months
    ]
    before = sum(row[2] for row in months)
    assert shown.tile("churn")[1] == percent(
        sum(row[1] for row in months) / before if before else None
    )


@in_chromium
def test_months_show_the_sums_of_the_marts(
    selection: Selection, shown: Reader, warehouse: Warehouse
) -> None:
    expected = selection.rows(
        warehouse,
        "select date_month, "
        "sum(net_sales) filter (where currency = %(currency)s), "
        "sum(gross_sales) filter (where currency = %(currency)s), "
        "sum(estimated_earnings) filter (where currency = %(currency)s), "
        "sum(downloads) "
        f"from amazon_appstore__overview_report where {WHERE} group by 1 order by 1",
    )
    if any(row[1] for row in expected):
        assert [row[:4] for row in shown.table("revenue")] == [
            [month_name(month), *map(selection.money, amounts)] for month, *amounts, _ in expected
        ]
    else:
        assert shown.text("#revenue-summary") == "Nothing was sold for money in this selection."
    assert [row[:2] for row in shown.table("downloads")] == [
        [month_name(month), f"{downloads:,}"] for month, *_, downloads in expected
    ]


@in_chromium
def test_recurring_revenue_shows_its_movements(
    selection: Selection, shown: Reader, warehouse: Warehouse
) -> None:
    ends = "date_day in (select max(date_day) from amazon_appstore__mrr group by date_month)"
    expected = selection.rows(
        warehouse,
        f"select date_month, sum(mrr) filter (where {ends}), sum(subscribers) filter (where {ends}), "
        "sum(new_mrr), sum(reactivated_mrr), sum(expansion_mrr), "
        "-sum(contraction_mrr), -sum(churned_mrr) "
        f"from amazon_appstore__mrr where {WHERE} and currency = %(currency)s "
        "group by 1 order by 1",
    )

    def signed(amount: Decimal) -> str:
        return ("+" if amount > 0 else "") + selection.money(amount)

    assert shown.table("mrr") == [
        [month_name(month), selection.money(mrr), signed(sum(moved)), f"{subscribers:,}"]
        for month, mrr, subscribers, *moved in expected
    ]
    assert shown.table("movements") == [
        [month_name(month), *map(signed, moved), signed(sum(moved))]
        for month, _, _, *moved in expected
    ]


@in_chromium
def test_subscriptions_show_their_counts(
    selection: Selection, shown: Reader, warehouse: Warehouse
) -> None:
    ends = (
        "date_day in (select max(date_day) from amazon_appstore__subscription_report "
        "where active is not null group by date_month)"
    )
    expected = selection.rows(
        warehouse,
        f"select date_month, sum(active) filter (where {ends}), "
        f"sum(paid_active) filter (where {ends}), sum(trial_active) filter (where {ends}), "
        "sum(started), sum(ended), sum(refunded) "
        f"from amazon_appstore__subscription_report where {WHERE} group by 1 order by 1",
    )
    assert shown.table("active") == [
        [month_name(month), *(f"{number:,}" for number in numbers)] for month, *numbers in expected
    ]


NAMES = {
    "US": "United States",
    "CA": "Canada",
    "DE": "Germany",
    "JP": "Japan",
    "XX": "XX",
    None: "Unknown country",
}


@in_chromium
@pytest.mark.parametrize(
    ("card", "source"),
    [("countries", "country_report.country_short"), ("devices", "device_report.device")],
)
def test_breakdowns_show_the_sums_of_the_marts(
    selection: Selection, shown: Reader, warehouse: Warehouse, card: str, source: str
) -> None:
    mart, column = source.split(".")
    expected = selection.rows(
        warehouse,
        f"select coalesce({column}, 'Unknown'), sum(downloads), "
        "sum(downloads + in_app_units + subscription_units + other_units) as units, "
        "coalesce(sum(net_sales) filter (where currency = %(currency)s), 0) as net_sales "
        f"from amazon_appstore__{mart} where {WHERE} group by 1 order by net_sales desc",
    )
    table = shown.table(card)
    if not any(sales for *_, sales in expected):
        assert table == []
        return
    names = {"US": "United States", "CA": "Canada", "DE": "Germany", "JP": "Japan"}
    assert [row[-1] for row in table] == [selection.money(sales) for *_, sales in expected]
    assert sorted(
        [row[0].removesuffix(" country").removesuffix(" device"), *row[1:]] for row in table
    ) == sorted(
        [names.get(value, value), f"{downloads:,}", f"{units:,}", selection.money(sales)]
        for value, downloads, units, sales in expected
    )


@in_chromium
def test_products_add_up_though_some_are_shown_together(
    selection: Selection, shown: Reader, warehouse: Warehouse
) -> None:
    if shown.page.locator("#more").is_visible() and "all" in shown.text("#more"):
        shown.page.click("#more")
    table = shown.table("products")
    named = {row[0]: row for row in table}
    units, sales = selection.rows(
        warehouse,
        "select sum(downloads + in_app_units + subscription_units + other_units), "
        "coalesce(sum(net_sales) filter (where currency = %(currency)s), 0) "
        f"from amazon_appstore__product_report where {WHERE}",
    )[0]
    assert sum(int(row[1].replace(",", "")) for row in table) == units
    if selection.currency != "JPY":  # the others are written to the cent
        assert sum(Decimal(re.sub("[^0-9.-]", "", row[2])) for row in table) == sales
    assert ("Other products" in named) == (selection.app in {None, HOSTILE})
    for name, net_sales in selection.rows(
        warehouse,
        "select item_name, sum(net_sales) filter (where currency = %(currency)s) as net_sales "
        f"from amazon_appstore__product_report where {WHERE} and item_type = 'Application' "
        "group by 1",
    ):
        assert named[name][2] == selection.money(net_sales)


@in_chromium
def test_charts_are_drawn_to_the_scale_of_their_tables(whole: Reader) -> None:
    table = [Decimal(re.sub("[^0-9.]", "", row[3])) for row in whole.table("countries")]
    widths = [box["width"] for box in whole.boxes("#countries-card .mark-rect path")]
    shown = [amount for amount in table if amount]
    assert len(widths) == len(shown)
    for width, amount in zip(widths, shown, strict=True):
        assert width / widths[0] == pytest.approx(float(amount / shown[0]), abs=0.01)

    totals = [float(re.sub("[^0-9.]", "", row[1])) for row in whole.table("revenue")]
    heights: dict[float, float] = {}
    for box in whole.boxes("#revenue-card .mark-rect path"):
        heights[round(box["x"])] = heights.get(round(box["x"]), 0) + box["height"]
    bars = [heights[x] for x in sorted(heights)]
    assert [bar / max(bars) for bar in bars] == pytest.approx(
        [total / max(totals) for total in totals], abs=0.01
    )


@in_chromium
def test_breakdowns_go_by_units_on_request(whole: Reader) -> None:
    by_sales = whole.table("products")
    whole.page.get_by_label("Units", exact=True).check()
    whole.wait()
    units = [int(row[1].replace(",", "")) for row in whole.table("products")]
    assert units == sorted(units, reverse=True)
    assert whole.table("products") != by_sales
    # By net sales, what was sold in other currencies only is none of the chart.
    assert len(whole.boxes("#countries-card .mark-rect path")) == len(COUNTRIES)


@in_chromium
def test_a_period_cannot_end_before_it_begins(whole: Reader) -> None:
    whole.choose(to="Mar 2023")
    whole.choose(**{"from": "Aug 2023"})
    assert whole.text("#status").startswith("Aug 2023, all apps:")
    whole.choose(to="Feb 2023")
    assert whole.text("#status").startswith("Feb 2023, all apps:")
    whole.page.click("#reset")
    whole.wait()
    assert whole.text("#status").startswith("Jan 2023 to Jun 2024, all apps:")


# ---- Every reader


@in_chromium
def test_numbers_are_in_the_readers_format(read: Read, warehouse: Warehouse) -> None:
    reader = read(locale="de-DE")
    sales = warehouse.value(
        "select sum(net_sales) from amazon_appstore__overview_report where currency = 'USD'"
    )
    german = f"{sales:,.2f}".translate({ord(","): ".", ord("."): ","})
    assert reader.tile("net-sales") == (sales, f"{german}\N{NO-BREAK SPACE}$")
    assert reader.text("#coverage").endswith("14. Juni 2024")


TOO_WIDE = """
    [...document.querySelectorAll("body *")]
        .filter((one) => !one.closest(".unseen, .skip, thead, svg"))
        .filter((one) => one.getBoundingClientRect().right > innerWidth
            || one.matches(".table, .card, .tile, p, dd") && one.scrollWidth > one.clientWidth + 1)
        .map((one) => `${one.tagName} ${one.className} ${one.textContent.slice(0, 40)}`)
"""


@in_chromium
@pytest.mark.parametrize("account", ["everything", "free", "no_rows", "absent"])
def test_nothing_overflows_on_a_phone(read: Read, account: str) -> None:
    reader = read(account, width=375)
    reader.run("document.querySelectorAll('details').forEach((one) => { one.open = true })")
    if reader.page.locator("#more").is_visible():
        reader.page.click("#more")
    for width in (375, 320):
        reader.page.set_viewport_size({"width": width, "height": 800})
        reader.page.wait_for_timeout(200)  # the page waits too, for the last of many changes
        reader.wait()
        assert reader.run("document.documentElement.scrollWidth") == width
        assert reader.run(TOO_WIDE) == []


FOCUS = """() => {
    const { id, tagName, name, textContent } = document.activeElement;
    const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
    const { top, bottom } = document.activeElement.getBoundingClientRect();
    return {
        what: id || name || `${tagName} ${textContent}`,
        outlined: outlineStyle !== "none" && parseFloat(outlineWidth) >= 2,
        seen: top >= 0 && bottom <= innerHeight,
    };
}"""


@in_chromium
def test_the_keyboard_reaches_everything(read: Read) -> None:
    reader = read()
    keyboard = reader.page.keyboard
    reached: list[str] = []
    for _ in range(30):
        keyboard.press("Tab")
        focus = reader.run(FOCUS)
        if focus["what"].startswith("BODY"):
            break
        assert focus["outlined"], focus
        assert focus["seen"], focus
        reached.append(focus["what"])
    assert reached == [
        "A Skip to the figures",
        *("from", "to", "app", "currency", "reset"),
        *(
            f"SUMMARY Table: {title}"
            for title in (
                "Net sales by month and app",
                "Downloads by month and app",
                "Monthly recurring revenue",
                "Movements of recurring revenue",
                "Active subscriptions",
                "Churn of paid subscriptions",
            )
        ),
        "by",
        "SUMMARY Table: Countries",
        "SUMMARY Table: Devices",
        "more",
        "SUMMARY What the figures mean",
    ]


@in_chromium
def test_the_keyboard_works_the_filters(read: Read) -> None:
    reader = read()
    page = reader.page
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert reader.run("document.activeElement.id") == "figures"

    page.focus("#currency")
    page.keyboard.press("e")
    reader.wait()
    assert reader.text("#tile-net-sales data").startswith("€")

    page.locator("[name=by]:checked").focus()
    page.keyboard.press("ArrowDown")
    reader.wait()
    assert page.locator("[name=by]:checked").get_attribute("value") == "units"

    page.focus("#revenue-card summary")
    page.keyboard.press("Enter")
    assert page.locator("#revenue-card table").is_visible()
    # It is wider than its card: the keyboard can scroll it.
    page.keyboard.press("Tab")
    assert reader.run("document.activeElement.getAttribute('role')") == "region"


@in_chromium
def test_a_screen_reader_is_told_what_charts_show(whole: Reader) -> None:
    page = whole.page
    charts = page.get_by_role("img")
    assert charts.count() == 8
    for chart in charts.all():
        card = chart.locator("xpath=ancestor::article")
        title = card.get_by_role("heading").inner_text()
        assert chart.get_attribute("aria-labelledby") == card.get_attribute("aria-labelledby")
        summary = page.locator(f"#{chart.get_attribute('aria-describedby')}").inner_text()
        assert re.search(r"\d.*\.$", summary)
        card.locator("summary").click()
        table = card.get_by_role("table", name=title)
        assert table.get_by_role("columnheader").count() > 1
        assert table.get_by_role("rowheader").count() > 1

    status = page.get_by_role("status")
    before = status.inner_text()
    whole.choose(app="Truck Game")
    assert "Truck Game" in status.inner_text()
    assert status.inner_text() != before


@in_chromium
@pytest.mark.parametrize(
    ("account", "width", "scheme"),
    [
        ("everything", 1280, "light"),
        ("everything", 375, "dark"),
        ("free", 1280, "dark"),
        ("absent", 375, "light"),
    ],
)
def test_axe_finds_no_violation(read: Read, account: str, width: int, scheme: str) -> None:
    reader = read(account, width=width, color_scheme=scheme)
    if account == "everything":
        reader.choose(**{"from": "May 2024"})  # fewer rows to look at
    reader.run("document.querySelectorAll('details').forEach((one) => { one.open = true })")
    found = Axe().run(reader.page, options={"resultTypes": ["violations"]})
    assert found.violations_count == 0, found.generate_report()


@in_chromium
def test_marks_stand_out_in_light_and_dark(whole: Reader) -> None:
    for scheme in ("light", "dark"):
        whole.page.emulate_media(color_scheme=scheme)
        whole.wait()
        surface = _luminance(
            whole.run("getComputedStyle(document.querySelector('.card')).backgroundColor")
        )
        marks = whole.page.locator(
            ".mark-rect path, .mark-line path, .mark-symbol path"
        ).evaluate_all(
            "marks => marks.map((mark) => getComputedStyle(mark))"
            ".map(({ fill, stroke }) => fill === 'none' ? stroke : fill)"
        )
        labels = whole.page.locator(".chart text").evaluate_all(
            "texts => texts.map((text) => getComputedStyle(text).fill)"
        )
        assert len(set(marks)) >= 9
        assert min(_contrast(surface, _luminance(color)) for color in marks) >= 3
        assert min(_contrast(surface, _luminance(color)) for color in labels) >= 4.5


def _luminance(color: str) -> float:
    channels = [int(channel) / 255 for channel in re.findall(r"\d+", color)[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: float, other: float) -> float:
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


@in_chromium
def test_who_wants_no_motion_gets_none(whole: Reader) -> None:
    moving = (
        "[...document.querySelectorAll('body *')].map((one) => getComputedStyle(one))"
        ".filter((style) => style.transitionDuration !== '0s' || style.animationName !== 'none')"
        ".length"
    )
    assert whole.run(moving)
    whole.page.emulate_media(reduced_motion="reduce")
    assert not whole.run(moving)


# ---- Every account, every title


@in_chromium
def test_a_title_is_text_whatever_it_says(whole: Reader) -> None:
    whole.choose(app=HOSTILE)
    assert HOSTILE in whole.text("#status")
    whole.page.locator("#downloads-card .mark-rect path").first.hover()
    assert HOSTILE in whole.text("#vg-tooltip-element")
    assert whole.page.get_by_text("Gems <b>").count()
    # The fixture sees to it that no dialog came up and nothing was asked for.
    assert whole.page.locator("img, article b").count() == 0


@in_chromium
def test_an_account_without_figures_is_told_so(read: Read) -> None:
    text = read("no_rows").text("main")
    assert "There are no figures yet" in text
    assert "have no rows" in text

    text = read("absent").text("main")
    assert "There are no figures yet" in text
    assert all(f"amazon_appstore__{mart}" in text for mart in COLUMNS)
    assert "dbt build" in text


@in_chromium
def test_one_free_app_needs_no_amounts_and_no_choice_of_app(read: Read) -> None:
    reader = read("free")
    page = reader.page
    assert reader.text("#coverage") == "Free Flashlight · sales until March 16, 2024"
    assert reader.tile("downloads") == (Decimal(78), "78")
    assert [row[:2] for row in reader.table("downloads")] == [
        ["Jan 2024", "22"],
        ["Feb 2024", "26"],
        ["Mar 2024", "30"],
    ]
    assert reader.table("countries") == [["United States", "42", "42"], ["Germany", "36", "36"]]
    assert not any(
        page.locator(f"#{name}").is_visible() for name in ("app", "currency", "tile-net-sales")
    )
    text = reader.text("body")
    assert "Nothing in these reports was sold for money" in text
    assert "no subscriptions in its reports" in text
    assert not re.search(r"NaN|Infinity|undefined|null|[$€]", text)
    assert page.locator(".chart:visible").count() == 3
    assert page.locator(".chart:visible .mark-rect path").count() == 3 + 2 + 1


# ---- The command


def test_the_file_is_complete_in_itself_and_small(pages: dict[str, Written]) -> None:
    for written in pages.values():
        assert written.code == 0, written.stderr
        page = written.path.read_text(encoding="utf-8")
        assert len(page.encode()) < 1_500_000
        assert "default-src 'none'" in page
        assert [path.name for path in written.path.parent.glob(".*")] == []


def read_marts(
    monkeypatch: pytest.MonkeyPatch, environment: Mapping[str, str], schema: str
) -> Figures:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with connect(schema) as marts:
        return read_figures(marts)


def test_duckdb_has_the_same_figures(
    warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    duckdb = pytest.importorskip("duckdb")
    # A file called as its schema can be read too.
    path = tmp_path / "everything.duckdb"
    with duckdb.connect(path) as connection:
        connection.execute("create schema everything.everything")
        for mart, columns in COLUMNS.items():
            described = ", ".join(
                f"{name} {'decimal(28, 6)' if kind == 'numeric' else kind}"
                for name, kind in columns.items()
            )
            table = f"everything.everything.amazon_appstore__{mart}"
            connection.execute(f"create table {table} ({described})")
            connection.execute(f"copy {table} from '{copy_of(warehouse, mart, tmp_path)}'")

    in_duckdb = {"DBT_TARGET": "duckdb", "DBT_DUCKDB_PATH": str(path)}
    figures = read_marts(monkeypatch, in_duckdb, "everything")
    assert figures == read_marts(monkeypatch, warehouse.environment, "everything")
    assert not figures.is_empty
    assert read_marts(monkeypatch, in_duckdb, "absent").is_empty


@pytest.mark.parametrize("name", QUERIES)
def test_the_order_of_measures_changes_no_figure(warehouse: Warehouse, name: str) -> None:
    def figures(query: Query) -> list[dict[str, Any]]:
        measures = [*query.counts, *query.amounts]
        rows = warehouse.rows(query.text)
        return [dict(zip(measures, query.split(row)[2], strict=True)) for row in rows]

    query = QUERIES[name]
    turned = replace(
        query,
        counts=query.counts[::-1],
        amounts=query.amounts[::-1],
        levels=query.levels[::-1],
        flows=query.flows[::-1],
    )

    assert figures(turned) == figures(query)
    assert len(figures(query)) > 1


def copy_of(warehouse: Warehouse, mart: str, directory: Path) -> Path:
    """Copy a mart to a CSV file."""
    path = directory / f"{mart}.csv"
    copying = f"copy amazon_appstore__{mart} to stdout (format csv)"
    with warehouse.connection.cursor() as cursor, cursor.copy(copying) as copy:
        path.write_bytes(b"".join(bytes(part) for part in copy))
    return path


def test_marts_that_are_missing_are_named(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    marts = Marts(warehouse.connection, "partly")
    marts.add_sales(free_rows())
    for mart in ("country_report", "mrr"):
        warehouse.connection.execute(f"drop table {marts.table(mart)}")

    figures = read_marts(monkeypatch, warehouse.environment, "partly")
    monkeypatch.setattr("report.page._library", str)
    page = render(figures, made_at=datetime.now(timezone.utc))

    assert "amazon_appstore__country_report, amazon_appstore__mrr: the warehouse" in page


def test_settings_have_the_defaults_of_dbts_profile() -> None:
    profile = (PROJECT / "transform" / "profiles.yml").read_text(encoding="utf-8")
    defaults = dict(re.findall(r"env_var\('(DBT_\w+)', '(.*?)'\)", profile))
    schemas = {name: value for name, value in defaults.items() if name.endswith("_SCHEMA")}

    assert set(schemas.values()) == {_SCHEMA}
    assert defaults["DBT_DUCKDB_PATH"] == _DUCKDB_FILE
    assert {
        f"DBT_POSTGRES_{name.upper()}": value for name, value in _POSTGRES_DEFAULTS.items()
    } == {
        name: value
        for name, value in defaults.items()
        if name.startswith("DBT_POSTGRES_") and name not in schemas
    }


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"DBT_TARGET": "spark"}, "DBT_TARGET is 'spark'"),
        ({"DBT_TARGET": "postgres", "DBT_POSTGRES_HOST": "/nowhere"}, "connection"),
        ({"DBT_TARGET": "duckdb", "DBT_DUCKDB_PATH": "nowhere.duckdb"}, "nowhere.duckdb"),
    ],
)
def test_a_warehouse_that_cannot_be_read_is_named_in_a_sentence(
    tmp_path: Path, environment: dict[str, str], sentence: str
) -> None:
    written = write_page(tmp_path / "page.html", **environment)
    assert written.code == 1
    assert written.stderr.startswith("The page was not made: ")
    assert sentence in written.stderr
    assert "Traceback" not in written.stderr
    assert not written.path.exists()
