"""Ask for a run, continue one, cancel one. These are wishes: the loop grants them."""

from dataclasses import replace
from itertools import chain
from uuid import NAMESPACE_OID, uuid5

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fabriek.allocations import actions as allocations
from fabriek.allocations import told
from fabriek.allocations.models import Allocation
from fabriek.cases.models import Case
from fabriek.kernel import journal
from fabriek.kernel.codes import give_code
from fabriek.kernel.errors import Invalid, WrongState
from fabriek.people.models import Person
from fabriek.quality import queries as quality
from fabriek.runs import (
    apart,
    folders,
    kept,
    mending,
    offers,
    own_code,
    prices,
    rules,
    saved_in,
    tried,
    use,
)
from fabriek.runs.ending import cancel, pause
from fabriek.runs.models import CODE_LETTER, Run, RunInput
from fabriek.runs.states import UNFINISHED
from fabriek.runs.wish import GPUS_MAX, SEED_MAX, Wish, check_limits, small
from fabriek.store import retention

__all__ = [
    "GPUS_MAX",
    "SEED_MAX",
    "Wish",
    "ask",
    "cancel",
    "correct_bill",
    "go_on",
    "mend",
    "note_outputs_taken",
    "pause",
    "price",
    "price_for",
]

journal.describe(
    {
        "runs.ask": gettext_lazy("asked for a run"),
        "runs.ask_cancel": gettext_lazy("asked to stop a run"),
        "runs.ask_pause": gettext_lazy("asked to pause a run"),
        "runs.enqueue": gettext_lazy("A run stands in the queue of the machine."),
        "runs.start": gettext_lazy("A run has started."),
        "runs.requeue": gettext_lazy("A run has stopped for a while and waits to go on."),
        "runs.succeed": gettext_lazy("A run has succeeded."),
        "runs.fail": gettext_lazy("A run has failed."),
        "runs.stop": gettext_lazy("A run was stopped."),
        "runs.cancel": gettext_lazy("A run was cancelled before it started."),
        "runs.lose": gettext_lazy("The machine no longer mentions a run."),
        # Done by the loop, told by the web, which does not know that part of the loop.
        "runs.warn_of_end": gettext_lazy("The data of a run may not be used much longer."),
        "runs.stop_for_data": gettext_lazy(
            "The factory stops a run: its data may not be used any more."
        ),
    }
)


def price(wish: Wish, *, case: Case | None = None, by: Person | None = None) -> prices.Price:
    """Say what `wish` costs, after every check that a start would make.

    What a dry run of this case measured corrects the estimate.

    Raises:
        Invalid: a knob or an input is wrong.
    """
    recipe = offers.known(wish.recipe)
    knobs = offers.checked_knobs(recipe, wish.knobs)
    check_limits(wish)
    own_code.require_offered(recipe)
    offers.checked_inputs(recipe, wish.inputs, knobs, by=by)
    own_code.require_packages(recipe, knobs, wish.inputs)
    found = tried.latest(recipe, knobs, wish.inputs, case=case)
    extent = prices.Extent(
        gpus=wish.gpus,
        timeout_s=wish.timeout_s,
        since_share=wish.since_share,
        until_share=wish.until_share,
    )
    cost = prices.price(recipe, knobs, wish.inputs, extent=extent, found=found)
    return prices.dry(cost, recipe) if wish.is_dry else cost


def price_for(wish: Wish, *, case: Case, by: Person) -> prices.Price:
    """Say what `wish` costs, to somebody who may use what it works on for this case.

    Raises:
        Invalid: a knob or an input is wrong, or it is of another case.
        NotAllowed: an agreement on the data does not allow this, or not for so long.
    """
    purpose = use.placed(use.Use(recipe=wish.recipe, case=case, by=by), wish.inputs)
    agreed = use.check(purpose, wish.inputs)  # before its files are looked at
    saved_in.check(wish.saved_in, recipe=wish.recipe, case=case, inputs=wish.inputs)
    cost = price(small(wish), case=case, by=by)
    use.check(replace(purpose, timeout_s=cost.timeout_s), agreed)
    warnings = chain.from_iterable(map(quality.warnings_for, wish.inputs.values()))
    return replace(cost, warnings=tuple(warnings), is_secure=purpose.is_secure)


