"""The state of one stream: how far it has been read, and which files need not be read again.

State is input: it can be merged with an older one, edited or cut short. What cannot be understood
leads to reading more, never less.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tap_amazon_appstore.client import FileVersion
from tap_amazon_appstore.months import add_months, first_day, parse_month, period_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date

_YEAR = re.compile("20[0-9]{2}")

# What a header of a request can carry.
_HEADER_VALUE = re.compile("[!-~](?:[ -~]*[!-~])?")


class ReportState:
    """The bookmark of one stream, in the Singer state.

    `replication_key_value` is the first day of the last month that had a report, `first_month` the
    first day of the first month that was read. `files` has the versions of the files that the next
    run checks again, by the first day of their month (`2024-03-01`) or by their year (`2024`).
    """

    def __init__(
        self,
        entry: dict[str, Any],
        *,
        start: date,
        lookback: Callable[[date], date],
        current: date,
        warn: Callable[[str], None],
    ) -> None:
        """Read the state.

        Args:
            entry: the stream's entry in the Singer state; `complete` writes to it.
            start: the first month that the settings ask for.
            lookback: returns the first month to check again for a bookmark.
            current: the current month; a bookmark after it counts as it.
            warn: takes a sentence about what cannot be used.
        """
        self._entry = entry
        self._start = start
        self._lookback = lookback
        self._current = current
        self._warn = warn
        self.bookmark = self._read_bookmark()
        self.files = self._read_files()
        self.first_covered = self._read_month(
            "first_month", "first_month", "No month before the lookback counts as read."
        )
        self.first_month = start
        """The month that a run begins with, never before `start`."""
        if self.bookmark is None:
            self.first_covered = None  # of a merged state: all is read again
        else:
            self.first_month = max(start, lookback(self.bookmark))
            is_unreadable = self.first_covered is None and entry.get("first_month") is not None
            # Months between the bookmark and a later start are not read. A bookmark that has been
            # moved back before the first month starts over.
            if (
                is_unreadable
                or self.first_month > add_months(self.bookmark, 1)
                or (self.first_covered or self.bookmark) > self.bookmark
            ):
                self.first_covered = self.first_month

    @property
    def uncovered(self) -> tuple[date, date] | None:
        """The first and the last month from `start` on that no run has read or will read."""
        if self.bookmark is None or self.first_covered is None:
            return None
        first_read = min(self.first_covered, self.first_month)
        return (self._start, add_months(first_read, -1)) if self._start < first_read else None

    def complete(self, period: str, version: FileVersion, replication_key: str) -> None:
        """Record that a report has been read to its end."""
        month = first_day(period)
        self.bookmark = max(month, self.bookmark or month)
        self.files[period] = version
        self._entry.update(
            replication_key=replication_key,
            replication_key_value=self.bookmark.isoformat(),
            files={
                _file_key(period): {"etag": version.etag, "last_modified": version.last_modified}
                for period, version in sorted(self.files.items())
                if first_day(period) >= self._lookback(self.bookmark)
            },
        )
        self.cover(period)

    def cover(self, period: str) -> None:
        """Record that a period was asked for, and all of the run before it."""
        if self.first_covered is None:
            self.first_covered = min(self._start, self.first_month)
        elif first_day(period) >= add_months(self.first_covered, -1):
            # Only now does this run's part of the months reach those of earlier runs.
            self.first_covered = min(self.first_covered, self.first_month)
        if self.bookmark is not None and self.bookmark >= self.first_covered:
            self._entry["first_month"] = self.first_covered.isoformat()

    def _read_bookmark(self) -> date | None:
        bookmark = self._read_month(
            "replication_key_value", "bookmark", "All months are read again."
        )
        if bookmark is None or bookmark <= self._current:
            return bookmark
        self._warn(
            f"the state's bookmark {bookmark} lies in the future. It is replaced by the current "
            f"month, {period_name(self._current)}."
        )
        return self._current

    def _read_month(self, key: str, name: str, consequence: str) -> date | None:
        value = self._entry.get(key)
        if value is None:
            return None
        try:
            return parse_month(str(value))
        except ValueError:
            self._warn(f"the state's {name} {value!r:.80} is not a date. {consequence}")
            return None

    def _read_files(self) -> dict[str, FileVersion]:
        files = self._entry.get("files") or {}
        if not isinstance(files, dict):
            self._warn(
                "`files` in the state is not a JSON object. The lookback months are read again."
            )
            return {}
        known = {}
        for key, value in files.items():
            try:
                period, version = _period(key), _version(value)
            except (KeyError, TypeError, ValueError):
                self._warn(
                    f"the state has an invalid file version for {key!r:.80}. That month is read "
                    "again."
                )
                continue
            # A merged or an edited state can have versions of months that it has not read.
            if self.bookmark is not None and first_day(period) <= self.bookmark:
                known[period] = version
        self._entry["files"] = {key: files[key] for key in map(_file_key, known)}
        return known


def _file_key(period: str) -> str:
    return period if _YEAR.fullmatch(period) else first_day(period).isoformat()


def _period(key: str) -> str:
    """Return the period of a key of `files`.

    Raises:
        ValueError: it is not a key.
    """
    period = key if _YEAR.fullmatch(key) else period_name(parse_month(key))
    if _file_key(period) != key:
        raise ValueError(key)
    return period


def _version(value: Mapping[str, Any]) -> FileVersion:
    """Return the version in a value of `files`.

    Raises:
        KeyError, TypeError, ValueError: it has none, or one that cannot be sent as headers.
    """
    version = FileVersion(value["etag"], value["last_modified"])
    for header in version:
        if header is not None and not _HEADER_VALUE.fullmatch(header):
            raise ValueError(header)
    return version
