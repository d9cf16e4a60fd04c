"""Finds rows to learn from that are also kept apart for scoring, which no score survives."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

from fabriek_recipes.events import Json
from fabriek_recipes.pairs import Pair, read_pairs
from fabriek_recipes.rows import PROBLEMS_MAX, Contents, Row, read
from fabriek_recipes.words import Sentence, _

# So many are scored at most, many times over; 100,000 of them are some 15 MB of memory here.
APART_MAX = 100_000

# Gives each row that can be read: its line, and what names it.
Named = Callable[[Path], Iterator[tuple[int, bytes]]]


def leaks(contents: Contents, *, of_pairs: bool = False) -> list[Sentence]:
    """Name the lines that stand in both, the first of them."""
    named = _pairs if of_pairs else _rows
    apart = _places(contents.held_out, named)
    if not apart:
        return []
    found = []
    for path in contents.train:
        for line, name in named(path):
            if same := apart.get(name):
                found.append(_leak(path.name, line, *same))
                if len(found) >= PROBLEMS_MAX:
                    return found
    return found


def digest(row: Row) -> bytes:
    """Name a row by all that stands in it."""
    return name_of([[message.told() for message in row.messages], row.tools])


def name_of(told: Json) -> bytes:
    """Name what is said, but for capitals and the room between words."""
    words = json.dumps(_bare(told), sort_keys=True)
    return hashlib.sha256(words.encode()).digest()[:16]


def _bare(told: Json) -> Json:
    if isinstance(told, str):
        return " ".join(told.casefold().split())
    if isinstance(told, list):
        return [_bare(each) for each in told]
    if isinstance(told, dict):
        return {name: _bare(each) for name, each in told.items()}
    return told


def _rows(path: Path) -> Iterator[tuple[int, bytes]]:
    for item in read(path):
        if isinstance(item, Row):
            yield item.line, digest(item)


def _pairs(path: Path) -> Iterator[tuple[int, bytes]]:
    """Name a pair by its question and both answers, whichever of them is the better one."""
    for item in read_pairs(path):
        if isinstance(item, Pair):
            yield item.line, b"".join(sorted(map(digest, (item.chosen, item.rejected))))


def _places(files: tuple[Path, ...], named: Named) -> dict[bytes, tuple[str, int]]:
    places: dict[bytes, tuple[str, int]] = {}
    for path in files:
        for line, name in named(path):
            if len(places) >= APART_MAX:
                return places
            places.setdefault(name, (path.name, line))
    return places


def _leak(file: str, line: int, apart: str, apart_line: int) -> Sentence:
    text = _(
        "Line %(line)s of %(file)s is the same row as line %(apart_line)s of %(apart)s, which "
        "is kept apart for scoring; take it out of one of the two."
    )
    return Sentence(text, line=line, file=file, apart_line=apart_line, apart=apart)