def ask(wish: Wish, *, allocation: Allocation, by: Person, continues: Run | None = None) -> Run:
    """Hold the GPU time and queue the run; the loop sends it to the engine.

    `continues`: an earlier session of interactive work, whose files this one begins with; or
    an earlier part of the same run, from whose last checkpoint this one goes on.

    Raises:
        NotAllowed, WrongState: `by` may not run for this case, or it is not open; or an
            agreement on what it works on does not allow it.
        Invalid: a knob or an input is wrong.
        NotEnough: the allocation cannot pay for the longest the run may take.
    """
    return _ask(wish, allocation=allocation, by=by, continues=continues)


def mend(run: Run, *, by: Person) -> Run:
    """Start a run that failed again, with what its recipe proposes to change.

    Asking again gives the same new run.

    Raises:
        WrongState: it did not fail, or no change is known that helps.
    """
    rules.require_ask(by, run.case)
    found = mending.proposed(run)
    if found is None:
        raise WrongState(
            _("For %(run)s no change of settings is known that helps. Run it again yourself.")
            % {"run": run},
            code="no_mending",
        )
    changed = replace(_wish_of(run), knobs={**run.knobs, **found.changes})
    if found.gpus:
        changed = replace(changed, gpus=found.gpus, nodes=1)
    # The same wish each time: a button that is pressed twice is one run.
    changed = replace(changed, wish_id=uuid5(NAMESPACE_OID, f"mend {run.key}"))
    return _ask(changed, allocation=run.allocation, by=by, continues=None)


def go_on(run: Run, *, by: Person, from_step: int | None = None) -> Run:
    """Continue a run that ended early, from one of its checkpoints, as a new run.

    Without a step from the last. While that new run is unfinished, asking again gives it.

    Raises:
        Invalid: the run kept no checkpoint of this step.
        WrongState: the run is not over, ended well, or left no checkpoint; or it is interactive
            work, which its own room begins, where it is offered.
    """
    rules.require_ask(by, run.case)
    if run.recipe in rules.INTERACTIVE:
        raise WrongState(
            _("%(run)s was a session to work in. Begin a new one; it can have its files.")
            % {"run": run}
        )
    if not rules.is_continuable(run) or not folders.has_checkpoint(run):
        raise WrongState(
            _("%(run)s cannot be continued: it left no checkpoint. Start it again.")
            % {"run": run}
        )
    if from_step is not None:
        _check_step(run, from_step)
    wish = _wish_of(run)
    return _ask(wish, allocation=run.allocation, by=by, continues=run, from_step=from_step)


@transaction.atomic
def correct_bill(run: Run, *, gpu_seconds_used: int, key: str, note: str) -> None:
    """Bring the bill of a run that is over to what the machine's accounting counted.

    Repeating changes nothing.
    """
    allocations.correct(
        run.allocation,
        run_key=run.key,
        gpu_seconds_used=gpu_seconds_used,
        key=key,
        note=note,
    )
    Run.objects.filter(pk=run.pk).update(gpu_seconds_used=gpu_seconds_used)


def note_outputs_taken(run: Run) -> None:
    """Remember that a later room is done with what the run made, in its own transaction."""
    Run.objects.filter(pk=run.pk).update(outputs_taken_at=timezone.now())


def _check_step(run: Run, step: int) -> None:
    steps = [one.step for one in kept.checkpoints(folders.place(run))]
    if step not in steps:
        raise Invalid(
            _("%(run)s kept no checkpoint of step %(step)s. Choose one of: %(steps)s.")
            % {"run": run, "step": step, "steps": ", ".join(map(str, steps)) or "-"},
            code="no_such_checkpoint",
        )


def _wish_of(run: Run) -> Wish:
    """Wish for the same as an earlier run did."""
    rows = run.inputs.select_related("revision__repository__case")
    return Wish(
        recipe=run.recipe,
        knobs=run.knobs,
        inputs={row.name: row.revision for row in rows},
        gpus=run.gpus,
        nodes=run.nodes,
        seed=run.seed,
        timeout_s=run.timeout_s,
        is_dry=run.is_dry,
        is_trial=run.is_trial,
        until_share=run.until_share,
        saved_in=saved_in.of(run),
    )


