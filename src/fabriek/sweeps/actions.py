"""Start a search, let it go on, stop it, train its winner. The loop does the rest."""

from uuid import NAMESPACE_OID, UUID, uuid5

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fabriek.allocations.models import Allocation
from fabriek.cases.ending import ask_first
from fabriek.cases.models import Case
from fabriek.kernel import journal
from fabriek.kernel.codes import give_code
from fabriek.kernel.errors import NotEnough, WrongState
from fabriek.kernel.words import gpu_hours
from fabriek.people.models import Person
from fabriek.runs import actions as runs
from fabriek.runs import apart, folders, offers, use
from fabriek.runs.models import Run
from fabriek.runs.states import UNFINISHED as AT_WORK
from fabriek.runs.states import RunState
from fabriek.store import retention
from fabriek.sweeps import queries, ranges, rules
from fabriek.sweeps.models import CODE_LETTER, Part, Sweep, SweepInput, Trial
from fabriek.sweeps.quotes import Checked, Quote, checked, quote
from fabriek.sweeps.states import SWEEP
from fabriek.sweeps.wish import Wish

__all__ = ["Quote", "Wish", "go_on", "keep", "price", "start", "stop", "wish_of"]

journal.describe(
    {
        "sweeps.start": gettext_lazy("began a search for good settings"),
        "sweeps.pause": gettext_lazy("A search for good settings stands still."),
        "sweeps.go_on": gettext_lazy("let a search for good settings go on"),
        "sweeps.stop": gettext_lazy("stopped a search for good settings"),
        "sweeps.finish": gettext_lazy("A search for good settings is done."),
        "sweeps.fail": gettext_lazy("A search for good settings found nothing."),
        "sweeps.keep": gettext_lazy("had the winner of a search trained"),
    }
)


def price(wish: Wish, *, case: Case, by: Person) -> Quote:
    """Say what a search would cost, after every check that its start makes.

    Raises:
        NotAllowed, WrongState: `by` may not run for this case, or an agreement forbids it.
        Invalid: a setting, a range, an input or the budget is wrong.
    """
    rules.require_start(by, case)
    return quote(checked(wish), case=case, by=by)


def start(wish: Wish, *, allocation: Allocation, by: Person) -> Sweep:
    """Write the search down; the loop asks for its runs. The same `wish_id` twice is one.

    No GPU time is held for the whole: each run holds its own, and all together never get more
    than the budget.

    Raises:
        As `price`; NotEnough: less is left than the budget.
    """
    case = allocation.case
    rules.require_start(by, case)
    if found := Sweep.objects.filter(key=wish.wish_id, case=case).first():
        return found
    known = checked(wish)
    quoted = quote(known, case=case, by=by)
    left = allocation.gpu_seconds_left
    if wish.gpu_seconds_budget > left:
        said = _("You have %(left)s left, and this search may use %(budget)s. Choose less.")
        said %= {"left": gpu_hours(left), "budget": gpu_hours(wish.gpu_seconds_budget)}
        raise NotEnough(said, fields={"budget": said})
    try:
        return _written(known, quoted, allocation=allocation, by=by)
    except IntegrityError:
        return Sweep.objects.get(key=wish.wish_id, case=case)  # sent twice at once


def go_on(sweep: Sweep, *, by: Person) -> Sweep:
    """Let a search that stands still go on, from now on in the name of `by`.

    Raises:
        NotAllowed, WrongState: not theirs to run, or to see into; an agreement does not allow
            them its runs; or it does not stand still.
        Invalid: what it works on, or its settings, cannot be run any more.
    """
    rules.require_start(by, sweep.case)
    runs.price_for(usual_wish(sweep), case=sweep.case, by=by)
    rules.require_inside(by, sweep)
    with transaction.atomic():
        rules.require_still_open(sweep.case)
        SWEEP.take("go_on", sweep, by=by, reason="", told={}, runs_as=by)
    return sweep


@transaction.atomic
def stop(sweep: Sweep, *, by: Person) -> Sweep:
    """Stop it for good, with what runs of it; what was found stays.

    Raises:
        NotAllowed: `by` is neither of the consortium nor of the factory.
        WrongState: it is over.
    """
    rules.require_stop(by, sweep.case, what=sweep)
    now = timezone.now()
    SWEEP.take("stop", sweep, by=by, reason="stopped", stopped_by=by, ended_at=now)
    for part in Part.objects.filter(trial__sweep=sweep, run__state__in=AT_WORK):
        _call_off(part, by=by)
    return sweep


