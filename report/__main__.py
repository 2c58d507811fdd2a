"""Write the page: `python -m report [--output FILE] [--schema NAME]`."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from report.figures import read_figures
from report.marts import QUERIES
from report.page import render
from report.warehouse import WarehouseError, connect

if TYPE_CHECKING:
    from collections.abc import Sequence

OUTPUT = Path("output", "amazon_appstore.html")


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the marts and write the page; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        with connect(options.schema) as warehouse:
            figures = read_figures(warehouse)
        _write(options.output, render(figures, made_at=datetime.now(timezone.utc)))
    except (WarehouseError, OSError) as error:
        sys.stderr.write(f"The page was not made: {error}\n")
        return 1
    if figures.missing:
        sys.stderr.write(f"The page lacks what these marts hold: {', '.join(figures.missing)}\n")
    sys.stderr.write(f"The page is at {options.output}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m report",
        description="Writes one HTML file, complete in itself, from the marts of the dbt package "
        "amazon_appstore.",
        epilog="The marts are found by the environment variables of transform/profiles.yml: "
        "DBT_TARGET (postgres or duckdb), DBT_POSTGRES_… and DBT_DUCKDB_…. "
        f"Read are {', '.join(query.mart for query in QUERIES.values())}.",
    )
    parser.add_argument(
        "--output", type=Path, default=OUTPUT, metavar="FILE", help="where to (%(default)s)"
    )
    parser.add_argument(
        "--schema", metavar="NAME", help="where the marts are, if not where the profile says"
    )
    return parser


def _write(path: Path, page: str) -> None:
    """Write a page so that who opens the file meanwhile finds the former one, or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.new")
    draft.write_text(page, encoding="utf-8", newline="\n")
    draft.replace(path)


if __name__ == "__main__":
    sys.exit(main())
