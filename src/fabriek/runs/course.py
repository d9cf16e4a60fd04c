"""How a run goes, in pictures and figures: what its page shows of what it measured."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from fabriek.kernel import words as amounts
from fabriek.kernel.charts import LineChart, Series, line_chart
from fabriek.kernel.errors import Text
from fabriek.runs import energy, queries, words
from fabriek.runs.models import Run
from fabriek_recipes.recipe import catalogue

GB = 10**9
LEARNING_RATE, SPEED, MEMORY, SHARE = (
    "learning_rate",
    "tokens_per_s",
    "memory_bytes",
    "share_of_peak",
)
FIGURES = (LEARNING_RATE, SPEED, MEMORY)
FIRST = "loss"

Curves = dict[str, list[queries.Point]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    label: Text
    value: str
    help: str = ""
    url: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Course:
    """The loss large, the rest small beside it; `now` in figures."""

    loss: LineChart
    small: tuple[LineChart, ...]
    now: tuple[Figure, ...]


def of(run: Run) -> Course:
    curves = queries.curves(run, also=(*FIGURES, SHARE))
    return Course(
        loss=_loss_chart(
            {name: curves[name] for name in sorted(curves, key=_place) if "loss" in name}
        ),
        small=tuple(_small(curves, _counts_pictures(run))),
        now=tuple(_now(run, curves)),
    )


def _place(name: str) -> tuple[bool, str]:
    return name != FIRST, name


def _loss_chart(curves: Curves) -> LineChart:
    return line_chart(
        [
            Series(name=words.metric_name(name), points=points, write=_loss)
            for name, points in curves.items()
        ],
        x_label=_("step"),
        y_label=_("loss"),
        title=_loss_sentence(curves.get(FIRST, [])),
    )


def _counts_pictures(run: Run) -> bool:
    recipe = catalogue().get(run.recipe)
    return recipe is not None and recipe.counts == "pictures"


def _small(curves: Curves, of_pictures: bool) -> list[LineChart]:
    speed = _("pictures per second") if of_pictures else _("tokens per second")
    drawn = (
        (LEARNING_RATE, _("Learning rate"), "", words.amount, 1),
        (SPEED, _("Speed"), speed, amounts.number, 1),
        (MEMORY, _("Most memory in use"), "GB", _gigabytes, GB),
        (SHARE, _("Share of the chip's peak"), "%", amounts.number, 0.01),
    )
    return [
        line_chart(
            [
                Series(
                    name=title,
                    points=[(step, value / scale) for step, value in curves[name]],
                    write=write,
                )
            ],
            x_label=_("step"),
            y_label=unit,
            title=title,
            y_shows=(0.0,),
        )
        for name, title, unit, write, scale in drawn
        if len(curves.get(name, ())) > 1  # one point is no course
    ]


def _now(run: Run, curves: Curves) -> list[Figure]:
    """Say what counts at this moment, or counted at the end."""
    found = []
    if speeds := curves.get(SPEED):
        said = amounts.number(_typical(speeds))
        of_pictures = _counts_pictures(run)
        label = _("Pictures per second") if of_pictures else _("Tokens per second")
        found.append(Figure(label=label, value=said))
    if shares := curves.get(SHARE):
        found.append(_share(run, _typical(shares)))
    if memory := curves.get(MEMORY):
        said = amounts.size(round(max(value for _step, value in memory)))
        found.append(Figure(label=_("Most memory in use"), value=said))
    if found and run.is_unfinished and run.elapsed_s:
        drawn = energy.expected(run.elapsed_s * run.gpus)
        found.append(Figure(label=_("Energy so far"), value=drawn.said, help=drawn.method))
    return found


def _share(run: Run, share: float) -> Figure:
    """Say how much of the chip was used, and how that was counted."""
    percent = amounts.number(100 * share) + amounts.percent_sign()
    if run.knobs.get("method") == "lora":
        said = _(
            "Counted as 4 operations for each weight and token: the weights of the base model "
            "are not changed, and need no slopes."
        )
    else:
        said = _("Counted as 6 operations for each weight and token.")
    return Figure(label=_("Share of the chip's peak"), value=percent, help=said)


def _typical(points: Sequence[queries.Point]) -> float:
    """Take the middle of the figures: the first steps, and one that waited, tell nothing."""
    values = sorted(value for _step, value in points)
    return values[len(values) // 2]


def _gigabytes(value: float) -> str:
    return amounts.size(round(value * GB))


def _loss(value: float) -> str:
    return amounts.score("loss", value)


def _loss_sentence(points: list[queries.Point]) -> str:
    if len(points) < 2:  # noqa: PLR2004  one point is no course
        return _("The loss while learning: lower is better.")
    (_first_step, first), (step, last) = points[0], points[-1]
    said = {
        "first": _loss(first),
        "last": _loss(last),
        "step": amounts.number(step),
    }
    if last < first:
        return _("The loss fell from %(first)s to %(last)s in %(step)s steps.") % said
    return _("The loss did not fall: it went from %(first)s to %(last)s.") % said
