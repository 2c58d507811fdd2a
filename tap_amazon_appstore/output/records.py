"""Records on standard output, byte for byte as the SDK writes them.

The SDK's own way costs more than reading the report: for each record it conforms the types of all
values, looks up the selection of all columns, makes a message object, encodes it, writes it and
flushes. Here a chunk of rows becomes bytes in one go. A test compares both ways.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from singer_sdk.mapper import RemoveRecordTransform

from tap_amazon_appstore.output.stream_maps import mapping_errors, passes_through, rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from singer_sdk.mapper import StreamMap

    from tap_amazon_appstore.output.messages import MessageWriter
    from tap_amazon_appstore.reading.reader import Chunk


class RecordOutput:
    """Writes one stream's rows as RECORD messages, under each of its stream maps' names."""

    def __init__(
        self,
        stream: str,
        columns: Sequence[str],
        stream_maps: Sequence[StreamMap],
        writer: MessageWriter,
    ) -> None:
        """Prepare to write rows of `columns`."""
        self._stream = stream
        self._columns = columns
        self._maps = [item for item in stream_maps if not isinstance(item, RemoveRecordTransform)]
        self._writer = writer
        self._record = msgspec.defstruct("Record", columns)
        self._count = 0
        self._written_before = writer.written
        self.is_unmapped = [*map(passes_through, self._maps)] == [True]
        """Whether all rows are written as they are, once."""

    def write(self, chunks: Iterable[Chunk]) -> int:
        """Write a month's rows, all of them on standard output when this returns.

        Returns:
            How many RECORD messages there were.

        Raises:
            FatalSyncError: a stream map failed.
            OutputError: standard output cannot be written to.
        """
        before = self._count
        for chunk in chunks:
            if self.is_unmapped:
                records = list(map(self._record, *chunk.columns))
                self._writer.write_records(self._maps[0].stream_alias, records)
                self._count += chunk.rows
            else:
                self._write_mapped(chunk)
        self._writer.flush()
        return self._count - before

    def _write_mapped(self, chunk: Chunk) -> None:
        with mapping_errors(self._stream, self._maps):
            for row in rows(self._columns, chunk.columns):
                for stream_map in self._maps:
                    # A map may change its record, and the next one needs it as it is.
                    record = stream_map.transform(row.copy())
                    if record is not None:
                        self._writer.write_records(stream_map.stream_alias, [record])
                        self._count += 1

    def unwritten(self) -> int:
        """Return how many records were handed to the writer and not written: 0, or a bug."""
        return self._count - (self._writer.written - self._written_before)
