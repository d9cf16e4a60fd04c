"""The drawings of a search: how trials came through the rounds, and what each setting does."""

import math
from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _

from fabriek.kernel import words as amounts
from fabriek.kernel.charts import LineChart, Series, line_chart
from fabriek.runs import offers, words
from fabriek.sweeps import ranges
from fabriek.sweeps.queries import Board
from fabriek_recipes.searches import Range

CURVES = 6
CHARTS_MAX = 6
SHORT = 12  # signs under a drawing, or in a column


def rounds(board: Board) -> LineChart | None:
    """Draw how the best trials came through the rounds; one round is no course."""
    numbers = [line for line in board.trials if (line, 1) in board.parts]
    if not numbers:
        return None
    curves = []
    for number in numbers[:CURVES]:
        points = [
            (100 * part.until_share, part.score)
            for (one, _at), part in sorted(board.parts.items())
            if one == number and part.score is not None
        ]
        title = _("Trial %(number)s") % {"number": number}
        curves.append(Series(name=title, points=points, write=_write(board.sweep.score)))
    return line_chart(
        curves,
        x_label=_("share of its steps, in %"),
        y_label=_("score"),
        title=_("How those that went on came through the rounds."),
    )


def clouds(
    board: Board, searched: Sequence[Range], knobs: dict[str, offers.Knob]
) -> list[LineChart]:
    """Draw the score of the first round against each setting: only there all did as much."""
    first = [
        (board.trials[number].knobs, part.score)
        for (number, place), part in board.parts.items()
        if place == 0 and part.score is not None
    ]
    return (
        [_cloud(board, one, knobs[one.name], first) for one in searched[:CHARTS_MAX]]
        if first
        else []
    )


def _cloud(
    board: Board, one: Range, knob: offers.Knob, first: Sequence[tuple[dict[str, Any], float]]
) -> LineChart:
    points = [
        (_place(one, values[one.name]), score)
        for values, score in first
        if ranges.holds(one, values[one.name])
    ]
    name = _("Each point is a trial")
    series = Series(name=name, points=points, write=_write(board.sweep.score), is_cloud=True)
    choices = [short(knob.said(choice), str(choice)) for choice in one.choices]
    title = _("The score of the first round by “%(setting)s”") % {"setting": knob.title}
    return line_chart(
        [series],
        x_label=knob.title,
        y_label=_("score"),
        title=title,
        x_names=choices if choices else _power if one.log else (),
    )


def short(said: str, word: str) -> str:
    """Say it by the word of programs where there is no room for what people read."""
    return said if len(said) <= SHORT else word


def _place(one: Range, value: float) -> float:
    if one.kind == "choice":
        return float(one.choices.index(value))
    return math.log10(value) if one.log else float(value)


def _power(place: float) -> str:
    return words.amount(float(f"{10**place:.2g}"))


def _write(name: str) -> Any:  # noqa: ANN401  a function of one number
    return lambda value: amounts.score(name, value)
