"""Grant, extend, hold, settle, correct and expire GPU time: the only code that books it."""

from collections.abc import Callable, Sequence
from datetime import date

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fabriek.access.models import Decision
from fabriek.allocations import aid, ledger, queries, rules
from fabriek.allocations.models import Allocation, Grant, Line, Share
from fabriek.allocations.terms import months_later
from fabriek.kernel import journal
from fabriek.kernel.errors import NotEnough, WrongState
from fabriek.kernel.units import gpu_hours as hours_of
from fabriek.kernel.units import gpu_seconds as seconds_of
from fabriek.people.models import Organisation, Person

journal.describe(
    {
        "allocations.grant": gettext_lazy("opened the GPU-hours"),
        "allocations.extend": gettext_lazy("gave more time to use the GPU-hours"),
        "allocations.correct": gettext_lazy("corrected the bill of a run"),
        "allocations.expire": gettext_lazy("The GPU-hours that were left have ended."),
    }
)

Lines = tuple[ledger.Line, ...]
Booking = Callable[[Sequence[ledger.Line]], Lines]


def grant(
    decision: Decision, *, share: Share, starts_on: date | None = None, by: Person
) -> Allocation:
    """Make an accepted award usable: an account with GPU time from one share.

    Granting the same award again returns the allocation there is.

    Raises:
        NotAllowed: `by` is not staff, or takes part in the case.
        WrongState: the award was not accepted.
        NotEnough: the undertaking may not be given this much aid.
    """
    case = decision.application.case
    rules.require_grant(by, decision)
    existing = Allocation.objects.filter(decision=decision).first()
    if existing:
        return existing
    rules.require_accepted(decision)
    starts_on = starts_on or timezone.localdate()
    with transaction.atomic():
        allocation = Allocation.objects.create(
            account=decision.application.code.lower(),
            decision=decision,
            case=case,
            starts_on=starts_on,
            ends_on=months_later(starts_on, decision.months),
        )
        _add_grant(allocation, share=share, gpu_seconds=seconds_of(decision.gpu_hours), by=by)
        journal.record(
            "allocations.grant",
            allocation,
            by=by,
            share=share.code,
            gpu_hours=decision.gpu_hours,
        )
    return allocation


def extend(
    allocation: Allocation,
    *,
    ends_on: date,
    by: Person,
    share: Share | None = None,
    gpu_hours: int = 0,
) -> Allocation:
    """Move the last day, and add GPU time when `share` and `gpu_hours` are given.

    Raises:
        NotAllowed: `by` is not staff, or takes part in the case.
        WrongState: the new last day is not later.
    """
    rules.require_grant(by, allocation.decision)
    if ends_on <= allocation.ends_on:
        raise WrongState(
            _("The new last day must be later than %(day)s.") % {"day": allocation.ends_on}
        )
    with transaction.atomic():
        locked = _locked(allocation)
        lines = _read(locked)
        _term, new = ledger.extend(
            lines, term=locked.term, ends_on=ends_on, at=timezone.now()
        )
        Allocation.objects.filter(pk=locked.pk).update(ends_on=ends_on)
        _write(locked, lines, new)
        if share and gpu_hours:
            _add_grant(locked, share=share, gpu_seconds=seconds_of(gpu_hours), by=by)
        journal.record("allocations.extend", locked, by=by, ends_on=str(ends_on))
    allocation.refresh_from_db()
    return allocation


def hold(allocation: Allocation, *, run_key: str, gpu_seconds: int) -> None:
    """Set GPU time aside for a run, so that two runs can never spend the same second.

    Raises:
        NotEnough: less than `gpu_seconds` is left.
        WrongState: today lies outside the allocation's term.
    """

    def booking(lines: Sequence[ledger.Line]) -> Lines:
        return ledger.hold(
            lines,
            run_key=run_key,
            gpu_seconds=gpu_seconds,
            term=allocation.term,
            at=timezone.now(),
        )

    try:
        _book(allocation, booking)
    except ledger.Short as short:
        raise _too_little(allocation, gpu_seconds, short.missing) from short
    except ledger.OutsideTerm as outside:
        raise WrongState(
            _(
                "The GPU-hours of %(account)s can be used from %(start)s to %(end)s. "
                "Wait until then, or ask the factory for more time."
            )
            % {
                "account": allocation.account,
                "start": outside.term.starts_on,
                "end": outside.term.ends_on,
            },
            code="outside_term",
        ) from outside


def settle(allocation: Allocation, *, run_key: str, gpu_seconds_used: int) -> None:
    """Replace what was held for a run by what it used. Settling twice changes nothing."""

    def booking(lines: Sequence[ledger.Line]) -> Lines:
        return ledger.settle(
            lines, run_key=run_key, gpu_seconds_used=gpu_seconds_used, at=timezone.now()
        )

    _book(allocation, booking)


def correct(
    allocation: Allocation, *, run_key: str, gpu_seconds_used: int, key: str, note: str
) -> None:
    """Bring the bill of a settled run to `gpu_seconds_used` with a counter-entry.

    When the shares cannot pay what is missing, they pay what they can: the ledger never goes
    below zero. Repeating with the same `key` changes nothing.
    """

    def booking(lines: Sequence[ledger.Line]) -> Lines:
        difference = gpu_seconds_used - ledger.bill(lines, run_key)
        payable = min(difference, ledger.balance(lines).left)
        if not payable:
            return ()
        return ledger.counter(
            lines, key=key, corrects=run_key, gpu_seconds=payable, at=timezone.now(), note=note
        )

    if _book(allocation, booking):
        journal.record("allocations.correct", allocation, by=None, run_key=run_key, note=note)


