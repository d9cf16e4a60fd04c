"""Tell who waits for a run that the agreement on its data ends before the run does.

Looked at from the side of the runs that are not over, which are few: however many agreements
end soon, a pass asks the same.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_noop

from fabriek.agreements import policy
from fabriek.agreements.models import Agreement
from fabriek.agreements.traces import Decided, Inherited
from fabriek.kernel import journal, words
from fabriek.people.models import Person
from fabriek.runs.models import EndWarning, Run, RunInput
from fabriek.runs.states import UNFINISHED
from fabriek.store.models import Repository

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
ENDS_SOON = gettext_noop(
    "Agreement %(agreement)s on the data of this run ends on %(ends_at)s, and the run is "
    "stopped then. Ask the owner of the data to prolong it."
)
ENDS_SOON_UNNAMED = gettext_noop(
    "An agreement on data of this run ends on %(ends_at)s, and the run is stopped then. It is "
    "for other organisations of this case: ask who started the run."
)
# As runs that were warned earlier have it: said anew when it is shown.
ENDS_SOON_IN_UTC = (
    "Agreement %(agreement)s on the data of this run ends on %(ends_at)s (UTC), and the run is "
    "stopped then. Ask the owner of the data to prolong it."
)
SENTENCES = frozenset({ENDS_SOON, ENDS_SOON_UNNAMED, ENDS_SOON_IN_UTC})
CODE = "agreement_ends"


def warn_all(now: datetime) -> None:
    """Warn each run a day and an hour before, once each."""
    soon = list(policy.in_force(now).filter(ends_at__lte=now + DAY).order_by("ends_at"))
    if not soon:
        return
    cases = {agreement.case_id for agreement in soon}
    open_ = Run.objects.filter(state__in=UNFINISHED, cancel_asked_at=None, case__in=cases)
    runs = list(open_.order_by("pk"))
    if not runs:
        return
    due = [pair for pair in _pairs(runs, soon) if _may_outlast(*pair, now)]
    covered_until = _latest_ends(due, now)
    rows = EndWarning.objects.filter(run__in=runs)
    told = set(rows.values_list("run", "agreement", "when"))
    for run, agreement in due:
        when = EndWarning.When.HOUR if agreement.ends_at - now <= HOUR else EndWarning.When.DAY
        is_covered = covered_until[_subject(agreement)] > agreement.ends_at
        if not is_covered and (run.pk, agreement.pk, str(when)) not in told:
            _warn(run, agreement, when)


def agreements_known(run: Run, person: Person) -> frozenset[str]:
    """Name the agreements in the warnings of a run that this person is a party to."""
    named = {str(_values(one).get("agreement", "")) for one in run.warnings if _is_ours(one)}
    if not named:
        return frozenset()
    rows = Agreement.objects.of_parties(person).filter(code__in=named)
    return frozenset(rows.values_list("code", flat=True))


def told(warning: Mapping[str, Any], known: Collection[str]) -> Mapping[str, Any]:
    """Give a warning as it may be said; that of another's agreement without its code."""
    if not _is_ours(warning):
        return warning
    kept = _values(warning)
    values = {"ends_at": end_in_words(str(kept.get("ends_at", "")))}
    msgid = ENDS_SOON_UNNAMED
    if kept.get("agreement") in known:
        values |= {"agreement": str(kept["agreement"])}
        msgid = ENDS_SOON
    return {"code": CODE, "text": msgid % values, "msgid": msgid, "values": values}


