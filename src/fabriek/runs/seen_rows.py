"""A few rows as a model reads them: for a page, and for programs."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fabriek.kernel.errors import Text
from fabriek.kernel.words import number
from fabriek.runs.look import Looked
from fabriek.runs.seen_places import file_of, place, tokens
from fabriek.runs.seen_shapes import RowIn, RunIn
from fabriek.runs.shapes import SeenRowOut, TokensOut

ROLES: dict[str, Text] = {
    "signs": gettext_lazy("Signs of the template"),
    "system": gettext_lazy("System"),
    "user": gettext_lazy("User"),
    "assistant": gettext_lazy("Assistant"),
    "tool": gettext_lazy("Tool"),
    "text": gettext_lazy("Text"),
}
ANSWERS: dict[str, Text] = {
    "better": gettext_lazy("The better answer: to become likelier"),
    "worse": gettext_lazy("The other answer: to become less likely"),
}
WHY: dict[str, Text] = {
    "first": gettext_lazy("one of the first"),
    "longest": gettext_lazy("the longest one"),
    "lot": gettext_lazy("chosen by lot"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """A run of tokens of one role. `gap`: instead of tokens, what is left out here."""

    role: str
    name: Text
    learned: bool
    tokens: Sequence[str]
    gap: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """One of the two answers of a pair."""

    name: Text
    kind: str
    pieces: list[Piece]


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """`pieces` is all of it; of a pair only the question, before its two `answers`."""

    title: str
    detail: str
    pieces: list[Piece]
    answers: list[Answer]


def rows(looked: Looked) -> list[Row]:
    return [_row(looked, one) for one in looked.sample]


def told_to_programs(looked: Looked) -> list[SeenRowOut]:
    return [_row_out(looked, one) for one in looked.sample]


def _row_out(looked: Looked, one: RowIn) -> SeenRowOut:
    return SeenRowOut(
        file=file_of(looked, one.file),
        line=one.line,
        why=one.why,
        tokens=one.tokens,
        learned=one.learned,
        runs=_runs_out(one.runs),
        answers=[_runs_out(answer) for answer in one.answers],
    )


def _runs_out(runs: Sequence[RunIn]) -> list[TokensOut]:
    return [TokensOut(role=run.role, learned=run.learned, tokens=run.tokens) for run in runs]


def _row(looked: Looked, one: RowIn) -> Row:
    named = place(looked, one.file, one.line)
    said = {
        "why": WHY[one.why],
        "tokens": tokens(one.tokens),
        "learned": number(one.learned),
    }
    detail = _("%(why)s · %(tokens)s, %(learned)s learned from") % said
    if one.answers:
        detail = _("%(why)s · %(tokens)s with the longer answer, %(learned)s count") % said
    if looked.of_texts:
        detail = _("%(why)s · %(tokens)s") % said
    elif one.tokens > looked.longest:
        detail = _("%(detail)s · left out: too long") % {"detail": detail}
    return Row(
        title=named[:1].upper() + named[1:],
        detail=detail,
        pieces=list(map(_piece, one.runs)),
        answers=[
            Answer(name=name, kind=kind, pieces=list(map(_piece, runs)))
            for (kind, name), runs in zip(ANSWERS.items(), one.answers, strict=False)
        ],
    )


def _piece(run: RunIn) -> Piece:
    if run.role == "gap":
        said = {"n": number(int(run.tokens[0]) if run.tokens[0].isdigit() else 0)}
        gap = _("… %(n)s tokens are not shown …") % said
        return Piece(role="gap", name="", learned=False, tokens=(), gap=gap)
    return Piece(
        role=run.role,
        name=ROLES[run.role],
        learned=run.learned,
        tokens=[letters.replace("\n", "↵\n") for letters in run.tokens],
    )
