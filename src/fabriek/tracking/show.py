"""What the pages of tracked runs show, worked out for one run and for a list of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from fabriek.cases.models import Case
from fabriek.kernel import words
from fabriek.kernel.charts import LineChart, Series, line_chart
from fabriek.kernel.facts import Fact
from fabriek.kernel.paging import Paged
from fabriek.runs.words import duration
from fabriek.tracking import queries
from fabriek.tracking.models import Artifact, Status, Tracked
from fabriek.tracking.packing import Drawn
from fabriek.tracking.queries import SeriesLine

CHARTS_A_PAGE = 12
NAMES_SHOWN = 200
FILES_SHOWN = 500
EVERYDAY = 1e6  # above this, and below its inverse, a figure is told with an exponent
YEAR_3000_MS = 32_503_680_000_000
# Tags in which clients keep what is no word for people.
OF_THE_CLIENT = "mlflow."
TONES = {
    Status.RUNNING: "busy",
    Status.SCHEDULED: "neutral",
    Status.FINISHED: "good",
    Status.FAILED: "wrong",
    Status.KILLED: "attention",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    tracked: Tracked
    tone: str
    started_at: datetime
    took: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    name: str
    value: str
    step: str
    count: str


@dataclass(frozen=True, kw_only=True, slots=True)
class FileLine:
    artifact: Artifact
    url: str


def line(tracked: Tracked) -> Line:
    return Line(
        tracked=tracked,
        tone=TONES[Status(tracked.status)],
        started_at=moment(tracked.started_ms),
        took=_took(tracked),
    )


def set_up(case: Case) -> str:
    """Give the lines by which somebody's own program logs to this case."""
    return "\n".join(
        [
            f"export MLFLOW_TRACKING_URI={settings.FACTORY_URL}",
            "export MLFLOW_TRACKING_TOKEN=fbk_…",
            f"export MLFLOW_EXPERIMENT_NAME={case.code}",
        ]
    )


def page_of(tracked: Tracked, *, q: str, page: str) -> dict[str, object]:
    """Work out all that the page of one run shows. `q`: part of the names of figures."""
    named = named_by(queries.series_of(tracked), q)
    drawn = cut([one for one in named if one.count > 1], page)
    curves = queries.curves(tracked, [one.name for one in drawn.items])
    files = list(queries.artifacts_of(tracked)[: FILES_SHOWN + 1])
    return {
        "line": line(tracked),
        "page": drawn,
        "charts": [chart_of(one.name, curves.get(one.name, [])) for one in drawn.items],
        "figures": [_figure(one) for one in named[:NAMES_SHOWN]],
        "figures_left_out": max(0, len(named) - NAMES_SHOWN),
        "params": _facts(tracked.params),
        "tags": _facts(_words_for_people(tracked.tags)),
        "facts": _about(tracked),
        "files": [_file(tracked, one) for one in files[:FILES_SHOWN]],
        "files_left_out": len(files) > FILES_SHOWN,
        "has_pickles": any(one.is_pickle for one in files),
    }


def named_by(series: Sequence[SeriesLine], q: str) -> list[SeriesLine]:
    q = q.strip().lower()
    return [one for one in series if q in one.name.lower()]


def cut(rows: Sequence[SeriesLine], page: str) -> Paged[SeriesLine]:
    """Cut a page of charts out of a list that is here already."""
    pages = max(1, -(-len(rows) // CHARTS_A_PAGE))
    number = min(max(1, int(page)), pages) if page.isdecimal() and len(page) < 9 else 1  # noqa: PLR2004
    start = (number - 1) * CHARTS_A_PAGE
    return Paged(
        items=list(rows[start : start + CHARTS_A_PAGE]),
        count=len(rows),
        page=number,
        size=CHARTS_A_PAGE,
    )


def chart_of(name: str, points: Sequence[Drawn]) -> LineChart:
    return line_chart(
        [Series(name=name, points=points, write=figure)],
        x_label=_("step"),
        y_label=name,
        title=_sentence(name, points),
    )


def figure(value: float) -> str:
    """Write a figure of anybody's code: in four figures, with an exponent where it must."""
    if not math.isfinite(value):
        return _("no number") if math.isnan(value) else _("infinite")
    size = abs(value)
    if size and (size >= EVERYDAY or size < 1 / EVERYDAY):
        return f"{value:.3e}"
    decimals = 0 if value == round(value) else max(0, min(9, 3 - math.floor(math.log10(size))))
    return words.number(value, decimals)


def moment(at_ms: int) -> datetime:
    """Give a moment that a program told, brought within what dates can be."""
    return datetime.fromtimestamp(min(max(at_ms, 0), YEAR_3000_MS) / 1000, UTC)


def _took(tracked: Tracked) -> str:
    if tracked.ended_ms is None or tracked.ended_ms < tracked.started_ms:
        return ""
    return duration(
        int((moment(tracked.ended_ms) - moment(tracked.started_ms)).total_seconds())
    )


def _sentence(name: str, points: Sequence[Drawn]) -> str:
    if len(points) < 2:  # noqa: PLR2004  one point is no course
        return name
    first, last = min(points), max(points)
    return _("%(name)s went from %(first)s to %(last)s in %(steps)s steps.") % {
        "name": name,
        "first": figure(first[1]),
        "last": figure(last[1]),
        "steps": words.number(last[0] - first[0]),
    }


def _figure(one: SeriesLine) -> Figure:
    return Figure(
        name=one.name,
        value=figure(one.value),
        step=words.number(one.step),
        count=words.number(one.count),
    )


def _facts(told: dict[str, str]) -> list[Fact]:
    return [Fact(label=name, value=value) for name, value in sorted(told.items())]


def _words_for_people(tags: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in tags.items() if not name.startswith(OF_THE_CLIENT)}


def _about(tracked: Tracked) -> list[Fact]:
    rows = [
        Fact(label=_("Case"), value=tracked.case, url=tracked.case.get_absolute_url()),
        Fact(label=_("Experiment"), value=tracked.experiment),
        Fact(label=_("Made by"), value=tracked.made_by),
        Fact(label=_("Started"), value=words.moment(moment(tracked.started_ms))),
    ]
    if took := _took(tracked):
        ended = words.moment(moment(tracked.ended_ms or 0))
        rows.append(Fact(label=_("Ended"), value=ended, help=took))
    return [*rows, Fact(label=_("Number"), value=tracked.uuid)]


def _file(tracked: Tracked, artifact: Artifact) -> FileLine:
    url = reverse("tracking:file", args=[tracked.uuid, artifact.path])
    return FileLine(artifact=artifact, url=url)
