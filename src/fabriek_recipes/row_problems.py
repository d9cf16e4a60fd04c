"""What is wrong with one line of a dataset, told by its number."""

from __future__ import annotations

from dataclasses import dataclass

from fabriek_recipes.events import Json
from fabriek_recipes.words import Sentence, Value, _


@dataclass(frozen=True, slots=True)
class RowProblem:
    """What is wrong with one line, and what to do about it."""

    line: int
    sentence: Sentence


def problem(line: int, msgid: str, **values: Value) -> RowProblem:
    """Say it; `msgid` names the line by `%(line)s`."""
    return RowProblem(line, Sentence(msgid, line=line, **values))


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
