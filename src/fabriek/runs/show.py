"""What the page of a run shows, worked out once for the page and for its live part."""

from dataclasses import dataclass
from math import ceil

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fabriek.kernel import words as amounts
from fabriek.kernel.errors import Text
from fabriek.kernel.words import percent_sign
from fabriek.people.models import Person
from fabriek.runs import (
    course,
    energy,
    expected_start,
    folders,
    kept,
    mending,
    offers,
    queries,
    reasons,
    rules,
    scored,
    silence,
    tried,
    warnings_of_end,
    withheld,
    words,
)
from fabriek.runs.course import Course
from fabriek.runs.models import Run
from fabriek.runs.states import RunState
from fabriek_recipes.evaluation import Evaluation
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
class Button:
    name: str = ""
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
    left_s = queries.seconds_left(run) if inside and not is_quiet else None
    log = folders.log_tail(run) if inside and rules.has_log_to_see(run) else ""
    left = _("about %(time)s left in this part") % {"time": words.duration(left_s or 0)}
    return Live(
        doing=_doing(run, inside=inside),
        percent=queries.percent_done(run) if inside else None,
        detail=_detail(run) if inside else "",
        remaining=expected_start.sentence(run) or (left if left_s else ""),
        seen=seen(run),
        state=_("paused") if run.reason == rules.PAUSED else run.get_state_display(),
        attention=waiting(run) if reasons.needs_you(run.waiting_reason) else "",
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
    if run.reason == rules.PAUSED and not folders.has_checkpoint(run):
        return reasons.ending(rules.PAUSED_TOO_EARLY)
    told = withheld.event(run.failure, run, person) if inside and run.failure else ""
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


def scores(run: Run, found: Evaluation | None) -> scored.Table:
    return scored.table(run.scores, found)


def facts(run: Run, *, inside: bool) -> list[Fact]:
    """Tell what everybody who may see the run sees of it; what it measured only inside."""
    rows = [
        *_dry(run, inside=inside),
        *_trial(run),
        Fact(label=_("Case"), value=run.case, url=run.case.get_absolute_url()),
        Fact(label=_("Asked by"), value=run.asked_by, help=amounts.moment(run.asked_at)),
        Fact(label=_("GPUs"), value=_gpus(run)),
        *_secure(run),
    ]
    if run.continues:
        rows.append(_continued(run.continues, run.continues_step))
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


def _continued(earlier: Run, step: int | None) -> Fact:
    said = _("from step %(step)s") % {"step": amounts.number(step)} if step else ""
    url = earlier.get_absolute_url()
    return Fact(label=_("Continues"), value=earlier.code, url=url, help=said)


def _dry(run: Run, *, inside: bool) -> list[Fact]:
    """Say of a dry run that it is one, and what it measured."""
    if not run.is_dry:
        return []
    found = tried.measured(run) if inside else None
    said = found.says() if found else _("It makes no model: it measures ten steps.")
    return [Fact(label=_("Dry run"), value=said)]


def _trial(run: Run) -> list[Fact]:
    """Say of a trial that its score is what counts."""
    if not run.is_trial:
        return []
    said = _("Its score is compared with that of others; the model it makes is not kept.")
    if run.until_share < 1:
        said = _("It does the first %(share)s of its steps, and its score is compared.")
        said %= {"share": f"{amounts.number(100 * run.until_share, 1)}{percent_sign()}"}
    return [Fact(label=_("Trial"), value=said)]


def _secure(run: Run) -> list[Fact]:
    if not run.is_secure:
        return []
    said = _(
        "This runs on the secure part of the machine. Its log stays there, and what it makes "
        "goes out only after the owner of the data looked at it."
    )
    return [Fact(label=_("Where"), value=_("Secure part"), help=said)]


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
    if drawn := energy.used(run):
        rows.append(Fact(label=_("Energy"), value=drawn.said, help=drawn.method))
    paid = Fact(
        label=_("Paid from"),
        value=run.allocation.account,
        url=run.allocation.get_absolute_url(),
    )
    return [*rows, paid]


def knobs(run: Run) -> list[Fact]:
    """Tell what was set, in the recipe's words; if it is gone, by the bare names."""
    rows = [
        Fact(label=knob.title, value=knob.said_with_unit(value) or "–")
        for knob, value in offers.chosen(run.recipe, run.knobs)
    ]
    if run.recipe in rules.INTERACTIVE:
        return rows  # nothing in it is drawn by lot
    return [*rows, Fact(label=_("Seed"), value=str(run.seed))]


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
    is_over_for_good = run.state == RunState.CANCELLED and run.reason != rules.PAUSED
    if mending.goes_on_first(run) and "continue" in named:
        return named["continue"]
    return named.get("mend") or (None if is_over_for_good else named.get("continue"))


def checkpoints(run: Run) -> list[kept.Checkpoint]:
    """List from where one may go on; one alone is the last, which has its own button."""
    if not rules.is_continuable(run):
        return []
    found = kept.checkpoints(folders.place(run))
    return found if len(found) > 1 else []


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
