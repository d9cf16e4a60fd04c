"""Stop a run for good or pause it: wishes, which the loop grants; see `actions`."""

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from fabriek.agreements.policy import Decision
from fabriek.cases.ending import ask_first
from fabriek.cases.models import Case
from fabriek.kernel import journal
from fabriek.kernel.errors import WrongState
from fabriek.people.models import Person
from fabriek.runs import rules, use
from fabriek.runs.models import Run
from fabriek.runs.states import PAUSED, UNFINISHED

NAMED_MAX = 5


@transaction.atomic
def cancel(run: Run, *, by: Person) -> Run:
    """Ask for the run to stop. Only the loop talks to the engine, so this is a wish.

    Raises:
        NotAllowed: `by` is neither of the consortium nor of the factory.
        WrongState: the run is already over.
    """
    rules.require_stop(by, run.case, what=run)
    return _end(run, verb="runs.ask_cancel", reason="", by=by)


@transaction.atomic
def pause(run: Run, *, by: Person) -> Run:
    """Ask for the run to save and make room; its GPU time comes back until it goes on.

    Raises:
        NotAllowed: `by` is not of the consortium, who alone can let it go on.
        WrongState: it is not at work, or its recipe saves nothing to go on from.
    """
    rules.require_ask(by, run.case)
    if not rules.is_pausable(run):
        raise WrongState(
            _("%(run)s is not at work, or cannot be saved in between, so it cannot be paused.")
            % {"run": run},
            code="not_pausable",
        )
    return _end(run, verb="runs.ask_pause", reason=PAUSED, by=by)


@transaction.atomic
def stop_for_data(run: Run, denied: Decision) -> None:
    """Ask for the end of a run that may not go on with what it works on, once."""
    ends = Run.objects.filter(pk=run.pk, state__in=UNFINISHED, cancel_asked_at=None)
    if ends.update(cancel_asked_at=timezone.now(), stop_reason=use.ending_of(denied)):
        note = denied.agreement.code if denied.agreement else ""
        journal.record("runs.stop_for_data", run, by=None, note=note)


@ask_first
def at_work(case: Case) -> str:
    """Name runs that keep their case from ending: afterwards nobody could look after them."""
    rows = Run.objects.filter(case=case, state__in=UNFINISHED).order_by("pk")
    codes = list(rows.values_list("code", flat=True))
    if not codes:
        return ""
    said = ngettext(
        "%(runs)s of this case still waits or is at work. Stop it, or wait until it is over; "
        "then you can end the case.",
        "Runs of this case still wait or are at work: %(runs)s. Stop them, or wait until they "
        "are over; then you can end the case.",
        len(codes),
    )
    shown = [*codes[:NAMED_MAX], *(["…"] if len(codes) > NAMED_MAX else [])]
    return said % {"runs": ", ".join(shown)}


def _end(run: Run, *, verb: str, reason: str, by: Person) -> Run:
    now = timezone.now()
    wishable = Run.objects.filter(pk=run.pk, state__in=UNFINISHED)
    ends = wishable.filter(cancel_asked_at=None)
    if not ends.update(cancel_asked_at=now, stop_reason=reason):
        if wishable.exists():
            return run  # asked before: nothing more to do
        raise WrongState(_("%(run)s is already over.") % {"run": run})
    journal.record(verb, run, by=by)
    run.cancel_asked_at, run.stop_reason = now, reason
    return run
