"""Runs of the tap in this process, with report files from memory instead of Amazon's."""

from __future__ import annotations

import copy
import io
import json
import logging
from collections import Counter
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from sandbox import make_csv, make_zip
from tap_amazon_appstore.client import Download, FileVersion, Outcome
from tap_amazon_appstore.tap import TapAmazonAppstore, _RunStopped
from tests.conftest import catalog_with
from tests.data import sale

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

CONFIG = {
    "client_id": "amzn1.application-oa2-client.test",
    "client_secret": "test",
    "start_date": "2024-01-15",
    "end_date": "2024-05-31",
}
MODIFIED = datetime(2024, 7, 3, 12, 30, tzinfo=timezone.utc)


@dataclass
class MemoryClient:
    """What `ReportingClient` does for streams, with files from memory."""

    has_versions: bool = True
    """Whether responses have ETag and Last-Modified."""

    files: dict[tuple[str, str], bytes] = field(default_factory=dict)
    """Archives by report and period; an empty one is a response without a body."""

    failures: dict[tuple[str, str], Exception] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)

    def publish(self, period: str, rows: int = 4, report: str = "sales", edition: int = 1) -> None:
        """Publish a report of transactions that are the same each time."""
        items = [
            sale(Transaction_Id=f"{period}-{number}", Title=f"edition {edition}")
            for number in range(rows)
        ]
        self.put(report, period, items)

    def put(self, report: str, period: str, rows: Iterable[Mapping[str, str]]) -> None:
        """Publish a report of these rows."""
        self.files[report, period] = make_zip({f"{report}.csv": make_csv(rows)})

    def fetch(
        self,
        report: str,
        period: str,
        known: FileVersion | None,
        check: Callable[..., Any],
    ) -> Download | Outcome:
        """Return a report's file."""
        self.requests.append((report, period))
        if failure := self.failures.get((report, period)):
            raise failure
        content = self.files.get((report, period))
        if content is None:
            return Outcome.NO_REPORT
        if not content:
            return Outcome.EMPTY
        version = FileVersion(None, None)
        if self.has_versions:
            version = FileVersion(f'"{hash(content)}"', "Wed, 03 Jul 2024 12:30:00 GMT")
            if version == known:
                return Outcome.UNCHANGED
        file = io.BytesIO(content)
        checked = check(file, is_complete=False)
        return Download(file, version, MODIFIED, len(content), checked)

    def fetch_all(
        self,
        report: str,
        periods: Iterable[str],
        known: Mapping[str, FileVersion],
        check: Callable[..., Any],
    ) -> Iterator[tuple[str, Download | Outcome]]:
        """Yield reports' files in order."""
        for period in periods:
            yield period, self.fetch(report, period, known.get(period), check)


@dataclass
class Finished:
    """What a run left behind."""

    output: bytes
    failures: list[str]
    logs: list[tuple[str, str]]
    """Levels and texts."""

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The Singer messages."""
        return [json.loads(line, parse_float=str) for line in self.output.splitlines()]

    def records(self, stream: str = "sales") -> list[dict[str, Any]]:
        """The records under a stream's name."""
        return [
            message["record"]
            for message in self.messages
            if message["type"] == "RECORD" and message["stream"] == stream
        ]

    def months(self, stream: str = "sales") -> dict[str, int]:
        """How many records each month has."""
        return dict(Counter(record["report_month"][:7] for record in self.records(stream)))

    @property
    def states(self) -> list[dict[str, Any]]:
        """The values of STATE messages."""
        return [message["value"] for message in self.messages if message["type"] == "STATE"]

    @property
    def state(self) -> dict[str, Any]:
        """The last state."""
        return self.states[-1] if self.states else {}

    def log(self, level: str) -> list[str]:
        """The texts of a level."""
        return [text for name, text in self.logs if name == level]


class _Collect(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.logs: list[tuple[str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.logs.append((record.levelname, record.getMessage()))


def run(
    client: MemoryClient,
    state: dict[str, Any] | None = None,
    *,
    selected: Collection[str] = ("sales",),
    method: str = "INCREMENTAL",
    catalog: dict[str, Any] | None = None,
    **settings: object,
) -> Finished:
    """Run the tap to its end."""
    handler = _Collect()
    loggers = [logging.getLogger(name) for name in ("tap-amazon-appstore", "singer_sdk.metrics")]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    buffer = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="")
    try:
        with redirect_stdout(buffer):
            tap = TapAmazonAppstore(
                config={**CONFIG, **settings},
                catalog=catalog or catalog_with(selected=selected, replication_method=method),
                state=copy.deepcopy(state),
            )
            vars(tap)["client"] = client
            with suppress(_RunStopped):
                tap.sync_all()
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
    return Finished(buffer.buffer.getvalue(), tap.failures, handler.logs)


def merge(source: dict[str, Any], target: dict[str, Any]) -> dict[str, Any]:
    """Merge states as Meltano does when a run is interrupted."""
    for key, value in source.items():
        if isinstance(value, dict):
            merge(value, target.setdefault(key, {}))
        else:
            target[key] = value
    return target
