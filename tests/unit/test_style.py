"""Texts are written in the field's words: phrases that readers stumble over are not used."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
SUFFIXES = {".css", ".html", ".js", ".json", ".md", ".py", ".sql", ".toml", ".yml"}
# The bundle of the page contains other people's texts, the list below the phrases themselves.
EXEMPT = ("CODE_OF_CONDUCT.md", "dashboard/static/", "tests/unit/test_style.py")

PHRASES = re.compile(
    r"\b("
    r"anew|thereby|nought|reckon\w*|in vain|amiss|amid|whoever|whence|hereby"
    r"|of (?:its|their|his) own|by a mistake|had enough|has its say"
    r"|mends?|mended|misbehav\w*|strikes"
    r"|say(?:s|ing)? so|can(?:not)? be told|tells? \w+ (?:from|apart)|tells? from"
    r"|stands? in for|comes? along|sends? \w+ home|goes? on where"
    r")\b",
    re.IGNORECASE,
)


def list_files() -> list[str]:
    """Return the paths of the repository's texts."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=PROJECT,
        check=True,
        capture_output=True,
        text=True,
    )
    return [
        path
        for path in listing.stdout.splitlines()
        if Path(path).suffix in SUFFIXES and not path.startswith(EXEMPT)
    ]


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ("a row that cannot be told from another", ["cannot be told"]),
        ("It says so anew.", ["says so", "anew"]),
        ("Amended rows have an owner of theirs.", []),
    ],
)
def test_phrases_are_found(text: str, phrases: list[str]) -> None:
    assert PHRASES.findall(text) == phrases


def test_no_text_has_a_phrase_that_readers_stumble_over() -> None:
    found = [
        f"{path}:{number}: {match[0]}"
        for path in list_files()
        if (PROJECT / path).is_file()
        for number, line in enumerate((PROJECT / path).read_text("utf-8").splitlines(), 1)
        for match in PHRASES.finditer(line)
    ]
    assert not found, "\n".join(found)
