"""A tap as the SDK's template makes it: rows of strings from `csv.DictReader`.

With `--fast` it has the SDK's public settings that make it faster: no conformance of types, and
messages encoded by msgspec.
"""

from __future__ import annotations

import csv
import io
import sys
import zipfile
from typing import TYPE_CHECKING, Any

from singer_sdk import Stream, Tap
from singer_sdk import typing as th
from singer_sdk.contrib.msgspec import MsgSpecWriter
from singer_sdk.helpers.conform import TypeConformanceLevel

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def rows(path: str) -> Iterator[dict[str, str]]:
    """Yield the rows of the CSV files of a ZIP."""
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            with archive.open(name) as member:
                yield from csv.DictReader(io.TextIOWrapper(member, "utf-8-sig", newline=""))


class SalesStream(Stream):
    """The report as it stands."""

    name = "sales"

    def get_records(self, context: Mapping[str, Any] | None) -> Iterator[dict[str, Any]]:  # noqa: ARG002
        """Yield the rows."""
        yield from rows(self.config["path"])


class PlainTap(Tap):
    """The plain tap."""

    name = "tap-plain"
    config_jsonschema = th.PropertiesList(th.Property("path", th.StringType)).to_dict()

    def discover_streams(self) -> list[Stream]:
        """Return the one stream, with a string for each column."""
        header = next(iter(rows(self.config["path"])))
        schema = th.PropertiesList(*(th.Property(name, th.StringType) for name in header))
        return [SalesStream(self, schema=schema.to_dict())]


if __name__ == "__main__":
    if "--fast" in sys.argv:
        SalesStream.TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE
        PlainTap.message_writer_class = MsgSpecWriter
    PlainTap(config={"path": sys.argv[1]}).sync_all()
