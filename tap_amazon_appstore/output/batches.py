"""Records as files (`batch_config`), for warehouses that load files faster than messages.

The SDK's own batches leave out the selection of columns and stream maps, guess a Parquet schema
for each file, and write under the final name. These files hold what the records would have held.
"""

from __future__ import annotations

import abc
import gzip
import math
import re
import sys
from contextlib import contextmanager, suppress
from decimal import Context, Decimal, Inexact, InvalidOperation
from itertools import count, islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from uuid import uuid4

import msgspec
from singer_sdk import Stream
from singer_sdk.contrib.msgspec import encoder
from singer_sdk.exceptions import FatalSyncError, MappingError
from singer_sdk.helpers._batch import SDKBatchMessage
from singer_sdk.mapper import RemoveRecordTransform
from upath import UPath

from tap_amazon_appstore.output.stream_maps import stream_map_errors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa
    from singer_sdk.helpers._batch import BatchConfig
    from singer_sdk.mapper import StreamMap

    from tap_amazon_appstore.reading.reader import Record
    from tap_amazon_appstore.tap import TapAmazonAppstore

Rows = list[dict[str, Any]]

# Records that are in memory at a time.
_CHUNK = 2_000

# Rows that a Parquet file has together, about. More take more memory, in Arrow's columns.
_ROW_GROUP = 20_000

# Digits of decimals, all of them and those behind the point: what `cells.parse_number` lets pass.
_DECIMAL = (38, 18)
_UNIT = Decimal(1).scaleb(-_DECIMAL[1])
_EXACT = Context(prec=_DECIMAL[0], traps=[InvalidOperation, Inexact])
_NEAREST = Context(prec=_DECIMAL[0], traps=[InvalidOperation])


class BatchesStream(Stream, abc.ABC):
    """A stream whose records can go out in files, none of which spans two months."""

    _tap: TapAmazonAppstore

    @abc.abstractmethod
    def read_months(self, columns: Sequence[str] | None = None) -> Iterator[Iterator[Record]]:
        """Yield the records of each month, with these columns, each to be read to its end."""

    @abc.abstractmethod
    def selected_columns(self) -> list[str]:
        """Return the columns that are selected."""

    def _sync_batches(
        self,
        batch_config: BatchConfig,
        context: Mapping[str, Any] | None = None,  # noqa: ARG002
    ) -> None:
        maps = [item for item in self.stream_maps if not isinstance(item, RemoveRecordTransform)]
        outputs = [_Output(batch_config, self, stream_map) for stream_map in maps]
        chunks_in_file = math.ceil(batch_config.batch_size / _CHUNK)
        chunk_size = batch_config.batch_size // chunks_in_file
        try:
            # A month's state is written when the next one is asked for: after its last file.
            for records in self.read_months(self.selected_columns()):
                for number in count(1):
                    chunk = list(map(msgspec.structs.asdict, islice(records, chunk_size)))
                    for output in outputs:
                        output.write(chunk)
                        if not chunk or number % chunks_in_file == 0:
                            self._write_batches(output.finish())
                    if not chunk:
                        break
        finally:
            for output in outputs:
                output.discard()
        self._finalize_state(self.stream_state)
        self._write_state_message()

    def _write_batches(self, messages: Iterator[SDKBatchMessage]) -> None:
        for message in messages:
            self._tap.write_message(message)
            self.logger.info("%s: wrote %s", message.stream, message.manifest[0])


