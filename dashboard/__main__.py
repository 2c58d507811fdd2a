"""Write the dashboard: `python -m dashboard [--output FILE] [--schema NAME]`."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from dashboard.data import ACCOUNTS, MARTS
from dashboard.render import LARGEST, make_page
from dashboard.warehouse import WarehouseError, connect

if TYPE_CHECKING:
    from collections.abc import Sequence

OUTPUT = Path("output", "amazon_appstore.html")


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the marts and write the dashboard; return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        with connect(options.schema) as warehouse:
            page, missing = make_page(warehouse, datetime.now(timezone.utc))
        _write(options.output, page)
    except (WarehouseError, OSError) as error:
        sys.stderr.write(f"The dashboard was not written: {error}\n")
        return 1
    if missing:
        sys.stderr.write(f"Missing marts: {', '.join(missing)}. Run `dbt build` to create them.\n")
    if (size := options.output.stat().st_size) > LARGEST:
        sys.stderr.write(
            f"The dashboard has {size / 1e6:.1f} MB, more than the {LARGEST / 1e6:.1f} MB intended, "
            "although it has no days and only the first products of each app.\n"
        )
    sys.stderr.write(f"The dashboard is at {options.output}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m dashboard",
        description="Write one self-contained HTML file from the marts of the dbt package "
        "amazon_appstore.",
        epilog="The marts are found by the environment variables of transform/profiles.yml: "
        "DBT_TARGET (postgres or duckdb), DBT_POSTGRES_… and DBT_DUCKDB_…. "
        f"It reads {', '.join((ACCOUNTS, *MARTS.values()))}.",
    )
    parser.add_argument(
        "--output", type=Path, default=OUTPUT, metavar="FILE", help="where to (%(default)s)"
    )
    parser.add_argument(
        "--schema", metavar="NAME", help="where the marts are, if not where the profile says"
    )
    return parser


def _write(path: Path, page: str) -> None:
    """Write a page at once: a reader of the file gets the former one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.new")
    draft.write_text(page, encoding="utf-8", newline="\n")
    draft.replace(path)


if __name__ == "__main__":
    sys.exit(main())
