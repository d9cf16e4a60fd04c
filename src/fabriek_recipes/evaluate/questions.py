"""Makes questions of rows: as a task says it, or as the rows of a conversation stand."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

from fabriek_recipes.conversations import Message, Row
from fabriek_recipes.evaluate.tasks import CHOICES_MIN, Task
from fabriek_recipes.evaluate.templates import BadTask, Template
from fabriek_recipes.events import Json
from fabriek_recipes.row_problems import RowProblem, problem, refuse
from fabriek_recipes.rows import files_of, read, read_as
from fabriek_recipes.words import Failed, _

T = TypeVar("T")

CHOICES_MAX = 100
PLACE = re.compile(r"[0-9]{1,3}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked, what is expected, and of what one may choose.

    `row` is a conversation with its answer; without one, `asked` is plain text.
    """

    line: int
    asked: str
    target: str
    choices: tuple[str, ...] = ()
    right: int = 0
    row: Row | None = None
    before_target: str = ""

    def as_chat(self) -> Question:
        """Ask the same as somebody would in a conversation."""
        said = (Message("user", self.asked), Message("assistant", self.target))
        return Question(
            line=self.line,
            asked=self.asked,
            target=self.target,
            choices=self.choices,
            right=self.right,
            row=Row(self.line, said),
        )


@dataclass(frozen=True, slots=True)
class Solved:
    """A row with its answer, as a task asks it."""

    line: int
    asked: str
    target: str
    choices: tuple[str, ...]
    right: int


def of_rows(dataset: Path, *, most: int, seed: int) -> list[Question]:
    """Ask what the rows ask; rows kept apart for scoring where there are some, else all.

    Raises:
        Failed: `bad_row`, `no_rows`.
    """
    contents = files_of(dataset)
    found: list[Question] = []
    for path in contents.held_out or contents.train:
        for item in read(path):
            if isinstance(item, RowProblem):
                raise refuse(item, path.name)
            found.append(
                Question(line=item.line, asked=item.prompt, target=item.completion, row=item)
            )
    if not found:
        raise Failed(
            "no_rows",
            _("The dataset has no file with rows and no task; add a .jsonl, .csv or .json."),
        )
    return _some(found, most, seed)


def of_task(task: Task, *, most: int, seed: int) -> list[Question]:
    """Ask each row what the task says, with solved examples before it if it wants some.

    Raises:
        Failed: `bad_row`, `bad_task` with the line of the row it does not fit.
    """
    rows = _solved(task, task.file)
    shown = rows if task.examples == task.file else _solved(task, task.examples)
    found = []
    for each in _some(rows, most, seed):
        others = [other for other in shown if not _asks_the_same(other, each)]
        before = _examples(task, others, seed=f"{seed}:{each.line}")
        asked = f"{task.description}{before}{each.asked}"
        found.append(
            Question(
                line=each.line,
                asked=asked,
                target=each.target,
                choices=each.choices,
                right=each.right,
                before_target=task.before_target,
            )
        )
    return found


def first_of(task: Task, path: Path, *, most: int) -> list[Solved]:
    """Give what fits the task of the first rows of a file."""
    read_rows = read_as(path, lambda number, raw: _solved_row(task, number, raw))
    return [one for one in islice(read_rows, most) if not isinstance(one, RowProblem)]


def _asks_the_same(one: Solved, other: Solved) -> bool:
    """Tell rows that ask the same, whatever their line or file: one would give the answer."""
    return one.asked == other.asked and set(one.choices) == set(other.choices)


def _examples(task: Task, others: Sequence[Solved], *, seed: str) -> str:
    # Not for secrets: the same seed must choose the same examples on every machine.
    lot = random.Random(seed)  # noqa: S311
    chosen = lot.sample(others, min(task.fewshot, len(others)))
    return "".join(
        f"{each.asked}{task.before_target}{each.target}{task.between}" for each in chosen
    )


def _solved(task: Task, path: Path) -> list[Solved]:
    found = []
    for item in read_as(path, lambda number, raw: _solved_row(task, number, raw)):
        if isinstance(item, RowProblem):
            raise refuse(item, path.name)
        found.append(item)
    return found


def _solved_row(task: Task, number: int, raw: Json) -> Solved | RowProblem:
    if not isinstance(raw, dict):
        return problem(number, _("Line %(line)s is not an object; write fields with values."))
    try:
        choices = _choices(task, raw)
        target = task.target.value(raw) if isinstance(task.target, Template) else task.target
        asked = task.asked.render(raw)
        if choices:
            right = _right(target, choices)
            return Solved(number, asked, choices[right], choices, right)
        return Solved(number, asked, _written(target), (), 0)
    except BadTask as why:
        text = _("Line %(line)s does not fit the task %(task)s (%(why)s); mend one of them.")
        return problem(number, text, task=task.name, why=str(why))


def _choices(task: Task, raw: Mapping[str, Json]) -> tuple[str, ...]:
    if task.choices is None:
        return ()
    told = task.choices
    found = list(told) if isinstance(told, tuple) else told.value(raw)
    if not isinstance(found, list) or not CHOICES_MIN <= len(found) <= CHOICES_MAX:
        raise BadTask("its choices are no list of 2 to 100")
    return tuple(_written(one) for one in found)


def _written(value: Json) -> str:
    """Take a text or a number: nothing one could write is no answer."""
    if isinstance(value, list | dict) or not str(value).strip():
        raise BadTask("an answer is no text")
    return str(value)


def _right(target: Json, choices: Sequence[str]) -> int:
    if isinstance(target, str) and target not in choices and PLACE.fullmatch(target.strip()):
        target = int(target)
    if isinstance(target, int) and not isinstance(target, bool) and 0 <= target < len(choices):
        return target
    if isinstance(target, str) and target in choices:
        return choices.index(target)
    raise BadTask("the target is none of its choices")


def _some(rows: list[T], most: int, seed: int) -> list[T]:
    if len(rows) <= most:
        return rows
    # Not for secrets, as above.
    lot = random.Random(seed)  # noqa: S311
    return [rows[place] for place in sorted(lot.sample(range(len(rows)), most))]
