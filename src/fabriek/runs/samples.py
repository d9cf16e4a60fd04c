"""What a model wrote while it learned: read from the events, where its rows stay and go."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fabriek.kernel import strange
from fabriek.people.models import Person
from fabriek.runs import folders, inputs, made, rules
from fabriek.runs.models import Run
from fabriek_recipes.run_folder import EVENTS

# Between two looks of a long run stand hours of lines that say how far it is.
READ_BYTES = 2 * 2**20
MARK = b'"kind": "sample"'
SHOWN_MAX = 6
CHARACTERS_MAX = 600


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    step: int
    prompt: str
    expected: str
    answer: str


def latest(run: Run, person: Person) -> tuple[Sample, ...]:
    """Give what the model wrote at the last look, to who may read the rows it was asked."""
    found = list(_found(run)) if rules.has_log_to_see(run) else []
    if not found or inputs.is_lent(run) or not made.may_read_rows(run, person):
        return ()
    last = max(one.step for one in found)
    return tuple(one for one in found if one.step == last)[:SHOWN_MAX]


def _found(run: Run) -> Iterator[Sample]:
    for line in _lines(run):
        if MARK in line and (sample := _sample(line)):
            yield sample


def _lines(run: Run) -> list[bytes]:
    try:
        with strange.opened(folders.place(run), EVENTS) as file:
            file.seek(max(0, file.seek(0, 2) - READ_BYTES))
            return file.read(READ_BYTES).split(b"\n")
    except OSError:
        return []


def _sample(line: bytes) -> Sample | None:
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        return None
    step = told.get("when") if isinstance(told, Mapping) else None
    if not isinstance(step, int) or isinstance(step, bool) or step < 1:
        return None
    texts = (_text(told.get(name)) for name in ("prompt", "expected", "answer"))
    prompt, expected, answer = texts
    return Sample(step=step, prompt=prompt, expected=expected, answer=answer)


def _text(value: object) -> str:
    return value[:CHARACTERS_MAX] if isinstance(value, str) else ""
