"""Ask for a run, continue one, cancel one. These are wishes: the loop grants them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from uuid import UUID, uuid4

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fabriek.allocations import actions as allocations
from fabriek.allocations.models import Allocation
from fabriek.cases.models import Case
from fabriek.kernel import journal
from fabriek.kernel.codes import give_code
from fabriek.kernel.errors import Invalid, WrongState
from fabriek.people.models import Person
from fabriek.quality import queries as quality
from fabriek.runs import engine, folders, offers, rules, use
from fabriek.runs.models import CODE_LETTER, Run, RunInput
from fabriek.runs.states import UNFINISHED
from fabriek.store import retention
from fabriek.store.models import Revision

GPUS_MAX = 1024
TIMEOUT_LEAST_S = 60
SEED_MAX = 2**31 - 1

journal.describe(
    {
        "runs.ask": gettext_lazy("asked for a run"),
        "runs.ask_cancel": gettext_lazy("asked to stop a run"),
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What somebody wants to run. `timeout_s` empty: three times the estimate.

    `gpus` counts all of them, over all `nodes`.

    `wish_id` makes sending it again harmless, as when a button is pressed twice.
    """

    recipe: str
    knobs: Mapping[str, object] = field(default_factory=dict)
    inputs: Mapping[str, Revision] = field(default_factory=dict)
    gpus: int = 1
    nodes: int = 1
    seed: int = 1
    timeout_s: int | None = None
    wish_id: UUID = field(default_factory=uuid4)


def price(wish: Wish) -> offers.Price:
    """Say what `wish` costs, after every check that a start would make.

    Raises:
        Invalid: a knob or an input is wrong.
    """
    recipe = offers.known(wish.recipe)
    knobs = offers.checked_knobs(recipe, wish.knobs)
    _check_limits(wish)
    offers.checked_inputs(recipe, wish.inputs)
    return offers.price(recipe, knobs, wish.inputs, gpus=wish.gpus, timeout_s=wish.timeout_s)


def price_for(wish: Wish, *, case: Case, by: Person) -> offers.Price:
    """Say what `wish` costs, to somebody who may use what it works on for this case.

    Raises:
        Invalid: a knob or an input is wrong, or it is of another case.
        NotAllowed: an agreement on the data does not allow this, or not for so long.
    """
    purpose = use.Use(recipe=wish.recipe, case=case, by=by)
    agreed = use.check(purpose, wish.inputs)  # before its files are looked at
    cost = price(wish)
    use.check(replace(purpose, timeout_s=cost.timeout_s), agreed)
    warnings = chain.from_iterable(map(quality.warnings_for, wish.inputs.values()))
    return replace(cost, warnings=tuple(warnings))


def ask(wish: Wish, *, allocation: Allocation, by: Person, continues: Run | None = None) -> Run:
    """Hold the GPU time and queue the run; the loop sends it to the engine.

    `continues`: an earlier session of interactive work, whose files this one begins with.

    Raises:
        NotAllowed, WrongState: `by` may not run for this case, or it is not open; or an
            agreement on what it works on does not allow it.
        Invalid: a knob or an input is wrong.
        NotEnough: the allocation cannot pay for the longest the run may take.
    """
    return _ask(wish, allocation=allocation, by=by, continues=continues)


def go_on(run: Run, *, by: Person) -> Run:
    """Continue a run that ended early, from its last checkpoint, as a new run.

    While that new run is unfinished, asking again gives the same one.

    Raises:
        WrongState: the run is not over, ended well, or left no checkpoint; or it is interactive
            work, which its own room begins, where it is offered.
    """
    rules.require_ask(by, run.case)
    if run.recipe in rules.INTERACTIVE:
        raise WrongState(
            _("%(run)s was a session to work in. Begin a new one; it can have its files.")
            % {"run": run}
        )
    if run.state not in rules.CONTINUABLE or not folders.has_checkpoint(run):
        raise WrongState(
            _("%(run)s cannot be continued: it left no checkpoint. Start it again.")
            % {"run": run}
        )
    rows = run.inputs.select_related("revision__repository__case")
    wish = Wish(
        recipe=run.recipe,
        knobs=run.knobs,
        inputs={row.name: row.revision for row in rows},
        gpus=run.gpus,
        nodes=run.nodes,
        seed=run.seed,
        timeout_s=run.timeout_s,
    )
    return _ask(wish, allocation=run.allocation, by=by, continues=run)


