"""Parquet files with the column types of a stream's schema, the same in all files of the stream."""

from __future__ import annotations

import math
import sys
from decimal import Context, Decimal, Inexact, InvalidOperation
from typing import IO, TYPE_CHECKING, Any

import msgspec
from singer_sdk.contrib.msgspec import encoder
from singer_sdk.exceptions import MappingError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa

    _Convert = Callable[[Sequence[Any], pa.DataType], pa.Array]

# Rows of a row group, about. More take more memory, in Arrow's columns.
_ROW_GROUP = 20_000

# Digits of decimals, all of them and those behind the point: what the reader lets pass.
_DECIMAL = (38, 18)
_UNIT = Decimal(1).scaleb(-_DECIMAL[1])
_EXACT = Context(prec=_DECIMAL[0], traps=[InvalidOperation, Inexact])
_NEAREST = Context(prec=_DECIMAL[0], traps=[InvalidOperation])


class ParquetEncoder:
    """Encodes rows into one Parquet file."""

    suffix = ".parquet"
    rows = 2048
    """Rows to encode together, at least."""

    def __init__(self, file: IO[bytes], schema: Mapping[str, Any], compression: str | None) -> None:
        """Prepare to write rows of the JSON schema `schema` to `file`."""
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
        formats = {
            "date": pa.date32(),
            "date-time": pa.timestamp("us", tz="UTC"),
            "x-singer.decimal": pa.decimal128(*_DECIMAL),
        }
        for kind, data_type in (
            ("integer", pa.int64()),
            ("number", pa.decimal128(*_DECIMAL)),
            ("boolean", pa.bool_()),
        ):
            if kind in kinds:
                return data_type
        return formats.get(definition.get("format", ""), pa.string())

    def encode_columns(self, columns: Mapping[str, Sequence[Any]]) -> pa.RecordBatch:
        """Encode columns that already have the schema's types.

        Raises:
            MappingError: a column has a value that does not fit its type.
        """
        return self._batch(columns, self._plain_column)

    def encode_rows(self, rows: Sequence[Mapping[str, Any]]) -> pa.RecordBatch:
        """Encode what stream maps made of rows, whose values can have any type.

        Raises:
            MappingError: a value does not fit its column's type.
        """
        columns = {name: [row.get(name) for row in rows] for name in self._schema.names}
        return self._batch(columns, self._mapped_column)

    def write(self, batch: pa.RecordBatch) -> None:
        """Add rows that one of the methods above has encoded."""
        self._pending.append(batch)
        if sum(batch.num_rows for batch in self._pending) >= _ROW_GROUP:
            self._write_row_group()

    def close(self) -> None:
        """Complete the file."""
        self._write_row_group()
        self._writer.close()

    def discard(self) -> None:
        """Give the file up; collected open, the writer would complain about its closed file."""
        self._writer.is_open = False

    def _batch(self, columns: Mapping[str, Sequence[Any]], convert: _Convert) -> pa.RecordBatch:
        missing = [None] * len(next(iter(columns.values())))  # a catalog can have other columns
        arrays = [
            self._column(columns.get(field.name, missing), field, convert) for field in self._schema
        ]
        return self._pa.record_batch(arrays, schema=self._schema)

    def _column(self, values: Sequence[Any], field: pa.Field, convert: _Convert) -> pa.Array:
        try:
            return convert(values, field.type)
        except (ValueError, TypeError, ArithmeticError):
            message = f"a value does not fit the Parquet column {field.name} ({field.type})"
            raise MappingError(message) from None

    def _plain_column(self, values: Sequence[Any], kind: pa.DataType) -> pa.Array:
        pa = self._pa
        if pa.types.is_temporal(kind):
            return pa.array(values, pa.string()).cast(kind)
        if pa.types.is_decimal(kind) and str in {*map(type, values)}:
            # With `use_singer_decimal`, if another stream map needs what records have.
            values = list(map(_decimal, values))
        # Arrow would cut off fractions.
        if pa.types.is_integer(kind) and not {*map(type, values)} <= {int, type(None)}:
            values = list(map(_integer, values))
        return pa.array(values, kind)

    def _mapped_column(self, values: Sequence[Any], kind: pa.DataType) -> pa.Array:
        pa = self._pa
        if pa.types.is_decimal(kind):
            values = list(map(_decimal, values))
        elif not (pa.types.is_boolean(kind) or pa.types.is_integer(kind)) and not set(
            map(type, values)
        ) <= {str, type(None)}:
            values = list(map(_text, values))
        return self._plain_column(values, kind)

    def _write_row_group(self) -> None:
        self._writer.write_table(self._pa.Table.from_batches(self._pending, self._schema))
        self._pending.clear()


def _text(value: object) -> str | None:
    """Return the text of a record's value, which is JSON if it is not text in the record."""
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
    if _is_null_in_json(value):
        return None
    if not isinstance(value, (float, Decimal)):
        raise TypeError
    if value != int(value):
        raise ValueError
    return int(value)


def _decimal(value: object) -> Decimal | None:
    """Return the decimal that equals a record's value.

    A float stands for many decimals: the nearest is right if it has the digits that a float keeps.

    Raises:
        TypeError, ValueError, ArithmeticError: there is none.
    """
    if value is None or _is_null_in_json(value):
        return None
    if isinstance(value, float):
        exact = Decimal(repr(value))
        number = exact.quantize(_UNIT, context=_NEAREST)
        if number != exact and number.adjusted() + _DECIMAL[1] + 1 < sys.float_info.dig:
            raise ValueError
        return number
    if isinstance(value, bool) or not isinstance(value, (int, str, Decimal)):
        raise TypeError
    return Decimal(value).quantize(_UNIT, context=_EXACT)


def _is_null_in_json(value: object) -> bool:
    """Return whether a value is a float that JSON cannot express: a record has null for it."""
    return isinstance(value, float) and not math.isfinite(value)
