"""Reads datasets row by row and names every problem by its line; light for the portal."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar, cast

from fabriek_recipes.events import Json
from fabriek_recipes.words import Sentence, Value, _

T = TypeVar("T")

LINE_BYTES_MAX = 1024 * 1024
PROBLEMS_MAX = 20
MESSAGES_MIN = 2
ROLES = ("system", "user", "assistant")
HELD_OUT_WORDS = {"heldout", "held", "test", "valid", "validation", "eval", "dev", "apart"}


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Row:
    """One example: what is asked, and the answer (the last message) that is learned from."""

    line: int
    messages: tuple[Message, ...]

    @property
    def completion(self) -> str:
        """The answer to learn."""
        return self.messages[-1].content

    @property
    def prompt(self) -> str:
        """What comes before the answer, as text for people."""
        return "\n".join(message.content for message in self.messages[:-1])


@dataclass(frozen=True, slots=True)
class RowProblem:
    """What is wrong with one line, and what to do about it."""

    line: int
    sentence: Sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a dataset holds: files with rows to learn from, and those kept apart for scoring."""

    train: tuple[Path, ...]
    held_out: tuple[Path, ...]


def read(path: Path) -> Iterator[Row | RowProblem]:
    """Give each row to fine-tune on, or what is wrong with it, holding one line in memory."""
    return _each(path, _row)


def read_texts(path: Path) -> Iterator[str | RowProblem]:
    """Give each text to pretrain on: the `text` of a `.jsonl` row, or all of its messages.

    In a `.txt` file a blank line ends a text.
    """
    return _each(path, _text) if is_jsonl(path) else _paragraphs(path)


def check(path: Path, limit: int = PROBLEMS_MAX, *, plain: bool = False) -> list[RowProblem]:
    """Collect the first `limit` problems of a file; `plain` means text to pretrain on."""
    problems: list[RowProblem] = []
    for item in read_texts(path) if plain else read(path):
        if isinstance(item, RowProblem):
            problems.append(item)
            if len(problems) >= limit:
                break
    return problems


def count(path: Path) -> int:
    """Count lines that are not blank, without judging them."""
    with path.open("rb") as file:
        return sum(1 for _number, line in _lines(file) if line is None or line.strip())


def files_of(dataset: Path, *, plain: bool = False) -> Contents:
    """Sort a dataset's `.jsonl` files, and its `.txt` files too where `plain`.

    A file with a word like `heldout`, `test` or `apart` in its name is kept apart for scoring.
    """
    suffixes = {".jsonl", ".txt"} if plain else {".jsonl"}
    found = [dataset] if dataset.is_file() else sorted(dataset.rglob("*"))
    files = [path for path in found if path.suffix in suffixes and path.is_file()]
    train = tuple(path for path in files if not _is_held_out(path))
    if not train:  # a dataset of one file called test.jsonl is there to be learned from
        return Contents(train=tuple(files), held_out=())
    return Contents(train=train, held_out=tuple(path for path in files if path not in train))


def is_jsonl(path: Path) -> bool:
    """Tell rows from plain text."""
    return path.suffix == ".jsonl"


def _is_held_out(path: Path) -> bool:
    return not HELD_OUT_WORDS.isdisjoint(re.split(r"[^a-z]+", path.stem.lower()))


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """Give each line its number; one over the bound is None, and never held in memory."""
    number = 0
    while line := file.readline(LINE_BYTES_MAX + 1):
        number += 1
        if len(line) <= LINE_BYTES_MAX or line.endswith(b"\n"):
            # Windows programs begin a file with a mark that is not part of the first row.
            yield number, line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
            continue
        while (rest := file.readline(LINE_BYTES_MAX)) and not rest.endswith(b"\n"):
            pass
        yield number, None


def _each(path: Path, make: Callable[[int, Json], T | RowProblem]) -> Iterator[T | RowProblem]:
    seen = 0
    with path.open("rb") as file:
        for number, line in _lines(file):
            if line is None or line.strip():
                seen += 1
                raw = _parsed(number, line)
                yield raw if isinstance(raw, RowProblem) else make(number, raw.value)
    if not seen:
        yield _problem(0, _("The file has no rows; put one JSON object on each line."))


@dataclass(frozen=True, slots=True)
class _Parsed:
    value: Json


def _parsed(number: int, line: bytes | None) -> _Parsed | RowProblem:
    if line is None:
        most = LINE_BYTES_MAX // 1024
        return _problem(
            number, _("Line %(line)s is longer than %(most)s KiB; split the row."), most=most
        )
    try:
        return _Parsed(json.loads(line.decode("utf-8").rstrip("\r\n")))
    except UnicodeDecodeError:
        return _problem(number, _("Line %(line)s is not UTF-8 text; save the file as UTF-8."))
    except json.JSONDecodeError as why:
        return _problem(
            number,
            _("Line %(line)s is not valid JSON near character %(column)s; mend or remove it."),
            column=why.pos + 1,
        )
    except (ValueError, RecursionError):
        return _problem(
            number,
            _("Line %(line)s holds a number or nesting too large to read; mend or remove it."),
        )