@transaction.atomic
def cancel(run: Run, *, by: Person) -> Run:
    """Ask for the run to stop. Only the loop talks to the engine, so this is a wish.

    Raises:
        NotAllowed: `by` is neither of the consortium nor of the factory.
        WrongState: the run is already over.
    """
    rules.require_cancel(by, run)
    now = timezone.now()
    wishable = Run.objects.filter(pk=run.pk, state__in=UNFINISHED)
    if not wishable.filter(cancel_asked_at=None).update(cancel_asked_at=now):
        if wishable.exists():
            return run  # asked before: nothing more to do
        raise WrongState(_("%(run)s is already over.") % {"run": run})
    journal.record("runs.ask_cancel", run, by=by)
    run.cancel_asked_at = now
    return run


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


def _ask(wish: Wish, *, allocation: Allocation, by: Person, continues: Run | None) -> Run:
    """Write the wish down once: the same `wish_id` sent twice is the same run."""
    case = allocation.case
    rules.require_ask(by, case)
    key = f"fabriek-{wish.wish_id.hex}"
    if asked := Run.objects.filter(key=key, case=case).first():
        return asked
    if continues:
        _check_carried(continues, wish, by=by)
    cost = price_for(wish, case=case, by=by)
    knobs = offers.checked_knobs(offers.known(wish.recipe), wish.knobs)
    run = Run(
        key=key,
        case=case,
        allocation=allocation,
        recipe=wish.recipe,
        knobs=knobs.model_dump(),
        seed=wish.seed,
        gpus=wish.gpus,
        nodes=wish.nodes,
        timeout_s=cost.timeout_s,
        gpu_seconds_estimated=cost.gpu_seconds,
        continues=continues,
        asked_by=by,
    )
    try:
        written = _write_down(run, wish)
    except IntegrityError:
        return Run.objects.get(key=key, case=case)  # sent twice at once
    if written is run:
        use.note(run, by=by)
    return written


def _write_down(run: Run, wish: Wish) -> Run:
    with transaction.atomic():
        is_one_work = run.recipe not in rules.INTERACTIVE
        if run.continues and is_one_work and (onward := _onward(run.continues)):
            return onward
        held = run.gpu_seconds_held
        allocations.hold(run.allocation, run_key=run.key, gpu_seconds=held)
        run.save()
        give_code(run, CODE_LETTER)
        retention.hold(wish.inputs.values())
        RunInput.objects.bulk_create(
            RunInput(run=run, name=name, revision=revision)
            for name, revision in wish.inputs.items()
        )
        details = {"recipe": run.recipe, "gpu_seconds_held": held}
        journal.record("runs.ask", run, by=run.asked_by, **details)
    return run


def _onward(run: Run) -> Run | None:
    """Find the run that goes on with this one already, inside the caller's transaction."""
    # Two who continue it at once wait for each other here: else both find nothing and two
    # runs are billed.
    Run.objects.select_for_update(no_key=True).get(pk=run.pk)
    going_on = run.continued_by.select_related("case__organisation", "allocation", "asked_by")
    return going_on.filter(state__in=UNFINISHED).order_by("-pk").first()


def _check_carried(earlier: Run, wish: Wish, *, by: Person) -> None:
    """Look also at what the earlier run worked on: copies of it may lie in its files."""
    use.check_carried(use.Use(recipe=wish.recipe, case=earlier.case, by=by), earlier)


def _check_limits(wish: Wish) -> None:
    if not 1 <= wish.gpus <= GPUS_MAX:
        raise Invalid(
            _("Choose 1 to %(most)d GPUs.") % {"most": GPUS_MAX},
            fields={"gpus": _("This is too few or too many.")},
        )
    _check_nodes(wish)
    if not 0 <= wish.seed <= SEED_MAX:
        raise Invalid(
            _("Choose a seed from 0 to %(most)d.") % {"most": SEED_MAX},
            fields={"seed": _("This is too low or too high.")},
        )
    if (
        wish.timeout_s is not None
        and not TIMEOUT_LEAST_S <= wish.timeout_s <= offers.TIMEOUT_MAX_S
    ):
        raise Invalid(
            _("Give the run at least one minute and at most seven days."),
            fields={"timeout_s": _("This is too short or too long.")},
        )


def _check_nodes(wish: Wish) -> None:
    most = 1 if wish.recipe in rules.INTERACTIVE else engine.nodes_most()
    if not 1 <= wish.nodes <= most:
        several = _("Choose 1 to %(most)d nodes.") % {"most": most}
        raise Invalid(
            several if most > 1 else _("This runs on one node only."),
            code="too_many_nodes",
            fields={"nodes": _("This is too few or too many.")},
        )
    if wish.gpus % wish.nodes:
        said = _(
            "%(gpus)d GPUs cannot be spread evenly over %(nodes)d nodes. Choose a number of "
            "GPUs that can be divided by %(nodes)d."
        )
        said %= {"gpus": wish.gpus, "nodes": wish.nodes}
        raise Invalid(said, code="uneven_nodes", fields={"gpus": said})
