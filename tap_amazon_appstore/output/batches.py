"""Records as files (`batch_config`), for warehouses that load files faster than messages.

The SDK's own batches ignore the selection of columns and stream maps, guess a Parquet schema for
each file, and write under the final name. These files hold what the records would have held.
"""

from __future__ import annotations

import functools
import gzip
import re
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from uuid import uuid4

import msgspec
from singer_sdk.contrib.msgspec import encoder
from singer_sdk.exceptions import FatalSyncError
from singer_sdk.helpers._batch import SDKBatchMessage
from singer_sdk.mapper import RemoveRecordTransform
from upath import UPath

from tap_amazon_appstore.output.parquet import ParquetEncoder
from tap_amazon_appstore.output.stream_maps import mapping_errors, passes_through, rows

try:
    import fcntl
except ImportError:  # Windows, which does not remove open files anyway
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from singer_sdk.helpers._batch import BatchConfig
    from singer_sdk.mapper import StreamMap

    from tap_amazon_appstore.output.messages import MessageWriter
    from tap_amazon_appstore.reading.reader import Chunk


class BatchOutput:
    """Writes one stream's rows to files, none of which spans two months."""

    def __init__(  # noqa: PLR0913 - one more than ruff allows
        self,
        stream: str,
        columns: Sequence[str],
        stream_maps: Sequence[StreamMap],
        writer: MessageWriter,
        config: BatchConfig,
        *,
        prefix: str,
        logger: logging.Logger,
    ) -> None:
        """Prepare to write rows of `columns`, to files whose names begin with `prefix`."""
        self._writer = writer
        self._logger = logger
        self._outputs = [
            _MappedOutput(config, stream, columns, item, prefix, self._announce)
            for item in stream_maps
            if not isinstance(item, RemoveRecordTransform)
        ]
        self.is_unmapped = all(output.is_unmapped for output in self._outputs)
        """Whether all rows are written as they are."""

    def write(self, chunks: Iterable[Chunk]) -> int:
        """Write a month's rows to files, with a BATCH message after each.

        Returns:
            How many rows the files have.

        Raises:
            FatalSyncError: a stream map failed, or a file cannot be written.
            OutputError: standard output cannot be written to.
        """
        before = sum(output.handed for output in self._outputs)
        for chunk in chunks:
            for output in self._outputs:
                output.write(chunk)
        for output in self._outputs:
            output.finish()
        return sum(output.handed for output in self._outputs) - before

    def unwritten(self) -> int:
        """Return how many rows no BATCH message has announced: 0, or a bug."""
        return sum(output.handed - output.announced for output in self._outputs)

    def close(self) -> None:
        """Remove files that are not complete."""
        for output in self._outputs:
            output.discard()

    def _announce(self, message: SDKBatchMessage) -> None:
        self._writer.write_message(message)
        self._logger.info("%s: wrote %s", message.stream, message.manifest[0])


class _MappedOutput:
    """The files of one stream map, one after the other."""

    def __init__(  # noqa: PLR0913, PLR0917 - one more than ruff allows
        self,
        config: BatchConfig,
        stream: str,
        columns: Sequence[str],
        stream_map: StreamMap,
        prefix: str,
        announce: Callable[[SDKBatchMessage], None],
    ) -> None:
        self._config = config
        self._stream = stream
        self._columns = columns
        self._map = stream_map
        self._announce = announce
        self.is_unmapped = passes_through(stream_map)
        self._encoder_class = _ENCODERS[config.encoding.format]
        self._prefix = f"{config.storage.prefix or ''}{prefix}--{stream_map.stream_alias}-"
        self._pending: list[list[Any]] = [[] for _ in columns]
        self._file: _BatchFile | None = None
        self.handed = 0
        self.announced = 0
        remove_leftovers(config.storage.root, self._prefix)

    def write(self, chunk: Chunk) -> None:
        """Add rows, and announce each file that they complete."""
        for pending, column in zip(self._pending, chunk.columns, strict=True):
            pending.extend(column)
        if len(self._pending[0]) >= self._encoder_class.rows:
            self._write_pending()

    def finish(self) -> None:
        """Complete and announce the current file, if there is one."""
        self._write_pending()
        self._complete()

    def discard(self) -> None:
        """Remove the current file, if there is one."""
        if self._file is not None:
            self._file.discard()
            self._file = None

    def _write_pending(self) -> None:
        columns = self._pending
        self._pending = [[] for _ in columns]
        content: list[Any] = columns
        if not self.is_unmapped:
            with mapping_errors(self._stream, [self._map]):
                mapped = map(self._map.transform, rows(self._columns, columns))
                content = [[row for row in mapped if row is not None]]
        start, count = 0, len(content[0])
        while start < count:
            if self._file is None:
                name = f"{self._prefix}{uuid4()}"
                self._file = _BatchFile(self._config, name, self._map.transformed_schema)
            end = min(count, start + self._config.batch_size - self._file.rows)
            self._write_rows(self._file, [values[start:end] for values in content], end - start)
            start = end
            if self._file.rows == self._config.batch_size:
                self._complete()

    def _write_rows(self, file: _BatchFile, content: list[Any], count: int) -> None:
        with mapping_errors(self._stream, [self._map]):
            if self.is_unmapped:
                encoded = file.encoder.encode_columns(
                    dict(zip(self._columns, content, strict=True))
                )
            else:
                encoded = file.encoder.encode_rows(content[0])
        self.handed += count
        file.write(encoded, count)

    def _complete(self) -> None:
        if self._file is not None:
            file = self._file
            url = file.complete()
            self._file = None
            self._announce(SDKBatchMessage(self._map.stream_alias, self._config.encoding, [url]))
            self.announced += file.rows


