"""Reads datasets row by row and names every problem by its line; light for the portal."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import BinaryIO, TypeVar, cast

from fabriek_recipes.conversations import Message, Row, conversation
from fabriek_recipes.events import Json
from fabriek_recipes.field_names import ANSWERED, ANSWERS, ASKED, QUESTIONS, Wanted
from fabriek_recipes.field_names import asked as _asked
from fabriek_recipes.field_names import named as _named
from fabriek_recipes.field_names import shown as _shown
from fabriek_recipes.json_lines import LINE_BYTES_MAX, lines, parsed
from fabriek_recipes.row_problems import PROBLEMS_MAX, RowProblem, problem, text_problem
from fabriek_recipes.row_tables import is_table, rows_in
from fabriek_recipes.words import _

__all__ = [
    "FIELDS",
    "LINE_BYTES_MAX",
    "NO_ROWS",
    "PROBLEMS_MAX",
    "Contents",
    "Message",
    "Row",
    "RowProblem",
    "check",
    "files_of",
    "is_jsonl",
    "is_table",
    "lines",
    "of_rows",
    "read",
    "read_as",
    "read_fields",
    "read_questions",
    "read_texts",
]

T = TypeVar("T")
P = TypeVar("P", bound=PurePath)

# Of ASCII, but for tabs, new lines, new pages, and the escapes that stand in logs of terminals.
NEVER_TYPED = bytes({*range(32), 127} - {*b"\t\n\v\f\r\x1b"})
NO_ROWS = _("The dataset has no .jsonl, .csv or .json file; add one with your rows.")
# A row with any of these is meant for a language model; other rows are a table, or a task's.
FIELDS = {"text", "prompt", "completion", "messages", "chosen", "rejected", "preferred_output"}
HELD_OUT_WORDS = {"heldout", "held", "test", "valid", "validation", "eval", "dev", "apart"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a dataset holds: files with rows to learn from, and those kept apart for scoring."""

    train: tuple[Path, ...]
    held_out: tuple[Path, ...]


def read(
    path: Path, *, named: PurePath | None = None, every: int = 1
) -> Iterator[Row | RowProblem]:
    """Give each row to fine-tune on, or what is wrong with it, holding one line in memory.

    `named`: how the file is called, where it lies under another name. `every`: of the rows of
    a table only every so many.
    """
    return read_as(path, _row, wanted=ANSWERS, named=named, every=every)


def read_as(
    path: Path,
    make: Callable[[int, Json], T | RowProblem],
    *,
    wanted: Wanted | None = None,
    named: PurePath | None = None,
    every: int = 1,
) -> Iterator[T | RowProblem]:
    """Give what `make` makes of each row's number and JSON, or what is wrong with the line.

    `wanted`: what a table has columns for; where it has not, that is told once.
    """
    with path.open("rb") as file:
        if not is_table(named or path):
            yield from (made for _line, made in _each_in(file, make))
            return
        for at, (number, raw) in enumerate(rows_in(file, named or path)):
            if wanted and isinstance(raw, dict):
                if not wanted.is_in(raw):
                    yield problem(number, wanted.msgid, columns=_shown(raw))
                    return
                wanted = None  # the first row tells
            if isinstance(raw, RowProblem):
                yield raw
            elif at % every == 0:
                yield make(number, raw)


def read_questions(path: Path) -> Iterator[Row | RowProblem]:
    """Give each row to answer: `prompt`, or `messages` up to a question; answers may be there.

    An answer that ends a row is left out: it is what the model is asked for.
    """
    return read_as(path, _question, wanted=QUESTIONS)


def read_fields(path: Path) -> Iterator[frozenset[str] | RowProblem]:
    """Give the names of each row's fields: for tables, and questions of a task's own form."""
    return read_as(path, _fields)


def read_texts(path: Path) -> Iterator[str | RowProblem]:
    """Give each text to pretrain on: the `text` of a `.jsonl` row, or all of its messages.

    In a `.txt` file a blank line ends a text.
    """
    with path.open("rb") as file:
        yield from (text for _line, text in texts_in(file, as_rows=is_jsonl(path)))


def texts_in(file: BinaryIO, *, as_rows: bool) -> Iterator[tuple[int, str | RowProblem]]:
    """Give the texts of an open file as `read_texts` does, each with the line it begins at."""
    return _each_in(file, _text) if as_rows else _paragraphs(file)


def texts_with_rows(file: BinaryIO) -> Iterator[tuple[int, tuple[str, Json] | RowProblem]]:
    """Give the texts of an open file of rows, each with its line and all that its row holds."""

    def both(number: int, raw: Json) -> tuple[str, Json] | RowProblem:
        text = _text(number, raw)
        return text if isinstance(text, RowProblem) else (text, raw)

    return _each_in(file, both)


def check(path: Path, limit: int = PROBLEMS_MAX, *, plain: bool = False) -> list[RowProblem]:
    """Collect the first `limit` problems of a file; `plain` means text to pretrain on."""
    problems: list[RowProblem] = []
    for item in read_texts(path) if plain else read(path):
        if isinstance(item, RowProblem):
            problems.append(item)
            if len(problems) >= limit:
                break
    return problems


def files_of(dataset: Path, *, plain: bool = False) -> Contents:
    """Sort a dataset's files of rows, or its `.jsonl` and `.txt` files where `plain`.

    A file with a word like `heldout`, `test` or `apart` in its name is kept apart for scoring.
    """
    if plain:
        return files_below(dataset, lambda path: path.suffix in {".jsonl", ".txt"})
    return _sorted(of_rows(path for path in _below(dataset) if path.is_file()))