class _Output:
    """The files of one stream, one after the other."""

    def __init__(self, config: BatchConfig, stream: Stream, stream_map: StreamMap) -> None:
        self._config = config
        self._stream = stream.name
        self._map = stream_map
        self._prefix = f"{config.storage.prefix or ''}{stream.tap_name}--{stream_map.stream_alias}"
        self._file: _BatchFile | None = None

    def write(self, chunk: Rows) -> None:
        """Map records and write them to the current file, or to a new one."""
        with stream_map_errors(self._stream, [self._map]):
            # A map may change the record that it is given, and the next one needs it as it is.
            mapped = (self._map.transform(record.copy()) for record in chunk)
            rows = [row for row in mapped if row is not None]
        if not rows:
            return
        if self._file is None:
            name = f"{self._prefix}-{uuid4()}"
            self._file = _BatchFile(self._config, name, self._map.transformed_schema)
        with stream_map_errors(self._stream, [self._map]):
            content = self._file.encode(rows)
        self._file.write(content)

    def finish(self) -> Iterator[SDKBatchMessage]:
        """Complete the current file, if there is one, and yield the message about it."""
        if self._file is not None:
            url = self._file.complete()
            self._file = None
            yield SDKBatchMessage(
                stream=self._map.stream_alias, encoding=self._config.encoding, manifest=[url]
            )

    def discard(self) -> None:
        """Leave nothing of a file that is not complete."""
        if self._file is not None:
            self._file.discard()
            self._file = None


class _BatchFile:
    """A file that has its name when it is complete, and not before."""

    def __init__(self, config: BatchConfig, name: str, schema: Mapping[str, Any]) -> None:
        encode, suffix = _ENCODERS[config.encoding.format]
        compression = None if config.encoding.compression == "none" else config.encoding.compression
        name += suffix + (".gz" if compression == "gzip" and encode is _JSONLines else "")
        self._root = config.storage.root
        with self._explaining():
            self._path = UPath(self._root, **config.storage.params) / name
            # An object in a bucket is there when its upload ends; a file on disk is at once.
            self._is_local = getattr(self._path.fs, "local_file", False)
            if self._is_local:
                self._path.parent.mkdir(parents=True, exist_ok=True)
            self._part = (
                self._path.with_name(f".{self._path.name}.part") if self._is_local else self._path
            )
            self._file = self._part.open("wb")
            self._encoder: _JSONLines | _Parquet = encode(self._file, schema, compression)

    def encode(self, rows: Rows) -> Any:  # noqa: ANN401 - each format has its own
        """Return records as `write` takes them.

        Raises:
            MappingError: a column cannot hold what a record has for it.
        """
        return self._encoder.encode(rows)

    def write(self, content: Any) -> None:  # noqa: ANN401
        """Add records that `encode` returned."""
        with self._explaining():
            self._encoder.write(content)

    def complete(self) -> str:
        """Give the file its name; returns its URL."""
        with self._explaining():
            self._encoder.close()
            self._file.close()
            if self._is_local:
                Path(self._part.path).replace(self._path.path)
            return str(self._path.as_uri())

    def discard(self) -> None:
        """Remove what has been written, as far as the file system lets it."""
        # What it does not let is no news: why the file is discarded is what has to be said.
        with suppress(Exception):
            self._encoder.discard()
        if self._is_local:
            with suppress(OSError):
                self._file.close()
            with suppress(OSError):
                self._part.unlink()
        else:
            with suppress(Exception):
                self._file.discard()
            # It would go on with the upload when it is collected.
            self._file.closed = True

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        """Turn whatever a file system raises into a sentence: its own words can hold anything."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - each file system has errors of its own
            # What stands before the host can be a secret.
            root = re.sub("//[^/]*@", "//", self._root)
            reason = getattr(error, "strerror", None) or type(error).__name__
            message = (
                f"Batch files cannot be written to {root} ({reason}); check batch_config, what it "
                "may write to, and the room there"
            )
        else:
            return
        raise FatalSyncError(message)


class _JSONLines:
    """One JSON object a line, as RECORD messages have them."""

    def __init__(self, file: IO[bytes], schema: Mapping[str, Any], compression: str | None) -> None:  # noqa: ARG002
        self._file = gzip.GzipFile(fileobj=file, mode="wb") if compression == "gzip" else file
        self._is_wrapped = self._file is not file

    def encode(self, rows: Rows) -> bytes:
        return encoder.encode_lines(rows)

    def write(self, lines: bytes) -> None:
        self._file.write(lines)

    def close(self) -> None:
        if self._is_wrapped:
            self._file.close()

    def discard(self) -> None:
        self.close()


class _Parquet:
    """Columns of the types that the schema has, the same in all files of a stream."""

    def __init__(self, file: IO[bytes], schema: Mapping[str, Any], compression: str | None) -> None:
        import pyarrow as pa  # noqa: PLC0415 - of an extra
        import pyarrow.parquet as pq  # noqa: PLC0415

        self._pa = pa
        self._schema = pa.schema(
            [(name, self._type(kind)) for name, kind in schema["properties"].items()]
        )
        self._writer = pq.ParquetWriter(file, self._schema, compression=compression or "snappy")
        self._pending: list[pa.RecordBatch] = []

    def _type(self, definition: Mapping[str, Any]) -> pa.DataType:
        pa = self._pa
        kinds = definition.get("type", [])
        for kind, data_type in (
            ("integer", pa.int64()),
            ("number", pa.decimal128(*_DECIMAL)),
            ("boolean", pa.bool_()),
        ):
            if kind in kinds:
                return data_type
        formats = {"date": pa.date32(), "date-time": pa.timestamp("us", tz="UTC")}
        return formats.get(definition.get("format", ""), pa.string())

    def encode(self, rows: Rows) -> pa.RecordBatch:
        columns = [
            self._column(field, [row.get(field.name) for row in rows]) for field in self._schema
        ]
        return self._pa.record_batch(columns, schema=self._schema)

    def _column(self, field: pa.Field, values: list[Any]) -> pa.Array:
        pa = self._pa
        kind = field.type
        try:
            if pa.types.is_integer(kind):
                return pa.array(map(_integer, values), kind)
            if pa.types.is_decimal(kind):
                return pa.array(map(_decimal, values), kind)
            if pa.types.is_boolean(kind):
                return pa.array(values, kind)
            if not set(map(type, values)) <= _TEXTS:
                values = list(map(_text, values))
            return pa.array(values, pa.string()).cast(kind)
        except (ValueError, TypeError, ArithmeticError):
            message = f"a value does not fit the Parquet column {field.name} of type {kind}"
        raise MappingError(message)

    def write(self, batch: pa.RecordBatch) -> None:
        self._pending.append(batch)
        if sum(batch.num_rows for batch in self._pending) >= _ROW_GROUP:
            self._write_row_group()

    def close(self) -> None:
        self._write_row_group()
        self._writer.close()

    def discard(self) -> None:
        # It would close itself when it is collected, and complain that its file is closed.
        self._writer.is_open = False

    def _write_row_group(self) -> None:
        self._writer.write_table(self._pa.Table.from_batches(self._pending, self._schema))
        self._pending.clear()


_TEXTS = frozenset({str, type(None)})


def _text(value: object) -> str | None:
    """Return the text of a record's value, which is JSON if it is none there either."""
    json = encoder.encode(value)
    content = msgspec.json.decode(json)
    return content if content is None or isinstance(content, str) else json.decode()


