"""What the page of a run shows, worked out once for the page and for its live part."""

from dataclasses import dataclass
from math import ceil

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fabriek.kernel import words as amounts
from fabriek.kernel.errors import Text
from fabriek.people.models import Person
from fabriek.runs import (
    course,
    expected_start,
    folders,
    kept,
    left,
    mending,
    queries,
    reasons,
    rules,
    scored,
    silence,
    waits,
    warnings_of_end,
    withheld,
    words,
)
from fabriek.runs.course import Course
from fabriek.runs.models import Run
from fabriek.runs.states import PAUSED, RunState
from fabriek_recipes.evaluation import Evaluation
from fabriek_recipes.recipe import runnable

WAITING: dict[str, Text] = {
    RunState.WAITING: gettext_lazy("The factory makes the run ready"),
    RunState.QUEUED: gettext_lazy("The run waits for its turn on the machine"),
    RunState.RUNNING: gettext_lazy("The run has started"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Button:
    name: str = ""
    label: Text
    url: str
    method: str
    tone: str = ""
    confirm: Text = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """A checkpoint to go on from, and what is set aside for it."""

    step: int
    size_bytes: int
    held_gpu_seconds: int


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
    state: str
    attention: str = ""
    log: str = ""
    course: Course | None = None
    warnings: tuple[str, ...] = ()


def recipe_title(run: Run) -> str:
    recipe = runnable().get(run.recipe)
    return _(recipe.title) if recipe else run.recipe


def live(run: Run, person: Person, *, inside: bool) -> Live:
    is_quiet = silence.quiet(run) is not None
    is_going_on = not is_quiet and not run.cancel_asked_at
    left_s = queries.seconds_left(run) if inside and is_going_on else None
    log = folders.log_tail(run) if inside and rules.has_log_to_see(run) else ""
    remaining = _("about %(time)s left in this part") % {"time": words.duration(left_s or 0)}
    return Live(
        doing=_doing(run, inside=inside),
        percent=queries.percent_done(run) if inside else None,
        detail=_detail(run) if inside else "",
        remaining=expected_start.sentence(run) or (remaining if left_s else ""),
        seen=seen(run),
        state=run.get_state_display(),
        attention=waiting(run) if waits.needs_you(run.waiting_reason) else "",
        log=log,
        course=course.of(run) if inside else None,
        warnings=warnings(run, person) if inside else (),
    )


def seen(run: Run) -> str:
    """Name what a page shows now, so that a page that asks again is told “nothing new”."""
    waits = f"{run.queue_position or 0}-{run.waiting_reason}-{expected_start.mark(run)}"
    return (
        f"{run.state}-{run.events_offset}-{folders.log_bytes(run)}-{waits}-{run.progress_done}"
    )


def warnings(run: Run, person: Person) -> tuple[str, ...]:
    """Say each; an agreement for other organisations of the case is not named."""
    theirs = warnings_of_end.agreements_known(run, person)
    told = [warnings_of_end.told(one, theirs) for one in run.warnings]
    said = [withheld.event(one, run, person) for one in told]
    return (*said, *_quiet(run))


def _quiet(run: Run) -> list[str]:
    """Say that a run which is at work made no step for far longer than one takes."""
    quiet = silence.quiet(run)
    if quiet is None:
        return []
    said = {
        "time": words.duration(round(quiet.since_s)),
        "usual": words.duration(ceil(quiet.usual_s)),
    }
    text = _(
        "The run made no step for %(time)s, where a step takes about %(usual)s. It may wait "
        "for a disk or a machine that does not answer. Stop it, and continue from its last "
        "checkpoint."
    )
    return [text % said]


def failure(run: Run, person: Person, *, inside: bool) -> str:
    """Say why a run ended badly: in the recipe's words, or else by the engine's reason."""
    if run.reason == PAUSED and not folders.has_checkpoint(run):
        return reasons.ending(rules.PAUSED_TOO_EARLY)
    told = withheld.event(run.failure, run, person) if inside and run.failure else ""
    return told or reasons.ending(run.reason)


def waiting(run: Run) -> str:
    """Say what the engine says of a run that waits; of one that is being stopped no more."""
    if run.cancel_asked_at:
        return ""
    told = waits.sentence(run.queue_position, run.waiting_reason)
    if run.state == RunState.QUEUED and run.started_at:
        onward = _("The run waits to go on from its last checkpoint, by itself.")
        return f"{onward} {told}".strip()
    return told


def scores(run: Run, found: Evaluation | None) -> scored.Table:
    return scored.table(run.scores, found)


def buttons(person: Person, run: Run, *, inside: bool) -> list[Button]:
    asks: dict[str, Text] = {"cancel": _stop_question(run)}
    return [
        Button(
            name=step.name,
            label=step.label,
            url=step.url,
            method=step.method,
            tone=step.tone,
            confirm=asks.get(step.name, ""),
        )
        for step in rules.next_steps(person, run, part=inside or None)
    ]


def _stop_question(run: Run) -> str:
    if run.recipe in rules.WORKED_IN:
        return _("Stop now? Programs that run in it end; your files are kept.")
    if run.recipe in rules.INTERACTIVE:
        return _("Stop now? What was asked and answered in it goes with it.")
    return _("Stop this run? What it learned up to its last checkpoint is kept.")


def main(run: Run, buttons: list[Button]) -> Button | None:
    """Choose what most will do: mend what failed, or else go on; not what somebody stopped."""
    named = {one.name: one for one in buttons}
    is_over_for_good = run.state == RunState.CANCELLED and run.reason != PAUSED
    if mending.goes_on_first(run) and "continue" in named:
        return named["continue"]
    return named.get("mend") or (None if is_over_for_good else named.get("continue"))


def onward(run: Run, buttons: list[Button]) -> str:
    """Say what going on sets aside, where somebody can let it go on."""
    return left.said(run) if any(one.name == "continue" for one in buttons) else ""


def checkpoints(run: Run) -> list[Point]:
    """List from where one may go on; one alone is the last, which has its own button."""
    if not rules.is_continuable(run):
        return []
    found = [
        Point(
            step=one.step,
            size_bytes=one.size_bytes,
            held_gpu_seconds=left.held_gpu_seconds(run, one.step),
        )
        for one in kept.checkpoints(folders.place(run))
    ]
    return found if len(found) > 1 else []


def _doing(run: Run, *, inside: bool) -> str:
    if run.cancel_asked_at and run.stop_reason == PAUSED:
        return _("The run saves what it learned, and is paused then")
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
