"""Stream maps, which are the user's: what fails in them is no mistake of the tap."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from singer_sdk.exceptions import FatalSyncError, MappingError, SingerSDKError
from singer_sdk.mapper import SameRecordTransform

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from singer_sdk.mapper import StreamMap


@contextmanager
def stream_map_errors(stream: str, stream_maps: Sequence[StreamMap]) -> Iterator[None]:
    """Turn what is raised while records are mapped and encoded into a sentence about stream maps.

    The sentence holds no values: what Python says of a failed expression can quote any. Where the
    machine or the target fails, errors stay as they are. Where nothing maps the records, only a
    catalog that was edited can give columns types that their values do not fit.

    Args:
        stream: the stream whose records are mapped.
        stream_maps: what maps them.

    Raises:
        FatalSyncError: a stream map failed, or made what cannot be written.
    """
    is_mapped = any(type(stream_map) is not SameRecordTransform for stream_map in stream_maps)
    try:
        yield
    except MappingError as error:
        reason = str(error).removesuffix(".")
    except (SingerSDKError, OSError):
        raise
    except Exception as error:
        if not is_mapped:
            raise
        reason = type(error).__name__
    else:
        return
    message = (
        f"A stream map of {stream} failed ({reason}); check stream_maps"
        if is_mapped
        else f"The catalog's schema of {stream} failed ({reason}); check the catalog"
    )
    raise FatalSyncError(message)