def end_in_words(kept: str) -> str:
    """Say the moment that is kept with a warning on the clock of the factory's readers."""
    moment = datetime.fromisoformat(kept)
    return words.moment_there(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _is_ours(warning: Mapping[str, Any]) -> bool:
    return warning.get("code") == CODE


def _values(warning: Mapping[str, Any]) -> Mapping[str, Any]:
    values = warning.get("values")
    return values if isinstance(values, dict) else {}


def _pairs(
    runs: Iterable[Run], agreements: Iterable[Agreement]
) -> Iterator[tuple[Run, Agreement]]:
    """Give each run with the agreements of its case on what it reads."""
    runs = list(runs)
    read = _read_by(runs)
    for agreement in agreements:
        for run in runs:
            if run.case_id == agreement.case_id and agreement.repository_id in read[run.pk]:
                yield run, agreement


def _read_by(runs: Iterable[Run]) -> dict[int, set[int]]:
    """Give the repositories that each reads: laid out, fetched, or by one it goes on from."""
    lines = _lines(runs)
    members = {pk: code for line in lines.values() for pk, code in line.items()}
    own: dict[object, set[int]] = defaultdict(set)
    laid_out = RunInput.objects.filter(run__in=members)
    for run, repository in laid_out.values_list("run", "revision__repository"):
        own[run].add(repository)
    fetched = Decided.objects.filter(run__in=members.values(), allowed=True)
    for code, repository in fetched.values_list("run", "repository").distinct():
        own[code].add(repository)
    _add_sources(own)
    return {
        run: {one for pk, code in line.items() for one in own[pk] | own[code]}
        for run, line in lines.items()
    }


def _add_sources(read: dict[object, set[int]]) -> None:
    """Count what datasets were made of as read with them."""
    rows = Inherited.objects.filter(
        repository__in={one for several in read.values() for one in several},
        repository__kind=Repository.Kind.DATASET,
    )
    sources: dict[int, set[int]] = defaultdict(set)
    for copy, source in rows.values_list("repository", "agreement__repository"):
        sources[copy].add(source)
    for several in read.values():
        several |= {source for one in several for source in sources.get(one, ())}


def _lines(runs: Iterable[Run]) -> dict[int, dict[int, str]]:
    """Give for each run the codes of it and those before it, by key: one query a step back."""
    known = {run.pk: (run.code, run.continues_id) for run in runs}
    lines: dict[int, dict[int, str]] = {pk: {} for pk in known}
    at: dict[int, int | None] = {pk: pk for pk in known}
    while wanted := {pk for pk in at.values() if pk is not None}:
        lacking = Run.objects.filter(pk__in=wanted - known.keys())
        if wanted - known.keys():
            found = lacking.values_list("pk", "code", "continues")
            known |= {pk: (code, before) for pk, code, before in found}
        for run, pk in at.items():
            if pk is not None:
                code, before = known[pk]
                lines[run][pk] = code
                at[run] = before if before not in lines[run] else None
    return lines


def _may_outlast(run: Run, agreement: Agreement, now: datetime) -> bool:
    """Tell whether it could still be at work at the end."""
    began = run.started_at or now
    return began + timedelta(seconds=run.timeout_s) > agreement.ends_at


def _latest_ends(
    due: Iterable[tuple[Run, Agreement]], now: datetime
) -> dict[tuple[int, int], datetime]:
    """Tell until when another agreement lets a case work on the same data."""
    latest: dict[tuple[int, int], datetime] = defaultdict(lambda: now)
    agreements = [agreement for _run, agreement in due]
    others = policy.in_force(now).filter(
        repository__in={one.repository_id for one in agreements},
        case__in={one.case_id for one in agreements},
    )
    for other in others:
        latest[_subject(other)] = max(latest[_subject(other)], other.ends_at)
    return latest


def _subject(agreement: Agreement) -> tuple[int, int]:
    return agreement.repository_id, agreement.case_id


@transaction.atomic
def _warn(run: Run, agreement: Agreement, when: str) -> None:
    """Write it with the run, where its page shows it, and in the journal, which is mailed from.

    Two passes at once warn once.
    """
    held = Run.objects.select_for_update(of=("self",)).get(pk=run.pk)
    _row, is_new = EndWarning.objects.get_or_create(run=run, agreement=agreement, when=when)
    if not is_new:
        return
    values = {"agreement": agreement.code, "ends_at": agreement.ends_at.isoformat()}
    one = {
        "code": CODE,
        "text": ENDS_SOON % values,
        "msgid": ENDS_SOON,
        "values": values,
    }
    if one not in held.warnings:
        Run.objects.filter(pk=run.pk).update(warnings=[*held.warnings, one])
    journal.record("runs.warn_of_end", run, by=None, when=str(when), **values)