def keep(sweep: Sweep, *, by: Person) -> Run:
    """Train the winner at full length as a run of its own, from where it was if that was kept.

    Asking again gives the same run, unless that failed.

    Raises:
        NotAllowed, NotEnough: as for any run.
        WrongState: the search goes on, or has no winner.
    """
    rules.require_start(by, sweep.case)
    rules.require_inside(by, sweep)
    if sweep.winner_run and not rules.may_keep(sweep):
        return sweep.winner_run
    board = queries.board(sweep)
    best = board.best
    if best is None or not rules.may_keep(sweep):
        raise WrongState(
            _("%(sweep)s still searches, or has no winner, so nothing can be trained.")
            % {"sweep": sweep},
            code="no_winner",
        )
    latest = board.latest(best.trial.number).run
    begun = latest if latest and latest.until_share < 1 and _went_well(latest) else None
    wanted = winner_wish(sweep, best.trial, since=begun.until_share if begun else 0.0)
    run = runs.ask(wanted, allocation=sweep.allocation, by=by, continues=begun)
    with transaction.atomic():
        rows = Sweep.objects.filter(pk=sweep.pk).exclude(winner_run=run)
        if rows.update(winner_run=run, tidied_at=None):
            journal.record("sweeps.keep", sweep, by=by, run=run.code, note=run.code)
    sweep.winner_run = run
    return run


def usual_wish(sweep: Sweep) -> runs.Wish:
    """Say what a run of the settings that nobody searched is, which is the first trial."""
    recipe = offers.known(sweep.recipe)
    knobs = ranges.usual(recipe, ranges.kept(sweep.ranges), sweep.knobs)
    first = Trial(sweep=sweep, number=1, knobs=knobs)
    return wish_of(sweep, first, shares=(0.0, 1.0), name=name_of(sweep, 1, 0))


def winner_wish(sweep: Sweep, trial: Trial, *, since: float = 0.0) -> runs.Wish:
    """Say what the run of the winner is: an ordinary one, whose model is kept."""
    again = f"{sweep.key} winner {sweep.winner_run_id or 0}"
    return wish_of(sweep, trial, shares=(since, 1.0), name=again, is_trial=False)


def wish_of(
    sweep: Sweep,
    trial: Trial,
    *,
    shares: tuple[float, float],
    name: str,
    timeout_s: int | None = None,
    is_trial: bool = True,
) -> runs.Wish:
    """Say what one run of it is; of the same `name` there is one, however often it is asked.

    `shares`: from which share of its steps to which.
    """
    rows = sweep.inputs.select_related("revision__repository__case")
    return runs.Wish(
        recipe=sweep.recipe,
        knobs={**sweep.knobs, **trial.knobs},
        inputs={row.name: row.revision for row in rows},
        gpus=sweep.gpus,
        nodes=sweep.nodes,
        seed=sweep.seed,
        timeout_s=timeout_s,
        is_trial=is_trial,
        since_share=shares[0],
        until_share=shares[1],
        wish_id=named(name),
    )


def name_of(sweep: Sweep, number: int, place: int) -> str:
    """Name one round of one trial: of this name there is one run."""
    return f"{sweep.key} trial {number} round {place}"


def named(name: str) -> UUID:
    return uuid5(NAMESPACE_OID, name)


def _went_well(run: Run) -> bool:
    return run.state == RunState.SUCCEEDED and folders.has_checkpoint(run)


def _call_off(part: Part, *, by: Person) -> None:
    try:
        if part.run:
            runs.cancel(part.run, by=by)
    except WrongState:
        return  # it ended at this moment


@transaction.atomic
def _written(known: Checked, quoted: Quote, *, allocation: Allocation, by: Person) -> Sweep:
    wish = known.wish
    work = use.Use(
        recipe=known.recipe.name, case=allocation.case, is_secure=quoted.price.is_secure
    )
    sweep = Sweep.objects.create(
        key=wish.wish_id,
        case=allocation.case,
        allocation=allocation,
        recipe=known.recipe.name,
        knobs=dict(wish.knobs),
        ranges=ranges.stored(known.ranges),
        score=quoted.score if wish.score else "",
        trials_wanted=quoted.trials,
        halving=wish.halving,
        at_once=wish.at_once,
        gpus=wish.gpus,
        nodes=wish.nodes,
        seed=wish.seed,
        gpu_seconds_budget=wish.gpu_seconds_budget,
        gpu_seconds_estimated=quoted.gpu_seconds,
        meant_for=apart.meant_for(use.wishes(work, wish.inputs.values(), None)),
        asked_by=by,
        runs_as=by,
    )
    rules.require_still_open(allocation.case)
    give_code(sweep, CODE_LETTER)
    retention.hold(wish.inputs.values())
    SweepInput.objects.bulk_create(
        SweepInput(sweep=sweep, name=name, revision=revision)
        for name, revision in wish.inputs.items()
    )
    details = {"recipe": sweep.recipe, "gpu_seconds_budget": sweep.gpu_seconds_budget}
    journal.record("sweeps.start", sweep, by=by, note=sweep.code, **details)
    return sweep


@ask_first
def in_the_case(case: Case) -> str:
    """Name a search that keeps its case from ending: its next trial would be refused."""
    code = queries.unfinished_in(case)
    if not code:
        return ""
    said = _(
        "The search %(sweep)s of this case goes on. Stop it first; then you can end the case."
    )
    return said % {"sweep": code}
