"""Texts that are nearly the same, and those that leak from test to training.

Five words behind each other are a shingle; 128 MinHash values in 16 bands find pairs that may
be alike, and the real overlap of their shingles decides. Leskovec, Rajaraman, Ullman, Mining
of Massive Datasets, chapter 3.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import duckdb
import numpy as np
from rensa import RMinHash

from fabriek.quality.worker.doubles import MOST_COLUMNS, TRAIN, split_of
from fabriek.quality.worker.engine import quoted
from fabriek.quality.worker.job import Json, problem
from fabriek.quality.worker.table import Table

SHINGLE_WORDS = 5
PERMUTATIONS, BANDS = 128, 16
ALIKE = 0.8
SEED = 42
WORD = re.compile(r"\w+")
FEWEST_WORDS = 8  # shorter texts are alike too easily
MOST_TEXTS = 500_000
MOST_TEXT_BYTES = 400 * 2**20
MOST_CHARACTERS = 20_000
MOST_IN_BUCKET = 60
AT_ONCE = 5_000
MOST_PAIRS = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Text:
    table: int
    row: int
    shingles: frozenset[str]


def near(connection: duckdb.DuckDBPyConnection, tables: Sequence[Table]) -> list[Json]:
    """Tell of texts that are nearly the same, and of those that leak from test to training."""
    texts = list(_texts(connection, tables))
    pairs = [(one, other) for one, other in alike(texts)]
    told = []
    by_table: dict[int, list[tuple[Text, Text]]] = defaultdict(list)
    leaked: dict[int, list[tuple[Text, Text]]] = defaultdict(list)
    for one, other in pairs:
        splits = {split_of(tables[text.table].path): text for text in (one, other)}
        apart = next((text for name, text in splits.items() if name not in {"", TRAIN}), None)
        if TRAIN in splits and apart:
            leaked[apart.table].append((apart, splits[TRAIN]))
        else:
            by_table[other.table].append((other, one))
    for code, severity, found in (
        ("near_leak", "wrong", leaked),
        ("near_rows", "note", by_table),
    ):
        told += [_near_in(tables, code, severity, at, some) for at, some in found.items()]
    return told


def _near_in(
    tables: Sequence[Table], code: str, severity: str, at: int, pairs: list[tuple[Text, Text]]
) -> Json:
    first: dict[int, Text] = {}
    for one, other in pairs:
        first.setdefault(one.row, other)
    rows = sorted(first)
    told = problem(code, severity, path=tables[at].path, rows=rows[:MOST_PAIRS],
                   count=len(rows), of=tables[at].rows)  # fmt: skip
    told["pairs"] = [
        [row, tables[first[row].table].path, first[row].row] for row in rows[:MOST_PAIRS]
    ]
    return told


def alike(texts: Sequence[Text]) -> Iterator[tuple[Text, Text]]:
    """Give pairs whose shingles overlap enough, each text once, with the first it is like."""
    if len(texts) < 2:  # noqa: PLR2004
        return
    seen: set[int] = set()
    for first, second in sorted(_candidates(_signatures(texts))):
        if second in seen:
            continue
        one, other = texts[first].shingles, texts[second].shingles
        both = len(one & other)
        if both >= ALIKE * (len(one) + len(other) - both) and one != other:
            seen.add(second)
            yield texts[first], texts[second]


def _signatures(texts: Sequence[Text]) -> "np.ndarray[tuple[int, int], np.dtype[np.uint32]]":
    signatures = np.empty((len(texts), PERMUTATIONS), dtype=np.uint32)
    for at in range(0, len(texts), AT_ONCE):
        some = [list(text.shingles) for text in texts[at : at + AT_ONCE]]
        found = RMinHash.digests_from_token_sets(some, num_perm=PERMUTATIONS, seed=SEED)
        signatures[at : at + len(some)] = np.asarray(found, dtype=np.uint32)
    return signatures


def _candidates(
    signatures: "np.ndarray[tuple[int, int], np.dtype[np.uint32]]",
) -> set[tuple[int, int]]:
    """Give places of texts that have a band in common."""
    width = PERMUTATIONS // BANDS
    pairs: set[tuple[int, int]] = set()
    for band in range(BANDS):
        part = np.ascontiguousarray(signatures[:, band * width : (band + 1) * width])
        keys = part.view(np.dtype((np.void, part.dtype.itemsize * width))).ravel()
        _keys, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
        shared = np.flatnonzero(counts[inverse] > 1)
        buckets: dict[int, list[int]] = defaultdict(list)
        for place in shared:
            buckets[int(inverse[place])].append(int(place))
        for places in buckets.values():
            pairs.update(combinations(places[:MOST_IN_BUCKET], 2))
            # Of very many, all are held against the first: they are alike as a group.
            pairs.update((places[0], place) for place in places[MOST_IN_BUCKET:])
    return pairs


def _texts(connection: duckdb.DuckDBPyConnection, tables: Sequence[Table]) -> Iterator[Text]:
    left, room = MOST_TEXTS, MOST_TEXT_BYTES
    for number, table in enumerate(tables):
        names = table.texts()[:MOST_COLUMNS]
        if not names:
            continue
        joined = ", ".join(f"coalesce({quoted(name)}, '')" for name in names)
        cursor = connection.cursor()
        cursor.execute(f"SELECT _row, concat_ws(' ', {joined}) FROM {table.view}")  # noqa: S608
        while left > 0 and room > 0 and (some := cursor.fetchmany(AT_ONCE)):
            for row, said in some:
                text = said[:MOST_CHARACTERS]
                left, room = left - 1, room - len(text)
                if shingles := shingled(text):
                    yield Text(table=number, row=row, shingles=shingles)


def shingled(text: str) -> frozenset[str]:
    words = WORD.findall(text.casefold())
    if len(words) < FEWEST_WORDS:
        return frozenset()
    last = len(words) - SHINGLE_WORDS + 1
    return frozenset(" ".join(words[at : at + SHINGLE_WORDS]) for at in range(last))
