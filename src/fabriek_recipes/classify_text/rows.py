"""Reads texts and their labels, from a table or from JSON lines, and names every problem."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fabriek_recipes import tables
from fabriek_recipes.row_problems import RowProblem, problem
from fabriek_recipes.rows import PROBLEMS_MAX
from fabriek_recipes.words import Sentence, _

LABEL_CHARACTERS_MAX = 120
LABELS_MAX = 200
LABELS_MIN = 2


@dataclass(frozen=True, slots=True)
class Text:
    """One text and the label it should have."""

    line: int
    text: str
    label: str


def read(path: Path, *, text: str, label: str) -> Iterator[Text | RowProblem]:
    """Give each text of a file; `text` and `label` name the columns."""
    for item in tables.rows(path, tables.as_it_is):
        if isinstance(item, RowProblem):
            yield item
            continue
        line, names, cells = item
        yield _row(line, dict(zip(names, cells, strict=True)), (text, label))


def check(dataset: Path, *, text: str, label: str) -> tuple[Sentence, ...]:
    """Say what is wrong with the rows or their labels, at most some twenty problems."""
    found: list[Sentence] = []
    labels: set[str] = set()
    is_cut = False
    for path in tables.files_of(dataset).train:
        for place, item in enumerate(read(path, text=text, label=label)):
            is_cut |= place >= tables.CHECKED_ROWS_MAX
            if is_cut:
                break
            if isinstance(item, RowProblem):
                found.append(item.sentence)
            else:
                labels.add(item.label)
            if len(found) >= PROBLEMS_MAX:
                return tuple(found)
    # What comes later may have other labels.
    return tuple(found) or (() if is_cut else label_problems(labels))


def label_problems(labels: set[str]) -> tuple[Sentence, ...]:
    """Say why these labels cannot be told apart, if so."""
    if len(labels) < LABELS_MIN:
        text = _("There is only one label, “%(name)s”; add rows with another.")
        return (Sentence(text, name=next(iter(labels), "")[:60]),)
    if len(labels) > LABELS_MAX:
        text = _("There are %(count)s different labels; at most %(most)s can be told apart.")
        return (Sentence(text, count=len(labels), most=LABELS_MAX),)
    return ()


def _row(line: int, given: dict[str, str | None], asked: tuple[str, str]) -> Text | RowProblem:
    for name in asked:
        if name not in given:
            text = _("Line %(line)s has no column “%(name)s”; it has: %(names)s.")
            return problem(line, text, name=name, names=", ".join(list(given)[:8])[:200])
        if given[name] is None:
            return problem(line, _("In line %(line)s “%(name)s” is empty; fill it."), name=name)
    label = " ".join(str(given[asked[1]]).split())
    if len(label) > LABEL_CHARACTERS_MAX:
        text = _(
            "In line %(line)s the label is longer than %(most)s characters; is it the text?"
        )
        return problem(line, text, most=LABEL_CHARACTERS_MAX)
    return Text(line, str(given[asked[0]]), label)
