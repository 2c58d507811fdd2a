"""The same rows through dlt to a local file."""

from __future__ import annotations

import sys
from pathlib import Path

import dlt

from benchmarks.plain_sdk_tap import rows


def main(path: str, directory: str) -> None:
    """Load the rows of a ZIP's CSV files to a folder."""
    pipeline = dlt.pipeline(
        "benchmark",
        destination=dlt.destinations.filesystem(Path(directory).as_uri()),
        dataset_name="sales",
        pipelines_dir=directory,
    )
    pipeline.run(rows(path), table_name="sales")


if __name__ == "__main__":
    main(*sys.argv[1:])
