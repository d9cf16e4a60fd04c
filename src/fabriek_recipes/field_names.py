"""Which fields of a row hold the question and the answers: by the names that people give them.

Programs write `prompt` and `completion`, Alpaca `instruction`, `input` and `output`, and a
table of a firm says “Vraag” and “Antwoord”. Capitals do not matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fabriek_recipes.events import Json
from fabriek_recipes.words import _

# The first that is there counts.
TASK = ("instruction", "instructie", "opdracht")
ADDED = ("input", "invoer")  # what a task is about; by itself it is the question
ASKED = ("prompt", "question", "vraag", *TASK, *ADDED)
ANSWERED = ("completion", "answer", "antwoord", "output", "uitvoer", "response")
BETTER = ("chosen", "better", "beter", "gekozen")
WORSE = ("rejected", "worse", "slechter", "afgewezen")
SHOWN_CHARACTERS, SHOWN_NAMES = 40, 15


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a reader of rows asks for; `msgid` says it, with the `columns` there are."""

    fields: tuple[tuple[str, ...], ...]
    msgid: str
    whole: tuple[str, ...] = ("messages",)
    """Fields that say all of it by themselves, in a form of their own."""

    def is_in(self, row: Mapping[str, Json]) -> bool:
        """Tell whether a table whose rows have these fields is meant for this reader."""
        names = {bare(name) for name in row}
        return not names.isdisjoint(self.whole) or all(
            not names.isdisjoint(some) for some in self.fields
        )


ANSWERS = Wanted(
    (ASKED, ANSWERED),
    _(
        "The columns are: %(columns)s. Call the one with the question “prompt” or “vraag”, and "
        "the one with the answer “completion” or “antwoord”."
    ),
)
QUESTIONS = Wanted(
    (ASKED,),
    _("The columns are: %(columns)s. Call the one with the question “prompt” or “vraag”."),
)
PAIRS = Wanted(
    (BETTER, WORSE),
    _(
        "The columns are: %(columns)s. Call the one with the question “prompt” or “vraag”, "
        "the one with the better answer “chosen” or “beter”, and the other “rejected” or "
        "“slechter”."
    ),
    whole=("preferred_output",),
)


def bare(name: str) -> str:
    """Give a name without what people vary in it."""
    return " ".join(name.split()).casefold()


def named(row: Mapping[str, Json], some: tuple[str, ...]) -> str | None:
    """Find how a row itself calls the first of `some` that it has."""
    if some[0] in row:
        return some[0]
    own = {bare(name): name for name in reversed(list(row))}
    return next((own[name] for name in some if name in own), None)


def asked(row: Mapping[str, Json], name: str) -> Json:
    """Give the question under `name`: a task with what it is about, where that is beside it."""
    about = named(row, ADDED) if bare(name) in TASK else None
    task, added = row[name], row[about] if about else None
    if isinstance(task, str) and isinstance(added, str) and task.strip() and added.strip():
        return f"{task}\n\n{added}"
    return task


def shown(row: Mapping[str, Json]) -> str:
    """List the columns of a table; what is long is no name but a row without a heading."""
    names = [name if len(name) <= SHOWN_CHARACTERS else "…" for name in row]
    return ", ".join(names[:SHOWN_NAMES]) + (", …" if len(names) > SHOWN_NAMES else "")
