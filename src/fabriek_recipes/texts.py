"""Reads a corpus text by text, file by file, however large it is; light for the portal."""

from __future__ import annotations

import gzip
import importlib
import io
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, BinaryIO, cast

from fabriek_recipes import parquet_rows
from fabriek_recipes.row_problems import RowProblem, problem, text_problem
from fabriek_recipes.rows import Contents, files_below, texts_in, texts_with_rows
from fabriek_recipes.words import _

PLAIN, ROWS, TABLE = ".txt", ".jsonl", ".parquet"
PACKED = (".gz", ".zst")
# Of what is packed so much is unpacked to see how far it shrank.
SAMPLE_BYTES, SAMPLE_BYTES_MIN = 4 * 2**20, 2**20
# Somebody waits: of more files than this some are opened, and of all together so much is read.
FILES_OPENED, OPENED_BYTES = 100, 128 * 2**20
TEXT = "text"
# A column that none of so many rows has is taken for one that the file does not have.
FIRST_ROWS = 100
NO_TEXT = _("The dataset has no .txt, .jsonl or .parquet file with text; add your text.")


def files_of(dataset: Path) -> Contents:
    """Name the files with text to learn from, and those kept apart, by a word in their name."""
    return files_below(dataset, is_text)


def is_text(path: PurePath) -> bool:
    """Tell by its name whether a file holds text to learn from."""
    return kind_of(path) in {PLAIN, ROWS, TABLE}


def kind_of(path: PurePath) -> str:
    """Give the ending that says what it holds, packed or not: a table packs itself."""
    if path.suffix in PACKED:
        inner = PurePath(path.stem).suffix
        return inner if inner in {PLAIN, ROWS} else ""
    return path.suffix


def read(path: Path) -> Iterator[str | RowProblem]:
    """Give each text, or what is wrong with a line; one text at a time is held in memory.

    In plain text a blank line ends a text; a row holds `text`, or messages; a table has a
    column `text`.
    """
    return (text for _line, text in numbered(path))


def numbered(
    path: Path, named: PurePath | None = None, *, bytes_max: int | None = None
) -> Iterator[tuple[int, str | RowProblem]]:
    """Give each text with the line it begins at, as `read` does.

    `named`: how the file is called, where it lies under another name. `bytes_max`: of lines no
    more than about so much, unpacked: an archive of nothing but empty lines may have no end.
    """
    named = named or path
    if kind_of(named) == TABLE:
        yield from _of_table(path)
        return
    try:
        with opened(path, packed=named.suffix) as file:
            begin = file if bytes_max is None else cast("BinaryIO", _Beginning(file, bytes_max))
            yield from texts_in(begin, as_rows=kind_of(named) == ROWS)
    except (EOFError, OSError, ValueError) as why:
        if named.suffix not in PACKED or isinstance(why, FileNotFoundError):
            raise
        text = _("The file cannot be unpacked; pack it again, or add it as it is.")
        yield 0, problem(0, text)


def with_cells(
    path: Path, wanted: Callable[[str], bool]
) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Give each text of rows or of a table with the cells of the columns that are wanted.

    Nothing where its first rows have no such column, so that looking costs next to nothing, and
    nothing of plain text. What is wrong with a line is told by who reads the texts alone.
    """
    if kind_of(path) == TABLE:
        yield from _cells_of_table(path, wanted)
    if kind_of(path) != ROWS:
        return
    with opened(path) as file:
        seen = False
        for number, item in texts_with_rows(file):
            if isinstance(item, RowProblem):
                continue
            text, row = item
            cells = {} if not isinstance(row, dict) else {n: row[n] for n in row if wanted(n)}
            seen = seen or bool(cells)
            if not seen and number > FIRST_ROWS:
                return
            yield text, cells


class _Beginning:
    """The first lines of a file; the last of them is whole."""

    def __init__(self, file: BinaryIO, left: int) -> None:
        self._file, self._left = file, left

    def readline(self, size: int = -1) -> bytes:
        if self._left <= 0:
            return b""
        line = self._file.readline(size)
        self._left -= len(line)
        return line


def opened(path: Path, *, packed: str = "") -> BinaryIO:
    """Open a file, unpacking it as it is read; `packed`: the ending that says how."""
    ending = packed or path.suffix
    if ending == ".gz":
        return cast("BinaryIO", gzip.open(path, "rb"))
    if ending == ".zst":
        # Python itself reads zstd from 3.14 on; the library of tables does today.
        arrow = importlib.import_module("pyarrow")
        stream = arrow.CompressedInputStream(arrow.OSFile(str(path)), "zstd")
        return cast("BinaryIO", io.BufferedReader(stream, 2**20))
    return path.open("rb")


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much text there is, about: counted in a table, guessed where it is packed."""

    text_bytes: int
    longest_bytes: int = 0
    texts: int = 0


