"""Keys of line items.

A key is a digest of the cells that identify a line item and, since such items can be identical in
all of these, the item's number among its likes in one report. Whatever the tap learns to read must
not change it: stored example rows in the tests pin it.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from msgspec.json import encode as encode_json
from xxhash import xxh3_128_digest

if TYPE_CHECKING:
    from collections.abc import Iterable

_WRITTEN_TIME = re.compile(
    r"""
    \s* (?: (?P<month>\d{1,2}) / (?P<day>\d{1,2}) / (?P<year>\d{4}|\d{2})
          | (?P<iso_year>\d{4}) - (?P<iso_month>\d{1,2}) - (?P<iso_day>\d{1,2}) ) (?!\d)
    (?: [T\s] \s* (?P<hour>\d{1,2}) : (?P<minute>\d{2}) (?!\d) )?
    """,
    re.VERBOSE | re.ASCII,
)

# Bytes of a digest that are kept. Together with the bucket they make 72 bits or more: among ten
# million line items, chances are one in a hundred million that two share them.
_KEPT = 8

# Line items for which there is a bucket, at least. More would cost time, fewer memory.
_BUCKET = 24
_MAX_BUCKETS = 1 << 22


def normalize_time(cell: str) -> str:
    """Return a time as written to the minute, such as `2024-03-21T14:39`.

    Without seconds, for the documented format has none, and without a zone, for its abbreviation
    may be read in another way one day. A date alone stays one; text that does not begin with a date
    is returned as it is.
    """
    match = _WRITTEN_TIME.match(cell)
    if match is None:
        return cell.strip()
    day = _format_date(match)
    return day if match["hour"] is None else f"{day}T{match['hour']:>02}:{match['minute']}"


def normalize_date(cell: str) -> str:
    """Return a date as written in the form `2024-03-21`, without a time that follows it."""
    match = _WRITTEN_TIME.match(cell)
    return cell.strip() if match is None else _format_date(match)


def _format_date(match: re.Match[str]) -> str:
    if match["year"] is None:
        return f"{match['iso_year']}-{match['iso_month']:>02}-{match['iso_day']:>02}"
    return f"{'20' + match['year']}"[-4:] + f"-{match['month']:>02}-{match['day']:>02}"


class LineIds:
    """Makes the keys of one report's line items.

    To count identical ones it keeps a part of each digest, some 11 bytes a line item where a `set`
    would keep 100: buckets of bytes, in which a search is as fast as in a hash table of Python's
    integers, and which grow without a moment at which all exist twice.
    """

    def __init__(self, expected: int = 0) -> None:
        """Prepare for about so many line items; there can be more, at some cost of time."""
        count = 1 << min(max(expected // _BUCKET, 1), _MAX_BUCKETS).bit_length() - 1
        self._buckets = [b""] * count
        self._repeated: Counter[bytes] = Counter()

    def make(self, identities: Iterable[tuple[object, ...]]) -> list[str]:
        """Return the key of each line item, in order.

        Args:
            identities: the values that identify each.
        """
        digests = list(map(xxh3_128_digest, map(encode_json, identities)))
        counts = self.count(digests)
        return [f"{digest.hex()}-{n}" for digest, n in zip(digests, counts, strict=True)]

    def count(self, digests: Iterable[bytes]) -> list[int]:
        """Count digests, and return for each how often it has been counted by then."""
        buckets = self._buckets
        mask = len(buckets) - 1
        counts = []
        for digest in digests:
            place = hash(digest) & mask
            kept = digest[:_KEPT]
            bucket = buckets[place]
            if kept in bucket:
                self._repeated[digest] += 1
                counts.append(self._repeated[digest] + 1)
            else:
                buckets[place] = bucket + kept
                counts.append(1)
        return counts
