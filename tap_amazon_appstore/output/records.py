"""Records on standard output, byte for byte as the SDK writes them.

The SDK's own way costs more than reading the report: for each record it conforms the types of all
values, looks up the selection of all columns, makes a message object, encodes it, writes it and
flushes. Here a chunk of rows becomes bytes in one go. A test compares both ways.
"""

from __future__ import annotations

from collections import Counter
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
        self._counts: Counter[str] = Counter()
        self._written_before = writer.written.copy()

    @property
    def is_unmapped(self) -> bool:
        """Whether all rows are written as they are, once."""
        return [*map(passes_through, self._maps)] == [True]

    def write(self, chunks: Iterable[Chunk]) -> int:
        """Write a month's rows, all of them on standard output when this returns.

        Returns:
            How many RECORD messages there were.

        Raises:
            FatalSyncError: a stream map failed.
            OutputError: standard output cannot be written to.
        """
        before = self._counts.total()
        for chunk in chunks:
            if self.is_unmapped:
                records = map(self._record, *chunk.columns)
                name = self._maps[0].stream_alias
                self._counts[name] += self._writer.write_records(name, records)
            else:
                self._write_mapped(chunk)
        self._writer.flush()
        return self._counts.total() - before

    def _write_mapped(self, chunk: Chunk) -> None:
        for row in rows(self._columns, chunk.columns):
            for stream_map in self._maps:
                # A map may change the record that it is given, and the next one needs it as it is.
                with mapping_errors(self._stream, self._maps):
                    record = stream_map.transform(row.copy())
                    if record is not None:
                        name = stream_map.stream_alias
                        self._counts[name] += self._writer.write_records(name, [record])

    def unwritten(self) -> int:
        """Return how many records were handed to the writer and not written: 0, or a bug."""
        self._writer.flush()
        written = self._writer.written - self._written_before
        return sum(abs(self._counts[name] - written[name]) for name in {*self._counts, *written})

    def close(self) -> None:
        """Do nothing: no file is open."""