def _ask(
    wish: Wish,
    *,
    allocation: Allocation,
    by: Person,
    continues: Run | None,
    from_step: int | None = None,
) -> Run:
    """Write the wish down once: the same `wish_id` sent twice is the same run."""
    case = allocation.case
    rules.require_ask(by, case)
    key = f"fabriek-{wish.wish_id.hex}"
    if asked := _asked_before(key, wish, case=case, by=by):
        return asked
    if continues:
        _check_carried(continues, wish, by=by)
    wish = small(wish)
    cost = price_for(wish, case=case, by=by)
    knobs = offers.checked_knobs(offers.known(wish.recipe), wish.knobs)
    work = use.Use(recipe=wish.recipe, case=case, is_secure=cost.is_secure)
    run = Run(
        key=key,
        case=case,
        allocation=allocation,
        recipe=wish.recipe,
        knobs=knobs.model_dump(),
        seed=wish.seed,
        gpus=wish.gpus,
        nodes=wish.nodes,
        is_dry=wish.is_dry,
        is_trial=wish.is_trial,
        until_share=wish.until_share,
        # What it saved in the secure part goes on there.
        is_secure=cost.is_secure or (continues is not None and continues.is_secure),
        apart=apart.ending(wish, case, use.worked_on(continues) if continues else ()),
        meant_for=apart.meant_for(use.wishes(work, wish.inputs.values(), continues)),
        # There is nothing to register of a dry run, and of a trial nobody wants it.
        outputs_taken_at=timezone.now() if wish.is_dry or wish.is_trial else None,
        timeout_s=cost.timeout_s,
        gpu_seconds_estimated=cost.gpu_seconds,
        continues=continues,
        continues_step=from_step,
        asked_by=by,
    )
    try:
        written = _write_down(run, wish)
    except IntegrityError:
        if asked := _asked_before(key, wish, case=case, by=by):
            return asked  # sent twice at once
        raise
    if written is run:
        use.note(run, by=by)
    return written


def _asked_before(key: str, wish: Wish, *, case: Case, by: Person) -> Run | None:
    """Find what came of the same wish; what is one person's is given to nobody else.

    The number of a wish is that of its run, which others of the case can read.

    Raises: Invalid, when it is the number of something else.
    """
    asked = Run.objects.filter(key=key, case=case).first()
    if asked is None:
        return None
    is_theirs = asked.asked_by_id == by.pk or not apart.is_private(asked.recipe)
    if asked.recipe != wish.recipe or not is_theirs:
        raise Invalid(
            _("This number (wish_id) was used for something else. Send a new one."),
            code="wish_id_used",
        )
    return asked


def _write_down(run: Run, wish: Wish) -> Run:
    with transaction.atomic():
        if (
            run.continues
            and run.recipe not in rules.INTERACTIVE
            and (onward := _onward(run.continues, run.continues_step))
        ):
            return onward
        held = run.gpu_seconds_held
        if run.apart and not run.allocation.runs.filter(apart=run.apart).exists():
            told.forget(run.allocation_id)  # the engine does not know this account yet
        allocations.hold(run.allocation, run_key=run.key, gpu_seconds=held)
        run.save()
        give_code(run, CODE_LETTER)
        retention.hold(wish.inputs.values())
        RunInput.objects.bulk_create(
            RunInput(run=run, name=name, revision=revision)
            for name, revision in wish.inputs.items()
        )
        saved_in.write(run, wish.saved_in)
        details = {"recipe": run.recipe, "gpu_seconds_held": held}
        journal.record("runs.ask", run, by=run.asked_by, **details)
    return run


def _onward(run: Run, step: int | None) -> Run | None:
    """Find the run that goes on from this place already, inside the caller's transaction."""
    # Two who continue it at once wait for each other here: else both find nothing and two
    # runs are billed.
    Run.objects.select_for_update(no_key=True).get(pk=run.pk)
    rows = run.continued_by.filter(continues_step=step, state__in=UNFINISHED)
    going_on = rows.select_related("case__organisation", "allocation", "asked_by")
    return going_on.order_by("-pk").first()


def _check_carried(earlier: Run, wish: Wish, *, by: Person) -> None:
    """Look also at what the earlier run worked on: copies of it may lie in its files."""
    again = use.Use(recipe=wish.recipe, case=earlier.case, by=by, is_secure=earlier.is_secure)
    use.check_carried(again, earlier)
