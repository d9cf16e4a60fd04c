"""The end of an agreement on data, for the runs that work on it: warned, stopped, cleared.

Each pass does what is due and no more, so that one that is killed is gone on with by the next:
who asked is told a day and an hour before, what still runs is stopped, copies are removed when
nothing runs any more, and then the factory states what it did.
"""

import logging
from collections.abc import Iterable

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from fabriek.agreements import ending, inheritance, policy, statements
from fabriek.agreements import rules as agreements
from fabriek.agreements.models import Agreement, Duty
from fabriek.agreements.policy import Decision, Moment, Wish
from fabriek.agreements.states import AgreementState
from fabriek.agreements.traces import Decided
from fabriek.kernel import journal
from fabriek.kernel.models import Entry
from fabriek.runs import deletion, rules, use, warnings_of_end
from fabriek.runs.models import Removal, Run
from fabriek.runs.states import UNFINISHED, RunState

log = logging.getLogger(__name__)

# Whoever waits for the engine; a lost run may still be at work.
AT_WORK = UNFINISHED | {RunState.LOST}
STOP = "runs.stop_for_data"


def tick() -> None:
    """Make one pass. What goes wrong with one agreement does not keep the others waiting."""
    now = timezone.now()
    ending.end_due(now)
    warnings_of_end.warn_all(now)
    for agreement in ending.unsettled():
        try:
            _settle(agreement)
        except Exception:
            log.exception("The end of %s could not be settled; the pass goes on.", agreement)


def runs_under(agreement: Agreement) -> QuerySet[Run]:
    """Give the runs of its case on its data, whatever agreement allowed each at the time.

    Also those that fetched it while they ran: of these the log of decisions knows; and those
    of any case on datasets that were made of it.
    """
    copies = inheritance.datasets_of(agreement.repository)
    theirs = Q(repository=agreement.repository_id, case=agreement.case_id)
    fetched = Decided.objects.filter(theirs | Q(repository__in=copies), allowed=True)
    read = Run.objects.filter(
        Q(inputs__revision__repository=agreement.repository_id, case=agreement.case_id)
        | Q(inputs__revision__repository__in=copies)
        | Q(code__in=fetched.exclude(run="").values("run"))
    )
    found = newest = set(read.values_list("pk", flat=True))
    while newest:  # sessions that began with the files of one of these
        onward = Run.objects.filter(continues__in=newest).values_list("pk", flat=True)
        newest = set(onward) - found
        found = found | newest
    runs = Run.objects.filter(pk__in=found)
    return runs.select_related("case", "asked_by", "continues").order_by("pk")


def _settle(agreement: Agreement) -> None:
    runs = runs_under(agreement)
    at_work = list(runs.filter(state__in=AT_WORK))
    kept = _kept(agreement, runs)
    stopping = [run for run in at_work if run.pk not in kept or not use.may_go_on(run)]
    for run in stopping:
        _stop(run, agreement)
    if any(run.state in UNFINISHED for run in stopping):
        return  # they stop first: a program that reads must not see its data go
    closed = runs.exclude(pk__in=kept)
    if not deletion.remove_copies(agreement, closed):
        return
    now = timezone.now()
    if any(deletion.may_turn_up(run, now) for run in stopping):
        return  # it is told of when it is known whether it stopped
    statements.state(agreement, _findings(agreement, closed))


def _kept(agreement: Agreement, runs: Iterable[Run]) -> set[int]:
    """Name the runs whose copies another agreement lets stay, asked once for each person."""
    one_of = {(run.asked_by_id, run.is_secure): run for run in runs}
    theirs = {who for who, run in one_of.items() if use.may_keep(run, agreement.repository)}
    return {run.pk for run in runs if (run.asked_by_id, run.is_secure) in theirs}


def _stop(run: Run, agreement: Agreement) -> None:
    """Ask for its end as a person would; only the loop's other part talks to the engine."""
    code = "revoked" if agreement.state == AgreementState.REVOKED else "ended"
    open_ = Run.objects.filter(pk=run.pk, state__in=AT_WORK, cancel_asked_at=None)
    with transaction.atomic():
        asked = open_.update(cancel_asked_at=timezone.now(), stop_reason=f"{use.ENDING}{code}")
        if asked:
            journal.record(STOP, run, by=None, note=agreement.code)


def _covered_by(agreement: Agreement) -> Decision:
    """Decide whether something lets the copies stay: another agreement, or that it is open.

    Of the case as a whole; whether that is so for a run, who asked for it decides too.
    """
    return policy.would(
        Wish(
            moment=Moment.READ,
            repository=agreement.repository,
            case=agreement.case,
            is_secure=runs_under(agreement).filter(is_secure=True).exists(),
        )
    )


def _findings(agreement: Agreement, closed: QuerySet[Run]) -> statements.Findings:
    """Tell what was found; `closed`: the runs whose copies no other agreement lets stay."""
    runs = runs_under(agreement)
    by = _covered_by(agreement)
    # A party that a later text leaves out reads this statement too, and is not told of that.
    is_for_others = by.agreement is not None and agreements.leaves_out(by.agreement, agreement)
    is_apart = by.allowed and (closed.exists() or is_for_others)
    covered_by = by.agreement.code if by.agreement else by.code
    stopped = runs.filter(pk__in=_stopped_for(agreement), state=RunState.CANCELLED)
    removals = Removal.objects.filter(agreement=agreement).select_related("run").order_by("pk")
    return statements.Findings(
        covered_by=covered_by if by.allowed and not is_apart else "",
        stopped=tuple(stopped.values_list("code", flat=True)),
        removed=tuple(_told(one) for one in removals),
        remains=(*_remains(agreement, runs, closed), *(["covered"] if is_apart else [])),
    )


def _stopped_for(agreement: Agreement) -> list[int]:
    """Name the runs that were asked to stop for this agreement, and not for another one."""
    asked = Entry.objects.filter(verb=STOP, details__note=agreement.code)
    return list(asked.values_list("subject_id", flat=True))


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


def _remains(agreement: Agreement, runs: QuerySet[Run], closed: QuerySet[Run]) -> list[str]:
    is_cleared = Duty.DELETE in agreement.duties
    sessions = runs.filter(recipe__in=rules.WORKED_IN | rules.OWN_CODE)
    others = runs.exclude(recipe__in=rules.INTERACTIVE)
    made = others if is_cleared else runs
    found = {
        "outputs": made.filter(state=RunState.SUCCEEDED).exists(),
        "samples": not is_cleared and others.exists(),
        "work": not is_cleared and sessions.exists(),
        "lost": closed.filter(state=RunState.LOST).exists(),
    }
    return [word for word, is_so in found.items() if is_so]
