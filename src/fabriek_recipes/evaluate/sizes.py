"""How much is read for each row of a task, told from its first rows: for the estimate."""

from __future__ import annotations

from pathlib import Path

from fabriek_recipes import facts as counting
from fabriek_recipes.evaluate.questions import Solved, first_of
from fabriek_recipes.evaluate.task_files import Unusable
from fabriek_recipes.evaluate.tasks import Task, read_task
from fabriek_recipes.kinds import Facts

# Each is a template filled: so many take a blink.
ROWS_LOOKED_AT = 100


def of_tasks(paths: list[Path], dataset: Path, base: Facts) -> tuple[int, int, int]:
    """Give rows, bytes read once, and those of the longest row; a bad task has none."""
    rows = size = longest = 0
    for path in paths:
        try:
            task = read_task(path, dataset)
        except Unusable:
            continue  # the checks say so
        found = counting.look({"dataset": task.file}, base)
        each = _row_bytes(task)
        rows += found.rows
        size += round(found.rows * sum(each) / max(1, len(each)))
        longest = max([longest, *each])
    return rows, size, longest


def _row_bytes(task: Task) -> list[int]:
    """Say of each row what is read: a question again for each of its choices.

    The estimate counts a row twice, as one that is weighed and then answered; choices are
    weighed only.
    """
    shown = [_bytes(one.asked) + _bytes(one.target) for one in _first(task, task.examples)]
    before = _bytes(task.description) + task.fewshot * sum(shown) // max(1, len(shown))
    found = []
    for one in _first(task, task.file):
        asked = before + _bytes(one.asked)
        every = sum(asked + _bytes(choice) for choice in one.choices)
        found.append(-(-every // 2) if one.choices else asked + _bytes(one.target))
    return found


def _first(task: Task, path: Path) -> list[Solved]:
    return first_of(task, path, most=ROWS_LOOKED_AT)


def _bytes(text: str) -> int:
    return len(text.encode())
