"""Ask for a run, continue one, cancel one. These are wishes: the loop grants them."""

from dataclasses import replace
from uuid import NAMESPACE_OID, uuid5

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fabriek.allocations import actions as allocations
from fabriek.kernel import journal
from fabriek.kernel.errors import Invalid, WrongState
from fabriek.people.models import Person
from fabriek.runs import folders, kept, left, mending, rules, saved_in
from fabriek.runs.asking import ask, price, price_for
from fabriek.runs.ending import cancel, pause
from fabriek.runs.models import Run
from fabriek.runs.wish import GPUS_MAX, SEED_MAX, Wish

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
    return ask(changed, allocation=run.allocation, by=by)


def go_on(run: Run, *, by: Person, from_step: int | None = None) -> Run:
    """Continue a run that ended early, from one of its checkpoints, as a new run.

    Without a step from the last. What is left of it is set aside, as `left` works it out.
    While that new run is unfinished, asking again gives it.

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
    step = left.last_step(run) if from_step is None else from_step
    wish = replace(
        _wish_of(run),
        timeout_s=left.timeout_s(run, step),
        since_share=left.share_done(run, step),
    )
    return ask(wish, allocation=run.allocation, by=by, continues=run, from_step=step)


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
