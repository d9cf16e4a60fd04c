"""Texts that are nearly the same, and those that leak from test to training.

Five words behind each other are a shingle. Texts whose shingles stand in no other are left out;
of the rest 128 MinHash values in 16 bands find pairs that may be alike, and the real overlap of
their shingles decides. Leskovec, Rajaraman, Ullman, Mining
of Massive Datasets, chapter 3.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import chain, combinations, groupby

import duckdb
import numpy as np
from rensa import RMinHash

from fabriek.quality.worker import splits
from fabriek.quality.worker.doubles import MOST_COLUMNS
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
MOST_FIGURES = 2  # such as a label and a score


Hashes = np.ndarray[tuple[int], np.dtype[np.uint64]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Text:
    """`shingles`: the hash of each, none twice; as words they would fill the memory.

    `part`: whether it is there to learn from, to test with, or neither ("").
    """

    table: int
    row: int
    shingles: Hashes
    part: str = ""


Pair = tuple[Text, Text, bool]


def near(connection: duckdb.DuckDBPyConnection, tables: Sequence[Table]) -> list[Json]:
    """Tell of texts that are nearly the same, and of those that leak from test to training."""
    # A text is told once, as like the first that it is like: a leak before a double.
    texts = sorted(_texts(connection, tables), key=lambda text: text.part != splits.TRAIN)
    pairs = _not_told(connection, tables, list(_pairs(texts)))
    told = []
    by_table: dict[int, list[tuple[Text, Text]]] = defaultdict(list)
    leaked: dict[int, list[tuple[Text, Text]]] = defaultdict(list)
    for one, other in pairs:
        if one.part == splits.TRAIN and splits.is_apart(other.part):
            leaked[other.table].append((other, one))
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
    rows, table = sorted(first), tables[at]
    is_leak = code == "near_leak"
    told = problem(code, severity, path=table.path, rows=rows[:MOST_PAIRS], count=len(rows),
                   column=table.split_column if is_leak else "",
                   of=splits.rows_apart(table) if is_leak else table.rows)  # fmt: skip
    told["pairs"] = [
        [row, tables[first[row].table].path, first[row].row] for row in rows[:MOST_PAIRS]
    ]
    return told


def _not_told(
    connection: duckdb.DuckDBPyConnection, tables: Sequence[Table], pairs: list[Pair]
) -> list[tuple[Text, Text]]:
    """Leave out rows that are wholly the same, which `doubles` tells of.

    The same text in rows that differ is a double where text is what the rows are about; beside
    many figures it may be a standing remark.
    """
    is_of_text = [_is_of_text(table) for table in tables]
    some = [(one, other) for one, other, is_same in pairs if is_same]
    told = _same_rows(connection, some)
    return [
        (one, other)
        for one, other, is_same in pairs
        if not is_same
        or (is_of_text[one.table] and is_of_text[other.table] and _key(one, other) not in told)
    ]


def _is_of_text(table: Table) -> bool:
    others = set(table.columns) - set(table.texts()) - set(table.numbering)
    return len(others) <= MOST_FIGURES


def _key(one: Text, other: Text) -> tuple[int, int, int, int]:
    return one.table, one.row, other.table, other.row


def _same_rows(
    connection: duckdb.DuckDBPyConnection, pairs: list[tuple[Text, Text]]
) -> set[tuple[int, ...]]:
    if not pairs:
        return set()
    arrow = import_module("pyarrow")  # it takes longer to load than most tables to be read
    keys = zip(*(_key(*pair) for pair in pairs), strict=True)
    names = ("table_1", "row_1", "table_2", "row_2")
    columns = {name: arrow.array(key) for name, key in zip(names, keys, strict=True)}
    cursor = connection.cursor()
    cursor.register("pairs", arrow.table(columns))
    found = cursor.execute(
        "SELECT pairs.* FROM pairs "
        "JOIN fingerprints one ON one.file = table_1 AND one.row = row_1 "
        "JOIN fingerprints two ON two.file = table_2 AND two.row = row_2 "
        "WHERE one.print = two.print"
    ).fetchall()
    return set(found)


def alike(texts: Sequence[Text]) -> Iterator[tuple[Text, Text]]:
    """Give pairs that are nearly the same, each text once, with the first it is like."""
    return ((one, other) for one, other, is_same in _pairs(texts) if not is_same)


def _pairs(texts: Sequence[Text]) -> Iterator[Pair]:
    """Give pairs whose shingles overlap enough, and whether they are all the same."""
    left = _in_company(texts)
    if len(left) < 2:  # noqa: PLR2004
        return
    seen: set[int] = set()
    pairs = sorted(_candidates(_signatures(left)))
    for first, some in groupby(pairs, key=lambda pair: pair[0]):
        one = set(left[first].shingles.tolist())
        for _first, second in some:
            if second in seen:
                continue
            other = left[second].shingles.tolist()
            both = len(one.intersection(other))
            together = len(one) + len(other) - both
            if ALIKE * together <= both:
                seen.add(second)
                yield left[first], left[second], both == together


def _in_company(texts: Sequence[Text]) -> list[Text]:
    """Leave out texts of which too few shingles stand in another: nothing can be like them."""
    if not texts:
        return []
    ordered = np.sort(np.concatenate([text.shingles for text in texts]))
    shared = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    if not len(shared):
        return []
    left: list[Text] = []
    for at in range(0, len(texts), AT_ONCE):
        some = texts[at : at + AT_ONCE]
        flat, starts = _laid_out(some)
        place = np.minimum(np.searchsorted(shared, flat), len(shared) - 1)
        company = np.add.reduceat(shared[place] == flat, starts[:-1], dtype=np.int64)
        enough = company >= ALIKE * np.diff(starts)
        left += [text for text, is_enough in zip(some, enough, strict=True) if is_enough]
    return left


def _laid_out(
    texts: Sequence[Text],
) -> "tuple[Hashes, np.ndarray[tuple[int], np.dtype[np.int64]]]":
    """Give all shingles behind each other, and where each text starts; at the end the end."""
    lengths = [len(text.shingles) for text in texts]
    return np.concatenate([text.shingles for text in texts]), np.cumsum([0, *lengths])


def _signatures(texts: Sequence[Text]) -> "np.ndarray[tuple[int, int], np.dtype[np.uint32]]":
    signatures = np.empty((len(texts), PERMUTATIONS), dtype=np.uint32)
    for at in range(0, len(texts), AT_ONCE):
        some = texts[at : at + AT_ONCE]
        flat, starts = _laid_out(some)
        found = RMinHash.digest_matrix_from_flat_token_hashes(
            flat, starts.astype(np.uint64), num_perm=PERMUTATIONS, seed=SEED
        )
        numbers = np.fromiter(chain.from_iterable(found.to_rows()), dtype=np.uint32)
        signatures[at : at + len(some)] = numbers.reshape(len(some), PERMUTATIONS)
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
        names = [name for name in table.texts() if name != table.split_column][:MOST_COLUMNS]
        if not names:
            continue
        joined = ", ".join(f"coalesce({quoted(name)}, '')" for name in names)
        cursor = connection.cursor()
        asked = f"SELECT _row, {splits.part_of(table)}, concat_ws(' ', {joined})"
        cursor.execute(f"{asked} FROM {table.view}")
        while left > 0 and room > 0 and (some := cursor.fetchmany(AT_ONCE)):
            for row, part, said in some:
                text = said[:MOST_CHARACTERS]
                left, room = left - 1, room - len(text)
                shingles = shingled(text)
                if len(shingles):
                    yield Text(table=number, row=row, shingles=shingles, part=part)


def shingled(text: str) -> Hashes:
    words = WORD.findall(text.casefold())
    if len(words) < FEWEST_WORDS:
        return np.empty(0, dtype=np.uint64)
    last = len(words) - SHINGLE_WORDS + 1
    shingles = {" ".join(words[at : at + SHINGLE_WORDS]) for at in range(last)}
    return np.array(RMinHash.hash_token_sets([shingles])[0], dtype=np.uint64)
