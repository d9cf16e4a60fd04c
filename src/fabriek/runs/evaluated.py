"""An evaluation as pages show it: sentences, tables, drawings with their words beside them."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from fabriek.kernel import strange
from fabriek.kernel import words as amounts
from fabriek.kernel.charts import LineChart, Series, line_chart
from fabriek.runs import folders, words
from fabriek.runs.models import Run
from fabriek_recipes import evaluation
from fabriek_recipes.evaluation import Bin, Confusion, Effect, Evaluation, Worst
from fabriek_recipes.evaluation import Series as Forecast

CHARTS_MAX = 6
SHADES = 5
WIDEST = 100.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """A count, and how dark its ground is: 0 to 5, by its share of the row."""

    said: str
    shade: int
    is_right: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Matrix:
    labels: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell]]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Worth:
    """What a column is worth: in a figure, and as the width of a bar (a coordinate)."""

    name: str
    said: str
    width: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Ways:
    """A column of words, and what the model says on average for each."""

    name: str
    points: Sequence[tuple[str, str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """All of an evaluation that a page shows; what is empty is left out there."""

    rows: str
    remarks: Sequence[str]
    labels: Sequence[tuple[str, str, str, str, str]]
    matrix: Matrix | None
    reliability: LineChart | None
    worths: Sequence[Worth]
    effects: Sequence[LineChart]
    ways: Sequence[Ways]
    series: Sequence[tuple[str, str, str, str]]
    forecasts: Sequence[LineChart]
    worst: Sequence[Worst]
    best: Sequence[Worst]


def of_run(run: Run) -> Evaluation | None:
    """Read what a run left of it; nothing when its folder is gone, or holds something else."""
    try:
        with strange.opened(folders.place(run), evaluation.EVALUATION) as file:
            return evaluation.parsed(file.read(evaluation.BYTES_MAX + 1))
    except OSError:
        return None


def shown(found: Evaluation | None) -> Shown | None:
    """Lay an evaluation out; nothing when there is none."""
    if found is None:
        return None
    drawn = [one for one in found.effects if one.points]
    numbers = [one for one in drawn if all(point.x is not None for point in one.points)]
    return Shown(
        rows=amounts.number(found.rows),
        remarks=[words.event_told(one.model_dump()) for one in found.remarks],
        labels=[
            (one.name, _share(one.precision), _share(one.recall), _share(one.f1), _n(one.rows))
            for one in found.labels
        ],
        matrix=_matrix(found.confusion) if found.confusion else None,
        reliability=_reliability(found.reliability) if found.reliability else None,
        worths=_worths(found.effects),
        effects=[_effect(one, found.effect_of) for one in numbers][:CHARTS_MAX],
        ways=[_ways(one) for one in drawn if one not in numbers][:CHARTS_MAX],
        series=[
            (one.name, one.model, _figure(one.error), _figure(one.yardstick))
            for one in found.series
        ],
        forecasts=[_forecast(one) for one in found.series if one.points][:CHARTS_MAX],
        worst=found.worst,
        best=found.best,
    )


def _matrix(found: Confusion) -> Matrix:
    rows = []
    for place, (label, counts) in enumerate(zip(found.labels, found.counts, strict=False)):
        whole = sum(counts) or 1
        cells = [
            Cell(
                said=_n(count),
                shade=-(-SHADES * count // whole),
                is_right=place == other,
            )
            for other, count in enumerate(counts)
        ]
        rows.append((label, cells))
    return Matrix(labels=found.labels, rows=rows)


def _reliability(bins: Sequence[Bin]) -> LineChart:
    # In percent 0.55 is 55.00000000000001.
    points = [(round(100 * one.said, 6), round(100 * one.came_true, 6)) for one in bins]
    return line_chart(
        [
            Series(name=_("This model"), points=points, write=_percent),
            Series(name=_("What it should be"), points=[(0, 0), (100, 100)], write=_percent),
        ],
        x_label=_("chance that was said, in %"),
        y_label=_("how often it came true, in %"),
        title=_("Do the chances hold? On the straight line they do."),
        y_shows=(0, 100),
    )


def _worths(effects: Sequence[Effect]) -> list[Worth]:
    largest = max((one.importance for one in effects), default=0.0)
    return [
        Worth(
            name=one.name,
            said=_figure(one.importance),
            width=f"{WIDEST * max(0.0, one.importance) / largest if largest > 0 else 0.0:.1f}",
        )
        for one in effects
    ]


def _effect(one: Effect, of: str) -> LineChart:
    points = [(point.x, point.y) for point in one.points if point.x is not None]
    said = {"column": one.name, "of": of}
    return line_chart(
        [Series(name=of, points=points, write=_figure)],
        x_label=one.name,
        y_label=_("what the model says on average"),
        title=_("Where %(column)s leads") % said,
    )


def _ways(one: Effect) -> Ways:
    return Ways(name=one.name, points=[(point.at, _figure(point.y)) for point in one.points])


def _forecast(one: Forecast) -> LineChart:
    def line(name: str, field: str) -> Series:
        values = [(place, getattr(point, field)) for place, point in enumerate(one.points)]
        known = [(float(place), value) for place, value in values if value is not None]
        return Series(name=name, points=known, write=_figure)

    lines = [
        line(_("What was"), "actual"),
        line(_("What is forecast"), "said"),
        line(_("At least"), "low"),
        line(_("At most"), "high"),
    ]
    return line_chart(
        lines,
        x_label=_("time"),
        y_label=_("value"),
        title=one.name,
        x_names=[point.at for point in one.points],
    )


def _n(count: int) -> str:
    return amounts.number(count)


def _share(value: float) -> str:
    return amounts.score("accuracy", value)


def _percent(value: float) -> str:
    return amounts.score("accuracy", value / 100)


def _figure(value: float | None) -> str:
    return amounts.score("", value)
