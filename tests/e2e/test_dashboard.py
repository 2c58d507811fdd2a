"""The dashboard of marts that dbt has built: its figures are the marts', whatever the account."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import duckdb
import psycopg
import pytest
from playwright.sync_api import sync_playwright

from dashboard.data import ACCOUNTS, MARTS, Data, read_data
from dashboard.render import LARGEST
from dashboard.warehouse import _DUCKDB_FILE, _POSTGRES_DEFAULTS, _SCHEMA, connect
from tests.e2e.browser import in_chromium, launch
from tests.e2e.transform.rows import Row, deliveries, subscription

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from playwright.sync_api import Browser, Page

    from tests.e2e.transform.warehouses import Warehouse

PROJECT = Path(__file__).parents[2]
HOSTILE = "</script><img src=x onerror=alert(1)>"
ALL_MARTS = (ACCOUNTS, *MARTS.values())


# One worker builds the marts and starts the browser, for all of these tests.
pytestmark = pytest.mark.xdist_group("dashboard")


# ---- Accounts


def sales_rows() -> list[Row]:
    """Return 20 months of sales of some apps, of which one has a hostile title."""
    _, rows = deliveries()
    titles = {"Chess": HOSTILE}
    return [row | {"title": titles.get(row["title"], row["title"])} for row in rows]


def subscription_rows() -> list[Row]:
    days = [date(2024, 1, 1) + timedelta(days=number) for number in range(105)]
    return [
        subscription(
            f"{day}-{kind}",
            day,
            subscription_type=kind,
            active=100 + number if kind == "paid" else 9,
            started=1 + number % 3,
            ended=number % 3,
        )
        for number, day in enumerate(days)
        for kind in ("trial", "paid")
    ]


@dataclass(frozen=True)
class Account:
    """An account whose marts are in a DuckDB file, and its dashboard."""

    warehouse: Warehouse
    path: Path

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Query the marts; `{mart}` stands for one of them."""
        tables = {name.partition("__")[2]: self.warehouse.table(name) for name in ALL_MARTS}
        return self.warehouse.execute(query.format(**tables))

    def value(self, query: str) -> Any:  # noqa: ANN401
        ((value,),) = self.rows(query)
        return value


@pytest.fixture(scope="module")
def make_account(
    make_warehouse: Callable[[str, str], Warehouse], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Account]:
    """Return a function that loads rows, builds the marts and writes their dashboard."""
    directory = tmp_path_factory.mktemp("dashboards")

    def make(name: str, load: Callable[[Warehouse], None], *streams: str) -> Account:
        warehouse = make_warehouse("duckdb", name)
        warehouse.create(*streams)
        load(warehouse)
        warehouse.build(command="run")
        path = directory / f"{name}.html"
        written = write_dashboard(path, **warehouse.environment)
        assert written.returncode == 0, written.stderr
        return Account(warehouse, path)

    return make


