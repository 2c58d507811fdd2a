"""Header lines: which column of a report is where.

Names, order and number of a report's columns have changed over the years. `Layout` describes the
columns that a stream has and finds them in a header.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from tap_amazon_appstore.reading.errors import UnreadableReportError, WrongHeaderError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Kind = Literal["text", "date", "integer", "number", "boolean"]

# Columns that the tap adds: no header fills them, whatever it is called.
_ADDED = frozenset(
    {
        "line_id",
        "report_month",
        "report_last_modified",
        "report_period",
        "transaction_at",
        "transaction_date",
        "_rescued_data",
    },
)

# Names in reports that are not the documented ones, by column.
_SEEN_NAMES = {
    "in_app_subscription_status": ["In-App Subscription Status (Trial / Paid)"],
    "usage_time": [
        "Usage Time for Underground Apps",
        "Usage Time for Underground Apps (seconds)",
    ],
    "sales_price": ["Sales Price (Marketplace Currency)"],
    "estimated_earnings": ["Estimated Earnings (Marketplace Currency)"],
}

# Header names that an error quotes, and characters of each.
_MAX_NAMES = 30
_MAX_NAME = 40


def normalize_header(header: str) -> str:
    """Return the part of a header name that stays the same over the years.

    Names of the same column differ in case, punctuation and remarks in parentheses:
    `Sales Price (Marketplace Currency)` is `Sales Price`. A NUL stays: it is a sign of another
    encoding, not punctuation.
    """
    return _letters(re.sub(r"\([^)]*\)?", "", header))


def label_columns(header: Sequence[str]) -> list[str]:
    """Return a unique name of each column for `_rescued_data`: its header, if there is one."""
    labels: dict[str, None] = {}
    for position, name in enumerate(header, 1):
        label = name if name.strip() else f"column {position}"
        labels[unique_label(label, position, labels)] = None
    return list(labels)


def unique_label(label: str, position: int, taken: Iterable[str]) -> str:
    """Return `label`, with the column's position if another column has that name."""
    while label in taken:
        label = f"{label} (column {position})"
    return label


@dataclass(frozen=True)
class Layout:
    """The columns of a stream's reports."""

    schema: Mapping[str, Any]
    """JSON schema of the records: its properties are the columns, in order."""

    identity: tuple[str, ...]
    """Columns that identify a line item: none that Amazon corrects when it restates a month.

    Of reports with a transaction time, that time identifies line items, too.
    """

    documented: frozenset[str]
    """Columns that Amazon documents: most of them are in each report, others may be in none."""

    @cached_property
    def columns(self) -> list[str]:
        """The columns that a report fills, in the schema's order."""
        return [name for name in self.schema["properties"] if name not in _ADDED]

    @cached_property
    def kinds(self) -> dict[str, Kind]:
        """The type of each column that a report fills."""
        return {name: _kind(self.schema["properties"][name]) for name in self.columns}

    @cached_property
    def _by_name(self) -> dict[str, str]:
        names = {_letters(column): column for column in self.columns}
        for column, seen in _SEEN_NAMES.items():
            if column in self.columns:
                names |= {normalize_header(name): column for name in seen}
        return names

    @cached_property
    def _known_names(self) -> frozenset[str]:
        """Names that are documented or have been seen, remarks included."""
        return frozenset(
            [*self._by_name, *(_letters(name) for names in _SEEN_NAMES.values() for name in names)]
        )

    def match(self, header: Sequence[str]) -> dict[str, int]:
        """Find the columns in a header line, in any order and spelling.

        Returns:
            Column to position.

        Raises:
            WrongHeaderError: most of the documented columns are missing.
            UnreadableReportError: two headers fit one column equally well.
        """
        fits = self._fits(header)
        if not self.is_header(header):
            names = ", ".join(repr(name[:_MAX_NAME]) for name in header[:_MAX_NAMES])
            message = (
                f"the header has {len(self.documented & fits.keys())} of the "
                f"{len(self.documented)} documented columns (found: {names})"
            )
            raise WrongHeaderError(message)
        return {column: self._choose(header, places) for column, places in fits.items()}

    def is_header(self, cells: Sequence[str]) -> bool:
        """Return whether a row is a header line of such a report, in whatever order."""
        return len(self.documented & self._fits(cells).keys()) * 2 > len(self.documented)

    def _fits(self, header: Sequence[str]) -> dict[str, list[int]]:
        """Return the positions of the headers that fit each column."""
        fits: dict[str, list[int]] = {}
        for position, name in enumerate(header):
            column = self._by_name.get(normalize_header(name))
            if column is not None:
                fits.setdefault(column, []).append(position)
        return fits

    def _choose(self, header: Sequence[str], positions: Sequence[int]) -> int:
        """Return which of the headers that fit a column is that column."""
        known = [place for place in positions if _letters(header[place]) in self._known_names]
        candidates = known or positions
        if len(candidates) > 1:
            names = " and ".join(
                f"{header[place][:_MAX_NAME]!r} (column {place + 1})"
                for place in candidates[:_MAX_NAMES]
            )
            message = f"the header has more than one name for the same column: {names}"
            raise UnreadableReportError(message)
        return candidates[0]


def _letters(name: str) -> str:
    return re.sub(r"[^0-9a-z\0]+", "", name.lower())


def _kind(definition: Mapping[str, Any]) -> Kind:
    if definition.get("format") == "date":
        return "date"
    for kind in ("integer", "number", "boolean"):
        if kind in definition["type"]:
            return kind
    return "text"
