"""What a run would cost, and asking for one: every check, the hold in the ledger, the wish."""

from dataclasses import replace
from itertools import chain

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from fabriek.allocations import actions as allocations
from fabriek.allocations import told
from fabriek.allocations.models import Allocation
from fabriek.cases.models import Case
from fabriek.kernel import journal
from fabriek.kernel.codes import give_code
from fabriek.kernel.errors import Invalid
from fabriek.people.models import Person
from fabriek.quality import queries as quality
from fabriek.runs import (
    apart,
    lineage,
    longest,
    offers,
    own_code,
    prices,
    room,
    rules,
    saved_in,
    tried,
    use,
)
from fabriek.runs.models import CODE_LETTER, Run, RunInput
from fabriek.runs.states import UNFINISHED
from fabriek.runs.wish import Wish, check_limits, small
from fabriek.store import retention


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
    cost = prices.price(recipe, knobs, wish.inputs, extent=extent, found=found, by=by)
    return prices.dry(cost, recipe) if wish.is_dry else cost


def price_for(wish: Wish, *, case: Case, by: Person) -> prices.Price:
    """Say what `wish` costs, to somebody who may use what it works on for this case.

    Raises:
        Invalid: a knob or an input is wrong, or it is of another case; or it asks for more
            GPUs than there are; or it is a session that would be longer than the machine lets
            one be.
        NotAllowed: an agreement on the data does not allow this, or not for so long.
    """
    purpose = use.placed(use.Use(recipe=wish.recipe, case=case, by=by), wish.inputs)
    agreed = use.check(purpose, wish.inputs)  # before its files are looked at
    saved_in.check(wish.saved_in, recipe=wish.recipe, case=case, inputs=wish.inputs)
    cost = price(_sized(wish, by=by), case=case, by=by)
    room.check(wish.gpus, is_secure=purpose.is_secure)
    use.check(replace(purpose, timeout_s=cost.timeout_s), agreed)
    longest.check(wish.recipe, cost.timeout_s, is_secure=purpose.is_secure)
    warnings = chain.from_iterable(map(quality.warnings_for, wish.inputs.values()))
    return replace(cost, warnings=tuple(warnings), is_secure=purpose.is_secure)


def _sized(wish: Wish, *, by: Person) -> Wish:
    """Give a dry run one GPU, or those asked for where its weights must be divided.

    Raises: Invalid.
    """
    one = small(wish)
    if not wish.is_dry or wish.gpus == one.gpus:
        return one
    asked = replace(one, gpus=wish.gpus, nodes=wish.nodes)
    notes = [price(replace(size, is_dry=False), by=by).memory_note for size in (one, asked)]
    return asked if notes[0] and not notes[1] else one


def ask(
    wish: Wish,
    *,
    allocation: Allocation,
    by: Person,
    continues: Run | None = None,
    from_step: int | None = None,
) -> Run:
    """Hold the GPU time and queue the run, once: the same `wish_id` sent twice is one run.

    The loop sends it to the engine. `continues`: an earlier session of interactive work, whose
    files this one begins with; or an earlier part of the same run, from whose last checkpoint
    this one goes on, or from that of `from_step`.

    Raises:
        NotAllowed, WrongState: `by` may not run for this case, or it is not open; or an
            agreement on what it works on does not allow it.
        Invalid: a knob or an input is wrong.
        NotEnough: the allocation cannot pay for the longest the run may take.
    """
    case = allocation.case
    rules.require_ask(by, case)
    key = f"fabriek-{wish.wish_id.hex}"
    if asked := _asked_before(key, wish, case=case, by=by):
        return asked
    if continues:
        _check_carried(continues, wish, by=by)
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
        gpus=cost.gpus,
        nodes=wish.nodes if cost.gpus == wish.gpus else tried.NODES,
        is_dry=wish.is_dry,
        is_trial=wish.is_trial,
        until_share=wish.until_share,
        # What it saved in the secure part goes on there.
        is_secure=cost.is_secure or (continues is not None and continues.is_secure),
        apart=apart.ending(wish, case, lineage.worked_on(continues) if continues else ()),
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
        rules.require_still_open(run.case)
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