def _integer(value: object) -> int | None:
    """Return the integer that equals a record's value.

    Raises:
        TypeError, ValueError, ArithmeticError: there is none.
    """
    if value is None or type(value) is int:
        return value
    if _is_no_number(value):
        return None
    if not isinstance(value, (float, Decimal)):
        raise TypeError
    if value != int(value):
        raise ValueError
    return int(value)


def _decimal(value: object) -> Decimal | None:
    """Return the decimal that equals a record's value.

    A float is one of many decimals that are the same to it. The nearest one will do if it has the
    digits that a float keeps.

    Raises:
        TypeError, ValueError, ArithmeticError: there is none.
    """
    if value is None or _is_no_number(value):
        return None
    if isinstance(value, float):
        exact = Decimal(repr(value))
        number = exact.quantize(_UNIT, context=_NEAREST)
        if number != exact and number.adjusted() + _DECIMAL[1] + 1 < sys.float_info.dig:
            raise ValueError
        return number
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise TypeError
    return Decimal(value).quantize(_UNIT, context=_EXACT)


def _is_no_number(value: object) -> bool:
    """Tell whether a value is a float that JSON has no number for: in a record it is null."""
    return isinstance(value, float) and not math.isfinite(value)


_ENCODERS: dict[str, tuple[type[_JSONLines | _Parquet], str]] = {
    "jsonl": (_JSONLines, ".jsonl"),
    "parquet": (_Parquet, ".parquet"),
}
