"""What is wrong with one line of a dataset, told by its number."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePath

from fabriek_recipes.events import Json
from fabriek_recipes.words import IN_FILE, Failed, Sentence, Value, _

PROBLEMS_MAX = 20


@dataclass(frozen=True, slots=True)
class RowProblem:
    """What is wrong with one line, and what to do about it."""

    line: int
    sentence: Sentence


def problem(line: int, msgid: str, **values: Value) -> RowProblem:
    """Say it; `msgid` names the line by `%(line)s`."""
    return RowProblem(line, Sentence(msgid, line=line, **values))


def refuse(found: RowProblem, file: str) -> Failed:
    """Turn the first bad row into the failure of a run."""
    told = found.sentence
    return Failed("bad_row", IN_FILE + told.msgid, **{**told.values, "file": file})


def of_files(
    found: Iterable[tuple[PurePath, Iterable[RowProblem]]], *, several: bool
) -> list[Sentence]:
    """Tell the first that is wrong file by file, each named where there are `several`."""
    told: list[Sentence] = []
    for path, problems in found:
        if len(told) >= PROBLEMS_MAX:
            break
        sentences = [each.sentence for each in islice(problems, PROBLEMS_MAX)]
        if sentences and several:
            told.append(Sentence(_("In %(file)s:"), file=path.name))
        told += sentences
    return told[:PROBLEMS_MAX]


def text_problem(number: int, name: str, value: Json) -> RowProblem | None:
    """Say why a value is no text one can learn from, if it is not."""
    if value is None:
        return problem(number, _("Line %(line)s has no %(name)s; add it."), name=name)
    if not isinstance(value, str):
        return problem(
            number,
            _("In line %(line)s %(name)s is not text; put it between quotes."),
            name=name,
        )
    if not value.strip():
        return problem(number, _("In line %(line)s %(name)s is empty; fill it."), name=name)
    if is_half(value):
        return problem(
            number, _("In line %(line)s %(name)s holds half a character; mend it."), name=name
        )
    return None


def is_half(text: str) -> bool:
    """Tell text that JSON can say and UTF-8 cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
