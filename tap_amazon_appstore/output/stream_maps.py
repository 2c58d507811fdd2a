"""Stream maps: rows of a chunk become the records that the user's maps make of them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from singer_sdk.exceptions import FatalSyncError, MappingError, SingerSDKError
from singer_sdk.mapper import SameRecordTransform

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from singer_sdk.mapper import StreamMap


def passes_through(stream_map: StreamMap) -> bool:
    """Return whether a map leaves records as they are."""
    return type(stream_map) is SameRecordTransform and not stream_map.flattening_enabled


def rows(names: Sequence[str], columns: Sequence[Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Yield rows, as dicts, of columns."""
    for row in zip(*columns, strict=True):
        yield dict(zip(names, row, strict=True))


@contextmanager
def mapping_errors(stream: str, stream_maps: Sequence[StreamMap]) -> Iterator[None]:
    """Turn exceptions of mapping and encoding into a sentence about the stream map.

    The sentence holds no values: Python's messages about a failed expression can quote any. Errors
    of the machine or the target stay as they are. Without stream maps, only an edited catalog can
    give columns types that their values do not fit.

    Args:
        stream: the stream whose records are mapped.
        stream_maps: the maps in use.

    Raises:
        FatalSyncError: a stream map failed, or its result cannot be written.
    """
    try:
        yield
    except MappingError as error:
        reason = str(error).removesuffix(".")
    except (SingerSDKError, OSError, MemoryError):
        raise
    except Exception as error:
        if all(map(passes_through, stream_maps)):
            raise
        reason = type(error).__name__
    else:
        return
    if all(map(passes_through, stream_maps)):
        message = (
            f"{stream}: the catalog's schema does not fit the data ({reason}). Check the catalog."
        )
    else:
        message = f"{stream}: a stream map failed ({reason}). Check stream_maps."
    raise FatalSyncError(message)
