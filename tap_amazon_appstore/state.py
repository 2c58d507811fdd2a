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

STATE_KEYS = ("replication_key", "replication_key_value", "first_month", "files")
"""What a stream's entry in the state has."""


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
        self.first_covered = self._read_first_covered()
        self.first_month = start
        """The month that a run begins with, never before `start`."""
        if self.bookmark is not None:
            self.first_month = max(start, lookback(self.bookmark))
            # Months between the bookmark and a later start are not read.
            if self.first_month > add_months(self.bookmark, 1):
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
        self.first_covered = min(self.first_covered or self._start, self.first_month)
        self.bookmark = max(month, self.bookmark or month)
        self.files[period] = version
        self._entry.update(
            replication_key=replication_key,
            replication_key_value=self.bookmark.isoformat(),
            first_month=self.first_covered.isoformat(),
            files={
                _file_key(period): {"etag": version.etag, "last_modified": version.last_modified}
                for period, version in sorted(self.files.items())
                if first_day(period) >= self._lookback(self.bookmark)
            },
        )

    def _read_bookmark(self) -> date | None:
        value = self._entry.get("replication_key_value")
        if value is None:
            return None
        try:
            bookmark = parse_month(str(value))
        except ValueError:
            self._warn(
                f"the state's bookmark {_quote(value)} is not a date. All months are read again."
            )
            return None
        if bookmark > self._current:
            self._warn(
                f"the state's bookmark {bookmark} lies in the future. It is replaced by the "
                f"current month, {period_name(self._current)}."
            )
        return min(bookmark, self._current)

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
            except (AttributeError, KeyError, TypeError, ValueError):
                self._warn(
                    f"the state has an invalid file version for {_quote(key)}. That month is read "
                    "again."
                )
                continue
            # A merged or an edited state can have versions of months that it has not read.
            if self.bookmark is not None and first_day(period) <= self.bookmark:
                known[period] = version
        self._entry["files"] = {key: files[key] for key in map(_file_key, known)}
        return known

    def _read_first_covered(self) -> date | None:
        value = self._entry.get("first_month")
        if value is None:
            return None
        try:
            return parse_month(str(value))
        except ValueError:
            self._warn(f"the state's first_month {_quote(value)} is not a date. It is ignored.")
            return None


def _quote(value: object) -> str:
    return repr(value)[:80]


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


def _version(value: Mapping[str, object]) -> FileVersion:
    return FileVersion(_header(value["etag"]), _header(value["last_modified"]))


def _header(value: object) -> str | None:
    """Return what can be sent as a header.

    Raises:
        TypeError, ValueError: the value cannot.
    """
    if value is None:
        return None
    if not isinstance(value, str):
        raise TypeError
    if not _HEADER_VALUE.fullmatch(value):
        raise ValueError
    return value