def of_rows(paths: Iterable[P]) -> list[P]:
    """Choose the files with rows: `.jsonl`, and only where there is none, tables and lists.

    Beside `.jsonl` a `.csv` or `.json` is mostly about the data.
    """
    found = list(paths)
    return [path for path in found if is_jsonl(path)] or [p for p in found if is_table(p)]


def files_below(dataset: Path, is_meant: Callable[[Path], bool]) -> Contents:
    """Sort those files of a dataset that are meant as `files_of` does."""
    return _sorted([path for path in _below(dataset) if is_meant(path) and path.is_file()])


def _below(dataset: Path) -> list[Path]:
    return [dataset] if dataset.is_file() else sorted(dataset.rglob("*"))


def _sorted(files: list[Path]) -> Contents:
    train = tuple(path for path in files if not is_held_out(path))
    if not train:  # a dataset of one file called test.jsonl is there to be learned from
        return Contents(train=tuple(files), held_out=())
    return Contents(train=train, held_out=tuple(path for path in files if path not in train))


def is_jsonl(path: PurePath) -> bool:
    """Tell rows from plain text."""
    return path.suffix == ".jsonl"


def is_held_out(path: PurePath) -> bool:
    """Tell by its name whether a file is kept apart for scoring."""
    return not HELD_OUT_WORDS.isdisjoint(re.split(r"[^a-z]+", path.stem.lower()))


def _each_in(
    file: BinaryIO, make: Callable[[int, Json], T | RowProblem]
) -> Iterator[tuple[int, T | RowProblem]]:
    seen = 0
    for number, line in lines(file):
        if line is None or line.strip():
            seen += 1
            raw = parsed(number, line)
            yield number, raw if isinstance(raw, RowProblem) else make(number, raw.value)
    if not seen:
        yield 0, problem(0, _("The file has no rows; put one JSON object on each line."))


def _row(number: int, raw: Json) -> Row | RowProblem:
    if not isinstance(raw, dict):
        return problem(
            number,
            _('Line %(line)s is not an object; write {"prompt": "…", "completion": "…"}.'),
        )
    if "messages" in raw:
        return conversation(number, raw)
    asked, answered = _named(raw, ASKED), _named(raw, ANSWERED)
    if asked is None and answered is None:
        return problem(
            number, _("Line %(line)s has neither prompt and completion nor messages; add them.")
        )
    question = _asked(raw, asked) if asked else None
    answer = raw[answered] if answered else None
    for name, value in ((asked or ASKED[0], question), (answered or ANSWERED[0], answer)):
        if (wrong := text_problem(number, name, value)) is not None:
            return wrong
    said = Message("user", cast("str", question)), Message("assistant", cast("str", answer))
    return Row(number, said)


def _fields(number: int, raw: Json) -> frozenset[str] | RowProblem:
    if isinstance(raw, dict):
        return frozenset(raw)
    return problem(
        number,
        _('Line %(line)s is not an object; write {"prompt": "…", "completion": "…"}.'),
    )


def _question(number: int, raw: Json) -> Row | RowProblem:
    name = _named(raw, ASKED) if isinstance(raw, dict) and "messages" not in raw else None
    if isinstance(raw, dict) and name:
        question = _asked(raw, name)
        wrong = text_problem(number, name, question)
        return wrong or Row(number, (Message("user", cast("str", question)),))
    if not isinstance(raw, dict) or "messages" not in raw:
        return problem(
            number, _("Line %(line)s has neither a prompt nor messages; add what to answer.")
        )
    row = conversation(number, raw, ends=False)
    if isinstance(row, Row) and row.messages[-1].role == "assistant":
        return replace(row, messages=row.messages[:-1])
    return row


def _text(number: int, raw: Json) -> str | RowProblem:
    if isinstance(raw, dict) and "text" in raw:
        return text_problem(number, "text", raw["text"]) or cast("str", raw["text"])
    if isinstance(raw, dict) and not {"messages", "prompt", "completion"} & raw.keys():
        return problem(number, _('Line %(line)s has no text; write {"text": "…"}.'))
    row = _row(number, raw)
    if isinstance(row, RowProblem):
        return row
    return "\n".join(message.content for message in row.messages if message.content)


def _paragraphs(file: BinaryIO) -> Iterator[tuple[int, str | RowProblem]]:
    """Join lines up to a blank one; a paragraph over the bound is cut, which loses nothing."""
    held: list[str] = []
    size, seen, began = 0, False, 1
    for number, line in lines(file):
        text = _decoded(number, line)
        if isinstance(text, RowProblem):
            seen = True
            yield number, text
            continue
        if not held:
            began = number
        held.append(text)
        size += len(text)
        if (not text or size > LINE_BYTES_MAX) and (whole := "\n".join(held).strip()):
            yield began, whole
            seen = True
        if not text or size > LINE_BYTES_MAX:
            held, size = [], 0
    if whole := "\n".join(held).strip():
        yield began, whole
    elif not seen:
        yield 0, problem(0, _("The file has no text; put some in."))


def _decoded(number: int, line: bytes | None) -> str | RowProblem:
    if line is None:
        most = LINE_BYTES_MAX // 1024
        return problem(
            number, _("Line %(line)s is longer than %(most)s KiB; break it up."), most=most
        )
    if b"\0" in line:
        return problem(
            number, _("Line %(line)s holds a zero byte; save the file as UTF-8 text.")
        )
    if len(line) - len(line.translate(None, NEVER_TYPED)) > len(line) // 10:
        text = _("Line %(line)s is no text, but signs that nobody types; leave the file out.")
        return problem(number, text)
    try:
        return line.decode("utf-8").rstrip()
    except UnicodeDecodeError:
        return problem(number, _("Line %(line)s is not UTF-8 text; save the file as UTF-8."))