def _row(number: int, raw: Json) -> Row | RowProblem:
    if not isinstance(raw, dict):
        return _problem(
            number,
            _('Line %(line)s is not an object; write {"prompt": "…", "completion": "…"}.'),
        )
    if "messages" in raw:
        return _conversation(number, raw["messages"])
    if "prompt" not in raw and "completion" not in raw:
        return _problem(
            number, _("Line %(line)s has neither prompt and completion nor messages; add them.")
        )
    for name in ("prompt", "completion"):
        if (problem := _text_problem(number, name, raw.get(name))) is not None:
            return problem
    prompt, completion = cast("str", raw["prompt"]), cast("str", raw["completion"])
    return Row(number, (Message("user", prompt), Message("assistant", completion)))


def _conversation(number: int, raw: Json) -> Row | RowProblem:
    if not isinstance(raw, list) or len(raw) < MESSAGES_MIN:
        return _problem(
            number,
            _("Line %(line)s needs a list of at least two messages: a question and an answer."),
        )
    messages: list[Message] = []
    for item in raw:
        if not isinstance(item, dict) or item.get("role") not in ROLES:
            return _problem(
                number,
                _("Line %(line)s has a role that is not system, user or assistant; mend it."),
            )
        if (problem := _text_problem(number, "content", item.get("content"))) is not None:
            return problem
        messages.append(Message(cast("str", item["role"]), cast("str", item["content"])))
    return _in_order(number, messages)


def _in_order(number: int, messages: list[Message]) -> Row | RowProblem:
    if messages[-1].role != "assistant":
        return _problem(
            number,
            _("Line %(line)s does not end with a message by the assistant; add the answer."),
        )
    if any(message.role == "system" for message in messages[1:]):
        return _problem(
            number, _("Line %(line)s has a system message that is not the first; move it up.")
        )
    if not any(message.role == "user" for message in messages):
        return _problem(
            number, _("Line %(line)s has no message by the user; add the question.")
        )
    return Row(number, tuple(messages))


def _text(number: int, raw: Json) -> str | RowProblem:
    if isinstance(raw, dict) and "text" in raw:
        return _text_problem(number, "text", raw["text"]) or cast("str", raw["text"])
    if isinstance(raw, dict) and not {"messages", "prompt", "completion"} & raw.keys():
        return _problem(number, _('Line %(line)s has no text; write {"text": "…"}.'))
    row = _row(number, raw)
    if isinstance(row, RowProblem):
        return row
    return "\n".join(message.content for message in row.messages)


def _paragraphs(path: Path) -> Iterator[str | RowProblem]:
    """Join lines up to a blank one; a paragraph over the bound is cut, which loses nothing."""
    held: list[str] = []
    size, seen = 0, False
    with path.open("rb") as file:
        for number, line in _lines(file):
            text = _decoded(number, line)
            if isinstance(text, RowProblem):
                seen = True
                yield text
                continue
            held.append(text)
            size += len(text)
            if (not text or size > LINE_BYTES_MAX) and (whole := "\n".join(held).strip()):
                yield whole
                seen = True
            if not text or size > LINE_BYTES_MAX:
                held, size = [], 0
    if whole := "\n".join(held).strip():
        yield whole
    elif not seen:
        yield _problem(0, _("The file has no text; put some in."))


def _decoded(number: int, line: bytes | None) -> str | RowProblem:
    if line is None:
        most = LINE_BYTES_MAX // 1024
        return _problem(
            number, _("Line %(line)s is longer than %(most)s KiB; break it up."), most=most
        )
    try:
        return line.decode("utf-8").rstrip()
    except UnicodeDecodeError:
        return _problem(number, _("Line %(line)s is not UTF-8 text; save the file as UTF-8."))


def _text_problem(number: int, name: str, value: Json) -> RowProblem | None:
    if value is None:
        return _problem(number, _("Line %(line)s has no %(name)s; add it."), name=name)
    if not isinstance(value, str):
        return _problem(
            number,
            _("In line %(line)s %(name)s is not text; put it between quotes."),
            name=name,
        )
    if not value.strip():
        return _problem(number, _("In line %(line)s %(name)s is empty; fill it."), name=name)
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        return _problem(
            number, _("In line %(line)s %(name)s holds half a character; mend it."), name=name
        )
    return None


def _problem(line: int, msgid: str, **values: Value) -> RowProblem:
    return RowProblem(line, Sentence(msgid, line=line, **values))
