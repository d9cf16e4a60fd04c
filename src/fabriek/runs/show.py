"""What the page of a run shows, worked out once for the page and for its live part."""

from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fabriek.kernel import words as amounts
from fabriek.kernel.charts import LineChart, Series, line_chart
from fabriek.kernel.errors import Text
from fabriek.people.models import Person
from fabriek.runs import expected_start, folders, offers, queries, reasons, rules, words
from fabriek.runs.models import Run
from fabriek.runs.states import RunState
from fabriek_recipes.recipe import runnable

WAITING: dict[str, Text] = {
    RunState.WAITING: gettext_lazy("The factory makes the run ready"),
    RunState.QUEUED: gettext_lazy("The run waits for its turn on the machine"),
    RunState.RUNNING: gettext_lazy("The run has started"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Fact:
    label: Text
    value: object
    url: str = ""
    help: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreRow:
    name: str
    before: str
    after: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Button:
    label: Text
    url: str
    method: str
    tone: str = ""
    confirm: Text = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Live:
    """What changes while a run is on its way; who may not look in gets no log or chart.

    `attention`: why it does not go on by itself, instead of how far it is.
    """

    doing: str
    percent: float | None
    detail: str
    remaining: str
    seen: str
    attention: str = ""
    log: str = ""
    chart: LineChart | None = None
    warnings: tuple[str, ...] = ()


def recipe_title(run: Run) -> str:
    recipe = runnable().get(run.recipe)
    return _(recipe.title) if recipe else run.recipe


def live(run: Run, *, inside: bool) -> Live:
    left_s = queries.seconds_left(run) if inside else None
    log = folders.log_tail(run) if inside else ""
    left = _("about %(time)s left in this part") % {"time": words.duration(left_s or 0)}
    return Live(
        doing=_doing(run, inside=inside),
        percent=queries.percent_done(run) if inside else None,
        detail=_detail(run) if inside else "",
        remaining=expected_start.sentence(run) or (left if left_s else ""),
        seen=seen(run),
        attention=waiting(run) if reasons.needs_you(run.waiting_reason) else "",
        log=log,
        chart=loss_chart(run) if inside else None,
        warnings=warnings(run) if inside else (),
    )


def seen(run: Run) -> str:
    """Name what a page shows now, so that a page that asks again is told “nothing new”."""
    waits = f"{run.queue_position or 0}-{run.waiting_reason}-{expected_start.mark(run)}"
    return (
        f"{run.state}-{run.events_offset}-{folders.log_bytes(run)}-{waits}-{run.progress_done}"
    )


def warnings(run: Run) -> tuple[str, ...]:
    return tuple(words.event_told(one) for one in run.warnings)


def failure(run: Run, *, inside: bool) -> str:
    """Say why a run ended badly: in the recipe's words, or else by the engine's reason."""
    told = words.event_told(run.failure) if inside and run.failure else ""
    return told or reasons.ending(run.reason)


def waiting(run: Run) -> str:
    """Say what the engine says of a run that waits; of one that is being stopped no more."""
    if run.cancel_asked_at:
        return ""
    told = reasons.waiting(run.queue_position, run.waiting_reason)
    if run.state == RunState.QUEUED and run.started_at:
        onward = _("The run waits to go on from its last checkpoint, by itself.")
        return f"{onward} {told}".strip()
    return told


def loss_chart(run: Run) -> LineChart:
    curves = queries.curves(run)
    return line_chart(
        [
            Series(name=words.metric_name(name), points=points, write=_loss)
            for name, points in curves.items()
        ],
        x_label=_("step"),
        y_label=_("loss"),
        title=_loss_sentence(curves.get("loss", [])),
    )


def scores(run: Run) -> list[ScoreRow]:
    return [
        ScoreRow(
            name=words.score_name(score.name),
            before=amounts.score(score.name, score.before),
            after=amounts.score(score.name, score.after),
        )
        for score in queries.scores(run)
    ]


def facts(run: Run) -> list[Fact]:
    """Tell what everybody who may see the run sees of it."""
    rows = [
        Fact(label=_("Case"), value=run.case, url=run.case.get_absolute_url()),
        Fact(label=_("Asked by"), value=run.asked_by, help=amounts.moment(run.asked_at)),
        Fact(label=_("GPUs"), value=_gpus(run)),
    ]
    if run.continues:
        url = run.continues.get_absolute_url()
        rows.append(Fact(label=_("Continues"), value=run.continues.code, url=url))
    if run.started_at:
        waited_s = max(int((run.started_at - run.asked_at).total_seconds()), 0)
        said = _("after a wait of %(time)s") % {"time": words.duration(waited_s)}
        rows.append(Fact(label=_("Started"), value=amounts.moment(run.started_at), help=said))
    if run.starts > 1:
        said = _("The run stopped, saved and went on: it stays one run with one bill.")
        rows.append(Fact(label=_("Parts"), value=amounts.number(run.starts), help=said))
    if run.ended_at:
        took = words.duration(run.elapsed_s)
        rows.append(Fact(label=_("Ended"), value=amounts.moment(run.ended_at), help=took))
    return rows


def bill(run: Run) -> list[Fact]:
    rows = [
        Fact(label=_("Expected"), value=amounts.gpu_hours(run.gpu_seconds_estimated)),
        Fact(
            label=_("Set aside"),
            value=amounts.gpu_hours(run.gpu_seconds_held),
            help=_("What is not used comes back when the run ends."),
        ),
    ]
    if run.gpu_seconds_used is not None:
        rows.append(Fact(label=_("Used"), value=amounts.gpu_hours(run.gpu_seconds_used)))
    paid = Fact(
        label=_("Paid from"),
        value=run.allocation.account,
        url=run.allocation.get_absolute_url(),
    )
    return [*rows, paid]


def knobs(run: Run) -> list[Fact]:
    """Tell what was set, in the recipe's words; if it is gone, by the bare names."""
    rows = [
        Fact(label=knob.title, value=knob.said_with_unit(value))
        for knob, value in offers.chosen(run.recipe, run.knobs)
    ]
    if run.recipe in rules.INTERACTIVE:
        return rows  # nothing in it is drawn by lot
    return [*rows, Fact(label=_("Seed"), value=str(run.seed))]


def buttons(person: Person, run: Run, *, inside: bool) -> list[Button]:
    asks: dict[str, Text] = {
        "cancel": _("Stop now? Programs that run in it end; your files are kept.")
        if run.recipe in rules.INTERACTIVE
        else _("Stop this run? What it learned up to its last checkpoint is kept."),
    }
    return [
        Button(
            label=step.label,
            url=step.url,
            method=step.method,
            tone=step.tone,
            confirm=asks.get(step.name, ""),
        )
        for step in rules.next_steps(person, run, part=inside)
    ]


def _gpus(run: Run) -> str:
    if run.nodes == 1:
        return amounts.number(run.gpus)
    said = {"gpus": amounts.number(run.gpus), "nodes": amounts.number(run.nodes)}
    return _("%(gpus)s over %(nodes)s nodes") % said


def _doing(run: Run, *, inside: bool) -> str:
    if run.cancel_asked_at:
        return _("The run is being stopped")
    if said := waiting(run):
        return said
    if inside and run.stage and run.state == RunState.RUNNING:
        return words.stage(run.stage)
    return str(WAITING.get(run.state, ""))


def _detail(run: Run) -> str:
    if not run.progress_total:
        return ""
    return _("%(done)s of %(total)s steps") % {
        "done": amounts.number(run.progress_done),
        "total": amounts.number(run.progress_total),
    }


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
