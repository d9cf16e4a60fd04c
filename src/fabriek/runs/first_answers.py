"""The first answers that a run wrote, for its page: to who may read the rows it was asked."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fabriek.people.models import Person
from fabriek.runs import inputs, made, rules
from fabriek.runs.models import Run

SHOWN_MAX = 5
READ_BYTES = 256 * 1024
CHARACTERS_MAX = 600
FIRST = "part-00000.jsonl"


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    line: int
    asked: str
    answer: str
    is_cut_off: bool


def shown(run: Run, person: Person) -> tuple[Answer, ...]:
    """Give the first few; of data of others none, as each look at those is written down."""
    if not rules.leaves_files(run) or inputs.is_lent(run):
        return ()
    if not made.may_read_rows(run, person):
        return ()
    return tuple(_read(run))


def _read(run: Run) -> Iterator[Answer]:
    try:
        with made.opened(run, FIRST) as file, file:
            text = file.read(READ_BYTES)
    except FileNotFoundError:
        return
    # The last line may be cut.
    for line in text.split(b"\n")[:-1][:SHOWN_MAX]:
        if (answer := _answer(line)) is not None:
            yield answer


def _answer(line: bytes) -> Answer | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    said = row.get("messages") if isinstance(row, Mapping) else None
    if not isinstance(said, list) or not said:
        return None
    texts = [_text(one) for one in said]
    number = row.get("line")
    return Answer(
        line=number if isinstance(number, int) and not isinstance(number, bool) else 0,
        asked="\n".join(texts[:-1])[-CHARACTERS_MAX:],
        answer=texts[-1][:CHARACTERS_MAX],
        is_cut_off=row.get("is_cut_off") is True,
    )


def _text(message: object) -> str:
    content = message.get("content") if isinstance(message, Mapping) else None
    return content.replace("\0", "") if isinstance(content, str) else ""