def write_dashboard(path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("DBT_")}
    return subprocess.run(
        [sys.executable, "-m", "dashboard", "--output", path],
        cwd=PROJECT,
        env={**inherited, "DBT_TARGET": "duckdb", **environment},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def everything(make_account: Callable[..., Account]) -> Account:
    """An account with sales and subscriptions."""

    def load(warehouse: Warehouse) -> None:
        warehouse.load("sales", sales_rows())
        warehouse.load("subscriptions", subscription_rows())

    return make_account("everything", load, "sales", "subscriptions")


@pytest.fixture(scope="module")
def only_sales(make_account: Callable[..., Account]) -> Account:
    """An account of which only the stream `sales` has been loaded, with one app."""

    def load(warehouse: Warehouse) -> None:
        warehouse.load("sales", [row for row in sales_rows() if row["title"] == "Yoga"])

    return make_account("only_sales", load, "sales")


# ---- The page in a browser


@dataclass(frozen=True)
class View:
    """A dashboard in a browser."""

    page: Page

    def text(self, selector: str) -> str:
        return self.page.locator(selector).inner_text()

    def tile(self, name: str) -> Decimal | None:
        """Return a tile's figure; None where it is unknown."""
        value = self.page.locator(f"#tile-{name} data").get_attribute("value")
        assert self.text(f"#tile-{name} data").startswith("—\nunknown: ") is not bool(value)
        return Decimal(value) if value else None

    def table(self, card: str) -> list[dict[str, str]]:
        """Return the rows of a card's table, as they are exported."""
        button = self.page.locator(f"#{card}-card button[aria-label^='Download CSV']")
        with self.page.expect_download() as download:
            button.dispatch_event("click")
        with Path(download.value.path()).open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as driver:
        browser = launch(driver)
        yield browser
        browser.close()


@pytest.fixture
def show(browser: Browser) -> Iterator[Callable[..., View]]:
    """Return a function that opens a file; no page may complain or ask for anything."""
    complaints: list[str] = []
    contexts = []

    def show(path: Path, fragment: str = "", **settings: Any) -> View:  # noqa: ANN401
        context = browser.new_context(
            **{"locale": "en-US", "viewport": {"width": 1280, "height": 900}, **settings}
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.goto(path.as_uri())
        if fragment:
            page.goto(f"{path.as_uri()}#{fragment}")
        if page.locator("#data").count():
            page.wait_for_selector("main[aria-busy=false]", timeout=60_000)
        page.on("request", lambda request: complaints.append(request.url))
        return View(page)

    yield show
    for context in contexts:
        context.close()
    assert [text for text in complaints if not text.startswith("blob:")] == []


# ---- Figures


@dataclass(frozen=True)
class Selection:
    """What the filters choose."""

    first: date
    last: date
    app: str | None = None
    currency: str = "USD"
    country: str | None = None
    has_months: bool = True
    """Whether the fragment names the months, which else are those that the page opens with."""

    @property
    def fragment(self) -> str:
        choices = {"app": self.app, "country": self.country, "currency": self.currency}
        if self.has_months:
            choices["period"] = f"{self.first:%Y-%m}..{self.last:%Y-%m}"
        return "&".join(f"{name}={quote(text)}" for name, text in choices.items() if text)

    @property
    def sales(self) -> str:
        """The sales mart of the selection, with a condition on its rows."""
        mart = "{country_report}" if self.country else "{overview_report}"
        country = f" and country_short = '{self.country}'" if self.country else ""
        return f"{mart} where {self.days()} and {self.of_app()}{country}"

    def days(self, column: str = "date_day") -> str:
        return f"{column} between '{self.first}' and '{self.last}'"

    def of_app(self) -> str:
        return f"app_name = '{self.app}'" if self.app else "true"

    def of_currency(self) -> str:
        return f"currency = '{self.currency}'"


SELECTIONS = [
    # The last 12 full months: sales of April are not over.
    Selection(date(2023, 4, 1), date(2024, 3, 31), has_months=False),
    Selection(date(2023, 4, 1), date(2024, 3, 31), currency="EUR", country="DE", has_months=False),
    Selection(date(2023, 3, 1), date(2023, 8, 31), app="Yoga", currency="EUR"),
    Selection(date(2023, 10, 1), date(2024, 4, 30), app=HOSTILE, currency="JPY"),
]
FINAL_DAYS = "select {} from {{last_days}}"
COUNTRIES = {"United States": "US", "Germany": "DE", "Japan": "JP", "Canada": "CA"}


@in_chromium
@pytest.mark.parametrize("selection", SELECTIONS, ids=lambda one: one.fragment)
def test_figures_are_those_of_the_marts(
    everything: Account, show: Callable[..., View], selection: Selection
) -> None:
    view = show(everything.path, selection.fragment)

    check_sales_tiles(everything, view, selection)
    check_subscription_tiles(everything, view, selection)
    check_sales_tables(everything, view, selection)
    check_mrr_tables(everything, view, selection)


def check_sales_tiles(account: Account, view: View, selection: Selection) -> None:
    ((net, gross, refunded, charged_back, earnings),) = account.rows(
        "select coalesce(sum(net_sales), 0), sum(gross_sales), sum(refunded_sales), "
        "sum(charged_back_sales), coalesce(sum(estimated_earnings), 0) "
        f"from {selection.sales} and {selection.of_currency()}"
    )
    assert view.tile("net-sales") == net
    assert view.tile("earnings") == earnings
    for tile, part in {"refunds": refunded, "chargebacks": charged_back}.items():
        assert view.tile(tile) == (pytest.approx(part / gross) if gross else None)
    for tile, measure in {"downloads": "downloads", "in-app": "in_app_units"}.items():
        assert view.tile(tile) == account.value(f"select sum({measure}) from {selection.sales}")


def check_subscription_tiles(account: Account, view: View, selection: Selection) -> None:
    last_mrr, last_count = (
        min(selection.last, account.value(FINAL_DAYS.format(column)))
        for column in ("last_final_mrr_day", "last_final_subscription_day")
    )
    of_app = selection.of_app()
    assert view.tile("mrr") == account.value(
        "select coalesce(sum(mrr), 0) from {mrr} "
        f"where date_day = '{last_mrr}' and {of_app} and {selection.of_currency()}"
    )
    assert view.tile("subscribers") == account.value(
        "select coalesce(sum(subscribers), 0) from {subscriber_report} "
        f"where date_day = '{last_mrr}' and {of_app}"
    )
    first_count = account.value("select min(date_day) from {subscription_report} where active > 0")
    # Of a time before the first count, and not of another time, nothing is known.
    assert view.tile("active") == (
        account.value(
            "select coalesce(sum(active), 0) from {subscription_report} "
            f"where date_day = '{last_count}' and {of_app}"
        )
        if last_count >= first_count
        else None
    )
    ((trials, converted, undecided),) = account.rows(
        "select coalesce(sum(trials), 0), sum(trial_conversions), sum(trials_undecided) "
        f"from {{trial_cohorts}} where {selection.days()} and {of_app}"
    )
    assert view.tile("conversion") == (
        pytest.approx(converted / trials) if trials and undecided < trials else None
    )
    lost, before = account.rows(
        "select sum(churned_mrr + contraction_mrr), sum(mrr_previous_month) "
        f"from {{monthly_report}} where {selection.days('date_month')} and {of_app} "
        f"and {selection.of_currency()} "
        f"and date_month + interval '1 month' - interval '1 day' <= '{last_mrr}'"
    )[0]
    churn = view.tile("mrr-churn")
    if not before:
        assert churn is None
    elif selection.app:  # otherwise some apps have no month before
        assert churn == pytest.approx(lost / before)


def check_sales_tables(account: Account, view: View, selection: Selection) -> None:
    amounts = ", ".join(
        f"sum({column}) filter (where {selection.of_currency()})"
        for column in ("net_sales", "estimated_earnings")
    )
    for card, key, mart in (
        ("apps", "app_name", selection.sales),
        ("revenue", "strftime(date_month, '%Y-%m')", selection.sales),
        ("countries", "country_short", None),
    ):
        where = mart or f"{{country_report}} where {selection.days()} and {selection.of_app()}"
        if card == "countries" and selection.country:
            where += f" and country_short = '{selection.country}'"
        expected = {
            row[0]: row[1:]
            for row in account.rows(
                f"select {key}, {amounts}, sum(downloads) from {where} group by 1"
            )
        }
        rows = view.table(card)
        name = next(iter(rows[0]))
        found = {
            COUNTRIES.get(row[name], row[name]): (row["Net sales"], row.get("Estimated earnings"))
            for row in rows
            if row[name] != "Total"
        }
        if card == "revenue":
            # Every month has a row; without a sale it has 0.
            expected = {month: expected.get(month, (0, 0)) for month in found}
        assert found.keys() == expected.keys()
        for one, (net, earnings) in found.items():
            assert amount_of(net) == (expected[one][0] or (0 if card == "revenue" else None))
            assert amount_of(earnings) == (expected[one][1] or (0 if card == "revenue" else None))

    products = account.rows(
        "select sum(downloads + in_app_units + subscription_units + other_units), "
        f"coalesce(sum(net_sales) filter (where {selection.of_currency()}), 0) "
        f"from {{product_report}} where {selection.days()} and {selection.of_app()}"
    )
    if not selection.country:
        rows = view.table("products")
        totals = tuple(
            sum(amount_of(row[name]) or 0 for row in rows) for name in ("Units", "Net sales")
        )
        assert [totals] == products


def check_mrr_tables(account: Account, view: View, selection: Selection) -> None:
    expected = account.rows(
        "select strftime(date_month, '%Y-%m'), sum(new_mrr), sum(reactivated_mrr), "
        "sum(expansion_mrr), -sum(contraction_mrr), -sum(churned_mrr) "
        f"from {{mrr}} where {selection.days()} and {selection.of_app()} "
        f"and {selection.of_currency()} group by 1 order by 1"
    )
    found = {
        row["Month"]: tuple(
            amount_of(row[name])
            for name in ("New", "Reactivated", "Expansion", "Contraction", "Churned")
        )
        for row in (view.table("movements") if expected else [])
    }
    for month, *movements in expected:
        assert found[month] == tuple(movements)


def amount_of(text: str | None) -> Decimal | None:
    """Return an exported figure; None where it is unknown."""
    return Decimal(text) if text else None


# ---- Accounts that have little


@in_chromium
def test_what_is_not_loaded_is_unknown_and_not_zero(
    only_sales: Account, show: Callable[..., View]
) -> None:
    view = show(only_sales.path)

    for tile in ("active", "churn"):
        assert view.tile(tile) is None
        assert "no subscription report has been loaded" in view.text(f"#tile-{tile}")
    for card in ("active", "churn", "marketplaces", "payout"):
        assert view.text(f"#{card}-card .summary").startswith("Unknown: ")
    # What charges tell is known: who pays, and MRR.
    for tile, mart in {"mrr": "mrr", "subscribers": "subscriber_report"}.items():
        currency = "currency = 'USD'" if tile == "mrr" else "true"
        expected = only_sales.value(
            f"select sum({tile}) from {{{mart}}} where date_day = '2024-03-31' and {currency}"
        )
        assert view.tile(tile) == expected > 0
    # Another currency's sales are no 0: they are unknown in this one.
    (germany,) = [row for row in view.table("countries") if row["Country"] == "Germany"]
    assert germany["Net sales"] == ""
    assert view.page.locator("#app").count() == 0  # there is one app


@in_chromium
def test_an_account_without_rows_is_explained(
    everything: Account, tmp_path: Path, show: Callable[..., View]
) -> None:
    path = tmp_path / "no_rows.duckdb"
    with duckdb.connect(path) as connection:
        connection.execute(f"create schema {_SCHEMA}")
        attach(connection, everything)
        for mart in ALL_MARTS:
            connection.execute(
                f"create table {_SCHEMA}.{mart} as "
                f"select * from built.{everything.warehouse.schema}.{mart} limit 0"
            )

    for environment, sentence in (
        ({"DBT_DUCKDB_PATH": str(path)}, "have no rows"),
        ({"DBT_DUCKDB_PATH": str(path), "DBT_DUCKDB_SCHEMA": "absent"}, "dbt build"),
    ):
        written = write_dashboard(tmp_path / "page.html", **environment)
        assert written.returncode == 0
        assert ("Missing marts" in written.stderr) is ("DBT_DUCKDB_SCHEMA" in environment)
        view = show(tmp_path / "page.html")
        assert "No figures yet" in view.text("main")
        assert sentence in view.text("main")
        assert view.page.locator("script").count() == 0


def attach(connection: duckdb.DuckDBPyConnection, account: Account) -> None:
    """Attach the marts of an account as `built`."""
    path = account.warehouse.environment["DBT_DUCKDB_PATH"]
    connection.execute(f"attach '{path}' as built (read_only)")


# ---- Warehouses


def read_marts(monkeypatch: pytest.MonkeyPatch, environment: Mapping[str, str]) -> Data:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with connect() as marts:
        return read_data(marts)


def test_postgres_gives_the_same_data(
    everything: Account, postgres_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema = "dashboard"
    with psycopg.connect(postgres_uri) as postgres, duckdb.connect() as connection:
        attach(connection, everything)
        postgres.execute(f"create schema {schema}")
        for mart in ALL_MARTS:
            built = f"built.{everything.warehouse.schema}.{mart}"
            described = connection.execute(f"describe {built}").fetchall()
            definitions = ", ".join(f"{name} {type_}" for name, type_, *_ in described)
            postgres.execute(f"create table {schema}.{mart} ({definitions})".encode())
            rows = tmp_path / "rows.csv"
            connection.execute(f"copy {built} to '{rows}' (nullstr '\\N')")
            copying = f"copy {schema}.{mart} from stdin (format csv, header, null '\\N')"
            with postgres.cursor().copy(copying.encode()) as copy:
                copy.write(rows.read_bytes())

    host = psycopg.conninfo.conninfo_to_dict(postgres_uri)["host"]
    settings = {"DBT_POSTGRES_HOST": str(host), "DBT_POSTGRES_SCHEMA": schema}
    in_postgres = read_marts(monkeypatch, {"DBT_TARGET": "postgres", **settings})
    in_duckdb = read_marts(
        monkeypatch, {"DBT_TARGET": "duckdb", **everything.warehouse.environment}
    )

    assert in_postgres["missing"] == []
    for name, table in in_postgres["tables"].items():
        assert resolve(in_postgres, table) == resolve(in_duckdb, in_duckdb["tables"][name]), name


def resolve(data: Data, table: Data) -> list[tuple[Any, ...]]:
    """Return rows with the values of dimensions, in an order that no collation changes."""
    dimensions = data["dimensions"]
    products = [(dimensions["app"][app], *others) for app, *others in dimensions["product"]]
    values = {**dimensions, "product": products}
    columns = {
        name: [values[name][place] for place in column] if name in values else column
        for name, column in table["columns"].items()
    }
    return sorted(zip(*(columns[name] for name in sorted(columns)), strict=True), key=repr)


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
    written = write_dashboard(tmp_path / "page.html", **environment)
    assert written.returncode == 1
    assert written.stderr.startswith("The dashboard was not written: ")
    assert sentence in written.stderr
    assert "Traceback" not in written.stderr
    assert not (tmp_path / "page.html").exists()


# ---- Size

# Sales of 100 products of five apps in 84 months, in eight marketplaces, and 2,000 subscribers.
LARGE = """
    create temp table markets as select * from (values
        (0, 'US', 'Amazon.com', 'USD', 0.6), (1, 'GB', 'Amazon.co.uk', 'GBP', 0.4),
        (2, 'DE', 'Amazon.de', 'EUR', 0.4), (3, 'FR', 'Amazon.fr', 'EUR', 0.2),
        (4, 'JP', 'Amazon.co.jp', 'JPY', 0.2), (5, 'CA', 'Amazon.ca', 'CAD', 0.2),
        (6, 'AU', 'Amazon.com.au', 'AUD', 0.1), (7, 'BR', 'Amazon.com.br', 'BRL', 0.1)
    ) as markets (market, country, marketplace, currency, share);

    create temp table charges as
    select product, market, cast(day as date) as day, null as subscriber
    from range(100) as products (product), markets, range(3) as repeats (repeat),
        generate_series(date '2019-12-01', date '2026-11-17', interval '1 day') as days (day)
    where (product < 5 or product % 5 > 0)
        and hash(product, market, day, repeat) % 1000 < 1000 * share / (1 + product % 10)
    union all
    select
        subscriber % 19 * 5 + 5, subscriber % 8,
        cast(date '2019-12-01' + cast(subscriber as integer) + interval (month) month as date),
        'user' || subscriber
    from range(2000) as subscribers (subscriber), range(24) as months (month)
    where month < 2 + subscriber % 23;

    insert into {raw}.sales by name
    select
        'line' || row_number() over () as line_id,
        date_trunc('month', day) as report_month,
        least(date_trunc('month', day) + interval '33 day', timestamp '2026-11-18 06:00')
            as report_last_modified,
        marketplace,
        country as country_region_code,
        line_id as transaction_id,
        line_id as digital_order_id,
        day + interval '12 hour' as transaction_at,
        day as transaction_date,
        'Charge' as transaction_type,
        false as adjustment,
        'B' || product as asin,
        'com.example.' || product as vendor_sku,
        'App ' || product % 5 as title,
        'Product ' || product as item_name,
        case
            when subscriber is not null then 'Subscription'
            when product < 5 then 'Application'
            else 'In-App'
        end as item_type,
        case when subscriber is not null then 'Monthly' end as in_app_subscription_term,
        case when subscriber is not null then 'PAID' end as in_app_subscription_status,
        subscriber as app_user_id,
        1 + product % 3 as units,
        currency as marketplace_currency,
        0.99 + product % 20 as sales_price,
        round(sales_price * 0.7, 2) as estimated_earnings,
        case hash(line_id) % 3
            when 0 then 'Fire TV' when 1 then 'Fire Tablet' else 'Others'
        end as device_type
    from charges inner join markets using (market)
    where day <= date '2026-11-17'
"""


@pytest.mark.slow
@in_chromium
def test_seven_years_of_a_hundred_products_fit(
    make_account: Callable[..., Account], show: Callable[..., View]
) -> None:
    def load(warehouse: Warehouse) -> None:
        warehouse.execute(LARGE.format(raw=warehouse.raw))

    account = make_account("large", load, "sales")
    assert account.value("select count(distinct vendor_sku) from {product_report}") == 100
    assert account.value("select count(distinct date_month) from {overview_report}") == 84
    assert account.path.stat().st_size <= LARGEST

    view = show(account.path, "period=all&grain=month")
    net = account.value("select sum(net_sales) from {overview_report} where currency = 'EUR'")
    assert view.tile("net-sales") == net
    assert len([row for row in view.table("revenue") if row["Month"] != "Total"]) == 84
    assert len(view.table("products")) == 100
    assert len(view.page.pdf(prefer_css_page_size=True)) > 100_000