def expire_ended() -> int:
    """Take back what is left of allocations whose last day has passed; returns how many."""
    today = timezone.localdate()
    ended = queries.with_time_left().filter(ends_on__lt=today)
    return sum(_expire(allocation) for allocation in ended)


def note_told(allocation: Allocation, today: date) -> None:
    """Remember what the engine knows of this budget, so that it is told only what changed."""
    Allocation.objects.filter(pk=allocation.pk).update(
        told_gpu_seconds=allocation.gpu_seconds_granted, told_open=allocation.is_open_on(today)
    )


def _expire(allocation: Allocation) -> bool:
    def booking(lines: Sequence[ledger.Line]) -> Lines:
        return ledger.expire(lines, term=allocation.term, at=timezone.now())

    with transaction.atomic():
        new = _book(allocation, booking)
        if new:
            expired = sum(line.gpu_seconds for line in new)
            journal.record(
                "allocations.expire", allocation, by=None, gpu_hours=hours_of(expired)
            )
    return bool(new)


@transaction.atomic
def _add_grant(allocation: Allocation, *, share: Share, gpu_seconds: int, by: Person) -> None:
    organisation = allocation.case.organisation
    # Grants to linked companies stand in a line, or two at once would both fit the ceiling.
    Organisation.objects.select_for_update().get(pk=organisation.undertaking_id)
    worth = 0
    if share.is_state_aid:
        worth = aid.gross_grant_eur_cents(
            gpu_seconds, tariff_eur_cents_per_gpu_hour=share.tariff_eur_cents
        )
        _require_headroom(organisation, share, worth)
    made = Grant.objects.create(
        allocation=allocation,
        share=share,
        organisation=organisation,
        gpu_seconds=gpu_seconds,
        aid_eur_cents=worth,
        legal_basis=share.legal_basis,
        granted_by=by,
    )

    def booking(lines: Sequence[ledger.Line]) -> Lines:
        return ledger.grant(
            lines,
            key=str(made.pk),
            share=share.code,
            gpu_seconds=gpu_seconds,
            at=timezone.now(),
        )

    _book(allocation, booking)


def _require_headroom(organisation: Organisation, share: Share, worth: int) -> None:
    ceiling = share.aid_ceiling_eur_cents
    if ceiling is None:
        return
    room = aid.headroom_eur_cents(
        queries.aid_given(organisation), timezone.localdate(), ceiling_eur_cents=ceiling
    )
    if worth > room:
        raise NotEnough(
            _(
                "%(organisation)s and the companies it is linked to may get %(room)d euro of "
                "state aid more in these three years; this grant is worth %(worth)d euro. "
                "Grant less, or use a share that is not state aid."
            )
            % {"organisation": organisation, "room": room // 100, "worth": -(-worth // 100)},
            code="aid_ceiling",
        )


@transaction.atomic
def _book(allocation: Allocation, booking: Booking) -> Lines:
    """Let the ledger's core decide on the lines there are, and keep what it adds.

    The row is locked meanwhile, so that bookings on one allocation stand in a line.
    """
    locked = _locked(allocation)
    lines = _read(locked)
    new = booking(lines)
    _write(locked, lines, new)
    return new


def _locked(allocation: Allocation) -> Allocation:
    return Allocation.objects.select_for_update().get(pk=allocation.pk)


def _read(allocation: Allocation) -> Lines:
    rows = allocation.lines.order_by("pk").values_list(
        "key", "kind", "share__code", "gpu_seconds", "at", "run_key", "note"
    )
    return tuple(
        ledger.Line(
            key=key,
            kind=ledger.LineKind(kind),
            share=share or ledger.FACTORY,
            gpu_seconds=gpu_seconds,
            at=at,
            run_key=run_key,
            note=note,
        )
        for key, kind, share, gpu_seconds, at, run_key, note in rows
    )


def _write(allocation: Allocation, lines: Lines, new: Lines) -> None:
    if not new:
        return
    shares = dict(Share.objects.values_list("code", "pk"))
    Line.objects.bulk_create(
        Line(
            allocation=allocation,
            key=line.key,
            kind=line.kind,
            share_id=shares.get(line.share),
            gpu_seconds=line.gpu_seconds,
            run_key=line.run_key,
            at=line.at,
            note=line.note,
        )
        for line in new
    )
    total = ledger.balance((*lines, *new))
    Allocation.objects.filter(pk=allocation.pk).update(
        gpu_seconds_granted=total.granted,
        gpu_seconds_held=total.held,
        gpu_seconds_spent=total.spent,
        gpu_seconds_expired=total.expired,
    )


def _too_little(allocation: Allocation, asked: int, missing: int) -> NotEnough:
    return NotEnough(
        _(
            "%(account)s has %(missing).1f GPU-hours too few: this needs %(asked).1f. "
            "Choose less work, or ask for more GPU-hours."
        )
        % {
            "account": allocation.account,
            "missing": hours_of(missing),
            "asked": hours_of(asked),
        }
    )