class _BatchFile:
    """A file that gets its name when it is complete."""

    def __init__(self, config: BatchConfig, name: str, schema: Mapping[str, Any]) -> None:
        encoder_class = _ENCODERS[config.encoding.format]
        compression = None if config.encoding.compression == "none" else config.encoding.compression
        name += encoder_class.suffix
        if compression == "gzip" and encoder_class is _JSONLinesEncoder:
            name += ".gz"
        self.rows = 0
        self._root = config.storage.root
        with self._storage_errors():
            self._path = UPath(self._root, **config.storage.params).resolve() / name
            # An object in a bucket appears when its upload ends; a file on disk at once.
            self._is_local = getattr(self._path.fs, "local_file", False)
            if self._is_local:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._part = self._path.with_name(f".{self._path.name}.part")
            else:
                self._part = self._path
            self._file = self._part.open("wb")
            if self._is_local:
                _lock(self._file)
            self.encoder: _JSONLinesEncoder | ParquetEncoder = encoder_class(
                self._file, schema, compression
            )

    def write(self, encoded: Any, count: int) -> None:  # noqa: ANN401 - each format has its own
        """Add `count` rows that `encoder` has encoded."""
        with self._storage_errors():
            self.encoder.write(encoded)
        self.rows += count

    def complete(self) -> str:
        """Give the file its name; return its URL."""
        with self._storage_errors():
            self.encoder.close()
            self._file.close()
            if self._is_local:
                Path(self._part.path).replace(self._path.path)
            return str(self._path.as_uri())

    def discard(self) -> None:
        """Remove what has been written, as far as the file system allows."""
        # Its errors would hide the one that made the file useless.
        with suppress(Exception):
            self.encoder.discard()
        if self._is_local:
            with suppress(OSError):
                self._file.close()
            with suppress(OSError):
                self._part.unlink()
        else:
            with suppress(Exception):
                self._file.discard()
            # Collected open, it would complete the upload.
            self._file.closed = True

    @contextmanager
    def _storage_errors(self) -> Iterator[None]:
        """Turn a file system's errors into a sentence: their own text can hold anything."""
        try:
            yield
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - each file system has other errors
            # User info in the URL can be a secret.
            root = re.sub("//[^/]*@", "//", self._root)
            reason = getattr(error, "strerror", None) or type(error).__name__
            message = (
                f"Writing batch files to {root} failed ({reason}). Check batch_config, the "
                "permissions and the free space there."
            )
            raise FatalSyncError(message) from None


def remove_leftovers(root: str, prefix: str) -> None:
    """Remove incomplete files of earlier runs that were killed; those of running ones stay."""
    path = UPath(root)
    if not getattr(path.fs, "local_file", False):
        return
    target = Path(path.path, prefix)
    for part in target.parent.glob(f".{target.name}*.part"):
        with suppress(OSError), part.open("rb") as file:
            _lock(file)
            part.unlink()


def _lock(file: IO[bytes]) -> None:
    """Mark a file as in use by this process.

    Raises:
        OSError: another process uses it.
    """
    if fcntl is not None:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)


@functools.cache
def _record_class(names: tuple[str, ...]) -> type[msgspec.Struct]:
    return msgspec.defstruct("Record", names)


class _JSONLinesEncoder:
    """Encodes rows as JSON objects, one a line, as RECORD messages have them."""

    suffix = ".jsonl"
    rows = 1
    """Rows to encode together, at least."""

    def __init__(self, file: IO[bytes], _: Mapping[str, Any], compression: str | None) -> None:
        self._file = gzip.GzipFile(fileobj=file, mode="wb") if compression == "gzip" else file
        self._is_wrapped = self._file is not file

    def encode_columns(self, columns: Mapping[str, Sequence[Any]]) -> bytes:
        # Not in the schema's order: a catalog can have another one, and other columns.
        record = _record_class(tuple(columns))
        return encoder.encode_lines(list(map(record, *columns.values())))

    def encode_rows(self, rows: Sequence[Mapping[str, Any]]) -> bytes:
        return encoder.encode_lines(rows)

    def write(self, lines: bytes) -> None:
        self._file.write(lines)

    def close(self) -> None:
        if self._is_wrapped:
            self._file.close()

    def discard(self) -> None:
        self.close()


_ENCODERS: dict[str, type[_JSONLinesEncoder | ParquetEncoder]] = {
    "jsonl": _JSONLinesEncoder,
    "parquet": ParquetEncoder,
}
