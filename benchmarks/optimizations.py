"""What each optimization saves: reading and writing of one report in this process, without it."""

from __future__ import annotations

import os
import statistics
import time
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from tap_amazon_appstore.output import messages
from tap_amazon_appstore.output.records import RecordOutput
from tap_amazon_appstore.reading import line_ids, reader, timestamps, values
from tap_amazon_appstore.reading.archive import check_file
from tap_amazon_appstore.streams import SalesStream
from tap_amazon_appstore.tap import TapAmazonAppstore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def measure(report: Path, runs: int) -> dict[str, float]:
    """Return the CPU time without each optimization, as a ratio to the time with all of them.

    Args:
        report: a ZIP of a sales report.
        runs: how often all variants run, in turns; the ratios are medians.
    """
    config = {"client_id": "id", "client_secret": "secret"}
    stream = SalesStream(TapAmazonAppstore(config=config))
    read = partial(_read, stream, report)
    variants: dict[str, Callable[[], float]] = {
        "all of them": read,
        "distinct cells parsed once": partial(_replace, read, values, "_MAX_CELLS", 0),
        "times by the half hour": partial(
            _replace, read, timestamps.TimestampReader, "read", _read_each
        ),
        "buckets of digests": partial(_replace, read, line_ids.LineIds, "count", _count_by_dict),
        "numbers encoded as they are parsed": partial(read, parse=values.parse_decimal),
        "chunks of 256 rows: 64": partial(_replace, read, reader, "_CHUNK", 64),
        "chunks of 256 rows: 4,096": partial(_replace, read, reader, "_CHUNK", 4096),
        "a buffer of 256 KB: 8 KB": partial(_replace, read, messages, "_BUFFER_SIZE", 8192),
    }
    ratios: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(runs):
        seconds = {name: variant() for name, variant in variants.items()}
        for name, value in seconds.items():
            ratios[name].append(value / seconds["all of them"])
    return {name: statistics.median(found) for name, found in ratios.items()}


def _read(
    stream: SalesStream, report: Path, parse: Callable[[str], Any] = values.parse_json_number
) -> float:
    """Read a report into records, and return the CPU seconds that it took."""
    columns = stream.selected_columns()
    constants = {"report_month": "2024-03-01", "report_last_modified": "2024-04-03T12:30:00+00:00"}
    with report.open("rb") as file, Path(os.devnull).open("w", encoding="utf-8") as nothing:
        file_format = check_file(file, layout=stream.layout, is_complete=True)
        with redirect_stdout(nothing):
            started = time.process_time()
            writer = messages.MessageWriter()
            output = RecordOutput("sales", columns, stream.stream_maps, writer)
            report_reader = reader.ReportReader(stream.layout, constants, columns, parse)
            output.write(report_reader.read(file, file_format))
            return time.process_time() - started


def _replace(read: Callable[[], float], owner: Any, name: str, value: object) -> float:  # noqa: ANN401
    with patch.object(owner, name, value):
        return read()


def _read_each(
    self: timestamps.TimestampReader, cells: Iterable[str], marketplaces: Iterable[str]
) -> timestamps.TimeColumns:
    columns = timestamps.TimeColumns([], [], [])
    for cell, marketplace in zip(cells, marketplaces, strict=True):
        timestamp = self._read_one(cell, marketplace)
        columns.at.append(timestamp.at)
        columns.day.append(timestamp.day)
        columns.written.append(line_ids.normalize_time(cell))
    return columns


def _count_by_dict(self: line_ids.LineIds, digests: Iterable[bytes]) -> list[int]:
    seen: dict[bytes, int] = vars(self).setdefault("seen", {})
    counts = []
    for digest in digests:
        seen[digest] = seen.get(digest, 0) + 1
        counts.append(seen[digest])
    return counts
