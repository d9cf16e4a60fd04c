"""Finds rows to learn from that are also kept apart for scoring, which no score survives."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from fabriek_recipes.rows import PROBLEMS_MAX, Contents, Row, read
from fabriek_recipes.words import Sentence, _

# So many are scored at most, many times over; 100,000 of them are some 15 MB of memory here.
APART_MAX = 100_000


def leaks(contents: Contents) -> list[Sentence]:
    """Name the lines that stand in both, the first of them."""
    apart = _places(contents.held_out)
    if not apart:
        return []
    found = []
    for path in contents.train:
        for item in read(path):
            if isinstance(item, Row) and (same := apart.get(digest(item))):
                found.append(_leak(path.name, item.line, *same))
                if len(found) >= PROBLEMS_MAX:
                    return found
    return found


def digest(row: Row) -> bytes:
    """Name a row by all that stands in it."""
    told = [[message.told() for message in row.messages], row.tools]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).digest()[:16]


def _places(files: tuple[Path, ...]) -> dict[bytes, tuple[str, int]]:
    places: dict[bytes, tuple[str, int]] = {}
    for path in files:
        for item in read(path):
            if len(places) >= APART_MAX:
                return places
            if isinstance(item, Row):
                places.setdefault(digest(item), (path.name, item.line))
    return places


def _leak(file: str, line: int, apart: str, apart_line: int) -> Sentence:
    text = _(
        "Line %(line)s of %(file)s is the same row as line %(apart_line)s of %(apart)s, which "
        "is kept apart for scoring; take it out of one of the two."
    )
    return Sentence(text, line=line, file=file, apart_line=apart_line, apart=apart)
