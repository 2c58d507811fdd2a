"""What a stream's state says: how far it has read, and which files it need not read again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_sdk.exceptions import FatalSyncError

from tap_amazon_appstore.client import FileIdentity
from tap_amazon_appstore.months import look_back, parse_month

if TYPE_CHECKING:
    from datetime import date


class ReportState:
    """The bookmark of one stream, in the Singer state.

    `replication_key_value` is the first day of the last month that had a report. `files` holds
    what identifies the files of the months that the next run checks again.
    """

    def __init__(self, state: dict[str, Any], *, lookback_months: int, current: date) -> None:
        """Read the state.

        Args:
            state: the stream's bookmark in the Singer state; `complete` writes to it.
            lookback_months: closed months before the bookmark that are checked again.
            current: the current month; a bookmark after it counts as it.

        Raises:
            FatalSyncError: the bookmark is no date.
        """
        self._state = state
        self._lookback = lookback_months
        self.bookmark = self._read_bookmark(current)
        self.files = self._read_files()

    def first_month(self, start: date) -> date:
        """Return the month that a run begins with, never before `start`."""
        if self.bookmark is None:
            return start
        return max(start, look_back(self.bookmark, self._lookback))

    def complete(self, month: date, identity: FileIdentity, replication_key: str) -> None:
        """Note that a month's report has been read to its end."""
        self.bookmark = max(month, self.bookmark or month)
        self.files[month] = identity
        checked_again = look_back(self.bookmark, self._lookback)
        self._state["replication_key"] = replication_key
        self._state["replication_key_value"] = self.bookmark.isoformat()
        self._state["files"] = {
            month.isoformat(): {"etag": identity.etag, "last_modified": identity.last_modified}
            for month, identity in sorted(self.files.items())
            if month >= checked_again
        }

    def _read_bookmark(self, current: date) -> date | None:
        value = self._state.get("replication_key_value")
        if value is None:
            return None
        try:
            return min(parse_month(str(value)), current)
        except ValueError:
            message = f"The state's bookmark {value!r} is no date; correct or remove the state"
        raise FatalSyncError(message)

    def _read_files(self) -> dict[date, FileIdentity]:
        try:
            files = {
                parse_month(month): FileIdentity(
                    _header(file["etag"]), _header(file["last_modified"])
                )
                for month, file in self._state.get("files", {}).items()
            }
        except (AttributeError, KeyError, TypeError, ValueError):
            # Without it the months are read once more than need be, and nothing is lost.
            return {}
        # A merged or an edited state can have versions of months that it has not read.
        return {
            month: version
            for month, version in files.items()
            if self.bookmark is not None and month <= self.bookmark
        }


def _header(value: object) -> str | None:
    """Return what can go into a header of a request.

    Raises:
        TypeError: the value cannot.
    """
    if value is None or (isinstance(value, str) and value.isprintable()):
        return value
    raise TypeError