def size_of_all(paths: Sequence[Path]) -> Size:
    """Add it up; of many files some of each kind, evenly taken, stand for the others."""
    kinds: dict[tuple[str, str], list[Path]] = defaultdict(list)
    for path in paths:
        kinds[kind_of(path), path.suffix].append(path)
    opened_max = min(len(paths), FILES_OPENED)
    sample = max(SAMPLE_BYTES_MIN, min(SAMPLE_BYTES, OPENED_BYTES // max(1, opened_max)))
    found = [
        _size_of_alike(alike, max(1, opened_max * len(alike) // len(paths)), sample)
        for alike in kinds.values()
    ]
    return Size(
        text_bytes=sum(one.text_bytes for one in found),
        longest_bytes=max((one.longest_bytes for one in found), default=0),
        texts=sum(one.texts for one in found),
    )


def _size_of_alike(paths: Sequence[Path], count: int, sample: int) -> Size:
    """Open `count` of them; the others shrank as these did, by their bytes on disk."""
    chosen = [paths[number * len(paths) // count] for number in range(count)]
    sizes = [size_of(path, sample=sample) for path in chosen]
    share = 1.0
    if len(chosen) < len(paths):
        share = _on_disk(paths) / max(1, _on_disk(chosen))
    return Size(
        text_bytes=int(sum(one.text_bytes for one in sizes) * share),
        longest_bytes=max(one.longest_bytes for one in sizes),
        texts=int(sum(one.texts for one in sizes) * share),
    )


def _on_disk(paths: Sequence[Path]) -> int:
    return sum(path.stat().st_size for path in paths)


def size_of(path: Path, *, sample: int = 0) -> Size:
    """Say it from the beginning of the file alone, so that it costs the same for any file."""
    sample = sample or SAMPLE_BYTES
    on_disk = path.stat().st_size
    if kind_of(path) == TABLE:
        return _size_of_table(path)
    seen = texts = longest = 0
    with suppress(EOFError, OSError, ValueError), opened(path) as file:
        while seen < sample and (line := file.readline(2**20)):
            seen += len(line)
            texts += bool(line.strip())
            longest = max(longest, len(line))
    whole = _unpacked(path, on_disk, sample) if path.suffix in PACKED else on_disk
    share = max(1.0, whole / max(1, seen)) if seen >= sample else 1.0
    return Size(
        text_bytes=whole if share > 1 else seen,
        longest_bytes=longest,
        texts=int(texts * share),
    )


def _unpacked(path: Path, on_disk: int, sample: int) -> int:
    """Guess how large it is unpacked by how far its beginning shrank."""
    read = 0
    with suppress(EOFError, OSError, ValueError), path.open("rb", 0) as packed:
        if path.suffix == ".gz":
            stream: Any = gzip.GzipFile(fileobj=packed)
        else:
            arrow = importlib.import_module("pyarrow")
            stream = arrow.CompressedInputStream(arrow.PythonFile(packed, mode="r"), "zstd")
        while read < sample and (piece := stream.read(2**18)):
            read += len(piece)
        return int(on_disk * read / max(1, min(packed.tell(), on_disk)))
    return on_disk


# --- tables ------------------------------------------------------------------------------
def _of_table(path: Path) -> Iterator[tuple[int, str | RowProblem]]:
    arrow = importlib.import_module("pyarrow")
    broken = problem(0, _("The file is no whole Parquet file; save it again."))
    try:
        file, count = parquet_rows.opened(path)
        if wrong := _table_problem(file, count):
            yield 0, wrong
            return
        number = 0
        for batch in file.iter_batches(batch_size=parquet_rows.at_once(file), columns=[TEXT]):
            for cell in batch.column(0).to_pylist():
                number += 1
                yield number, text_problem(number, TEXT, cell) or cell
    except (OSError, ValueError, UnicodeDecodeError, arrow.ArrowException):
        yield 0, broken


def _cells_of_table(
    path: Path, wanted: Callable[[str], bool]
) -> Iterator[tuple[str, Mapping[str, object]]]:
    file, _count = parquet_rows.opened(path)
    names = [str(name) for name in file.schema_arrow.names if wanted(str(name))]
    if not names:
        return
    for batch in file.iter_batches(
        batch_size=parquet_rows.at_once(file), columns=[TEXT, *names]
    ):
        for row in batch.to_pylist():
            if isinstance(text := row.pop(TEXT), str):
                yield text, row


def _table_problem(file: Any, count: int) -> RowProblem | None:  # noqa: ANN401
    """Look at what the file says of itself, before anything is unpacked."""
    names = [str(name) for name in file.schema_arrow.names]
    if TEXT not in names or not parquet_rows.is_text(file.schema_arrow.field(TEXT).type):
        text = _("The table has no column “text” with words in it; call the column so.")
        return problem(0, text)
    if not count:
        return problem(0, _("The file has no rows; add some."))
    return parquet_rows.too_large(file, {TEXT})


def _size_of_table(path: Path) -> Size:
    arrow = importlib.import_module("pyarrow")
    try:
        file, count = parquet_rows.opened(path)
        size = 0
        for place in range(file.metadata.num_row_groups):
            group = file.metadata.row_group(place)
            columns = (group.column(number) for number in range(group.num_columns))
            size += sum(
                one.total_uncompressed_size for one in columns if one.path_in_schema == TEXT
            )
    except (OSError, ValueError, arrow.ArrowException):
        return Size(text_bytes=path.stat().st_size)
    return Size(text_bytes=size, texts=count)
