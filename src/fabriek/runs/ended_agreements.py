"""The end of an agreement on data, for the runs that work on it: warned, stopped, cleared.

Each pass does what is due and no more, so that one that is killed is gone on with by the next:
who asked is told a day and an hour before, what still runs is stopped, copies are removed when
nothing runs any more, and then the factory states what it did.
"""

import logging
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy, gettext_noop

from fabriek.agreements import ending, policy, reasons, statements
from fabriek.agreements.models import Agreement, Duty
from fabriek.agreements.policy import Moment, Wish
from fabriek.agreements.states import AgreementState
from fabriek.agreements.traces import Decided
from fabriek.kernel import journal
from fabriek.runs import deletion, rules, use
from fabriek.runs.models import EndWarning, Removal, Run
from fabriek.runs.states import UNFINISHED, RunState

log = logging.getLogger(__name__)

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
# Whoever waits for the engine; a lost run may still be at work.
AT_WORK = UNFINISHED | {RunState.LOST}
ENDS_SOON = gettext_noop(
    "Agreement %(agreement)s on the data of this run ends on %(ends_at)s (UTC), and the run is "
    "stopped then. Ask the owner of the data to prolong it."
)

journal.describe(
    {
        "runs.warn_of_end": gettext_lazy("The data of a run may not be used much longer."),
        "runs.stop_for_data": gettext_lazy(
            "The factory stops a run: its data may not be used any more."
        ),
    }
)


def tick() -> None:
    """Make one pass. What goes wrong with one agreement does not keep the others waiting."""
    now = timezone.now()
    ending.end_due(now)
    _warn_all(now)
    for agreement in ending.unsettled():
        try:
            _settle(agreement)
        except Exception:
            log.exception("The end of %s could not be settled; the pass goes on.", agreement)


def runs_under(agreement: Agreement) -> QuerySet[Run]:
    """Give the runs of its case on its data, whatever agreement allowed each at the time.

    Also those that fetched it while they ran: of these the log of decisions knows.
    """
    fetched = Decided.objects.filter(
        repository=agreement.repository_id, case=agreement.case_id, allowed=True
    )
    read = Run.objects.filter(
        Q(inputs__revision__repository=agreement.repository_id)
        | Q(code__in=fetched.exclude(run="").values("run")),
        case=agreement.case_id,
    )
    found = newest = set(read.values_list("pk", flat=True))
    while newest:  # sessions that began with the files of one of these
        onward = Run.objects.filter(continues__in=newest).values_list("pk", flat=True)
        newest = set(onward) - found
        found = found | newest
    runs = Run.objects.filter(pk__in=found)
    return runs.select_related("case", "asked_by", "continues").order_by("pk")


# --- before the end ----------------------------------------------------------------------
def _warn_all(now: datetime) -> None:
    soon = policy.in_force(now).filter(ends_at__lte=now + DAY)
    for agreement in soon.order_by("ends_at"):
        when = EndWarning.When.HOUR if agreement.ends_at - now <= HOUR else EndWarning.When.DAY
        told = EndWarning.objects.filter(agreement=agreement, when=when)
        runs = runs_under(agreement).filter(state__in=UNFINISHED, cancel_asked_at=None)
        for run in runs.exclude(pk__in=told.values("run")):
            if _may_outlast(run, agreement, now):
                _warn(run, agreement, when)


def _may_outlast(run: Run, agreement: Agreement, now: datetime) -> bool:
    """Tell whether it could still be at work at the end, and no other agreement lets it."""
    began = run.started_at or now
    if began + timedelta(seconds=run.timeout_s) <= agreement.ends_at:
        return False
    others = policy.in_force(now).filter(
        repository=agreement.repository_id, case=agreement.case_id
    )
    return not others.filter(ends_at__gt=agreement.ends_at).exists()


@transaction.atomic
def _warn(run: Run, agreement: Agreement, when: str) -> None:
    """Write it with the run, where its page shows it, and in the journal, which is mailed from.

    Two passes at once warn once.
    """
    held = Run.objects.select_for_update(of=("self",)).get(pk=run.pk)
    _row, is_new = EndWarning.objects.get_or_create(run=run, agreement=agreement, when=when)
    if not is_new:
        return
    ends_at = f"{agreement.ends_at:%Y-%m-%d %H:%M}"
    values = {"agreement": agreement.code, "ends_at": ends_at}
    one = {
        "code": "agreement_ends",
        "text": ENDS_SOON % values,
        "msgid": ENDS_SOON,
        "values": values,
    }
    if one not in held.warnings:
        Run.objects.filter(pk=run.pk).update(warnings=[*held.warnings, one])
    journal.record("runs.warn_of_end", run, by=None, when=str(when), **values)


# --- after it ----------------------------------------------------------------------------
def _settle(agreement: Agreement) -> None:
    runs = runs_under(agreement)
    at_work = list(runs.filter(state__in=AT_WORK))
    for run in at_work:
        if not use.may_go_on(run):
            _stop(run, agreement)
    covered_by = _covered_by(agreement)
    if not covered_by:
        if any(run.state in UNFINISHED for run in at_work):
            return  # they stop first: a program that reads must not see its data go
        if not deletion.remove_copies(agreement, runs):
            return
    statements.state(agreement, _findings(agreement, covered_by))


def _stop(run: Run, agreement: Agreement) -> None:
    """Ask for its end as a person would; only the loop's other part talks to the engine."""
    code = "revoked" if agreement.state == AgreementState.REVOKED else "ended"
    open_ = Run.objects.filter(pk=run.pk, state__in=AT_WORK, cancel_asked_at=None)
    with transaction.atomic():
        asked = open_.update(cancel_asked_at=timezone.now(), stop_reason=f"{use.ENDING}{code}")
        if asked:
            journal.record("runs.stop_for_data", run, by=None, note=agreement.code)


def _covered_by(agreement: Agreement) -> str:
    """Name what lets the copies stay: another agreement, or that it is open by now."""
    wish = Wish(moment=Moment.READ, repository=agreement.repository, case=agreement.case)
    decision = policy.would(wish)
    if not decision.allowed:
        return ""
    return decision.agreement.code if decision.agreement else decision.code


def _findings(agreement: Agreement, covered_by: str) -> statements.Findings:
    runs = runs_under(agreement)
    reason = (f"{use.ENDING}{code}" for code in reasons.DENIED)
    stopped = runs.filter(Q(stop_reason__in=list(reason)))
    removals = Removal.objects.filter(agreement=agreement).select_related("run").order_by("pk")
    return statements.Findings(
        covered_by=covered_by,
        stopped=tuple(stopped.values_list("code", flat=True)),
        removed=tuple(_told(one) for one in removals),
        remains=tuple(_remains(agreement, runs)),
    )


def _told(removal: Removal) -> statements.Removed:
    return statements.Removed(
        run=removal.run.code,
        what=removal.what,
        name=removal.name,
        reference=removal.reference,
        digest=removal.digest,
        files=removal.files,
        size_bytes=removal.size_bytes,
        removed_at=removal.done_at.isoformat() if removal.done_at else "",
    )


def _remains(agreement: Agreement, runs: QuerySet[Run]) -> list[str]:
    found = []
    if runs.filter(state=RunState.SUCCEEDED).exists():
        found.append("outputs")
    kept = Duty.DELETE not in agreement.duties
    if kept and runs.filter(recipe__in=rules.INTERACTIVE).exists():
        found.append("work")
    return found
