"""Keys of line items, and their numbers among identical ones."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from tap_amazon_appstore.reading import line_ids
from tap_amazon_appstore.reading.line_ids import LineIds, normalize_date, normalize_time


@pytest.mark.parametrize("expected", [0, 30, 4000, 10**9])
@pytest.mark.parametrize("kinds", [1, 50, 3000, 10**9])
def test_identical_line_items_are_numbered_whatever_the_expected_number(
    kinds: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_ids, "_MAX_BUCKETS", 1 << 12)
    keys, counter = LineIds(expected), Counter[int]()
    items = random.Random(kinds).choices(range(kinds), k=3000)  # noqa: S311
    for start in range(0, len(items), 256):
        chunk = items[start : start + 256]
        for item, key in zip(chunk, keys.make((item,) for item in chunk), strict=True):
            counter[item] += 1
            assert key.endswith(f"-{counter[item]}")


def test_keys_fit_the_length_in_the_schema() -> None:
    (key,) = LineIds().make([("x" * 1000,)])

    assert len(f"{key}{10**20}") <= 64


def test_values_of_neighbouring_columns_are_kept_apart() -> None:
    identities = [
        ("ab", "c"),
        ("a", "bc"),
        ("", "abc"),
        ('a","b', "c"),
        ("abc", None),
        (1,),
        ("1",),
    ]

    assert len({key.partition("-")[0] for key in LineIds().make(identities)}) == len(identities)


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("05/21/18 14:39 PST", "2018-05-21T14:39"),
        ("5/21/2018 14:39:59", "2018-05-21T14:39"),
        ("2018-05-21 14:39:07 CEST", "2018-05-21T14:39"),
        ("  2018-05-21T14:39+02:00 ", "2018-05-21T14:39"),
        ("2018-05-21 4:39", "2018-05-21T04:39"),
        ("05/21/18 24:00:00 PST", "2018-05-21T24:00"),
        ("05/21/18", "2018-05-21"),
        ("2018-05-21 ", "2018-05-21"),
        # Not a time of day, but the date is one.
        ("05/21/18 noon", "2018-05-21"),
        # No date: as it is written.
        ("", ""),
        (" NA ", "NA"),
        ("05/21/189", "05/21/189"),
        ("2018-05-211", "2018-05-211"),
        ("\u0660\u0665/21/18", "\u0660\u0665/21/18"),
    ],
)
def test_times_are_compared_as_written_to_the_minute(cell: str, written: str) -> None:
    assert normalize_time(cell) == written
    assert normalize_date(cell) == written.partition("T")[0]
