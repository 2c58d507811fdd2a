"""The short way of records to standard output.

The SDK's way costs more than reading the report does: for each record it conforms the types of all
values, looks up the selection of all columns, applies stream maps, makes a message object, encodes
it, writes it, flushes it, and keeps the state. Where none of this can change the record, its bytes
are encoded straight into a buffer. They are the same, byte for byte; a test compares both ways.

This leans on these members of the SDK, all of them here: `Stream._sync_records`, `stream_maps`,
`_write_record_message`, `mask`, `effective_schema`, `child_streams`, `_stream_version`,
`_finalize_state`, `_write_state_message`, `get_record_counter`, `get_sync_timer` and
`ABORT_AT_RECORD_COUNT`.
"""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any

from singer_sdk import Stream
from singer_sdk.mapper import SameRecordTransform

from tap_amazon_appstore.output.stream_maps import stream_map_errors
from tap_amazon_appstore.reading.values import parse_json_number, parse_number

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

    from tap_amazon_appstore.reading.reader import Record
    from tap_amazon_appstore.tap import TapAmazonAppstore


class FastRecordsStream(Stream, abc.ABC):
    """A stream whose records have exactly the types of its schema."""

    _tap: TapAmazonAppstore

    @abc.abstractmethod
    def read_months(
        self,
        columns: Sequence[str] | None = None,
        parse_number: Callable[[str], Any] = parse_number,
    ) -> Iterator[Iterator[Record]]:
        """Yield the records of each month, with these columns, each to be read to its end."""

    def _sync_records(
        self, context: Mapping[str, Any] | None = None, *, write_messages: bool = True
    ) -> Generator[dict[str, Any], None, None]:
        if not (write_messages and self._passes_records_through()):
            yield from super()._sync_records(context, write_messages=write_messages)
            return
        with self.get_record_counter() as counter, self.get_sync_timer():
            for records in self.read_months(self.selected_columns(), parse_json_number):
                count = self._tap.message_writer.write_records(self.name, records)
                counter.increment(count)
        self._finalize_state(self.stream_state)
        self._write_state_message()

    def _write_record_message(self, record: dict[str, Any]) -> None:
        """Write a record the SDK's way, which is where stream maps are applied."""
        with stream_map_errors(self.name, self.stream_maps):
            super()._write_record_message(record)

    def _passes_records_through(self) -> bool:
        """Tell whether the SDK would only leave out columns of the records."""
        (stream_map, *more_maps) = self.stream_maps
        return (
            not more_maps
            and type(stream_map) is SameRecordTransform
            and not stream_map.flattening_enabled
            and not self.child_streams
            and self._stream_version is None
            and self.ABORT_AT_RECORD_COUNT is None
        )

    def selected_columns(self) -> list[str]:
        """Return the columns that are selected and that the catalog knows."""
        known = self.effective_schema["properties"]
        return [
            name
            for name in self.schema["properties"]
            if name in known and self.mask["properties", name]
        ]
