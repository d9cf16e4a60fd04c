"""Grant, extend, hold, settle, charge, correct and expire GPU time: all code that books it."""

from collections.abc import Sequence
from datetime import date

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fabriek.access.models import Application, Decision
from fabriek.allocations import ledger, queries, refusals, rules
from fabriek.allocations.booking import Lines, book
from fabriek.allocations.models import Allocation, Grant, Share
from fabriek.kernel import journal, words
from fabriek.kernel.errors import Invalid, NotEnough, WrongState
from fabriek.kernel.units import gpu_hours as hours_of
from fabriek.kernel.units import gpu_seconds as seconds_of
from fabriek.people.models import Organisation, Person

journal.describe(
    {
        "allocations.grant": gettext_lazy("opened the GPU-hours"),
        "allocations.extend": gettext_lazy("gave more time to use the GPU-hours"),
        "allocations.charge": gettext_lazy("Jobs around the portal were billed."),
        "allocations.correct": gettext_lazy("corrected the bill of a run"),
        "allocations.expire": gettext_lazy("The GPU-hours that were left have ended."),
    }
)


@transaction.atomic
def grant(
    decision: Decision, *, share: Share, starts_on: date | None = None, by: Person
) -> Allocation:
    """Make an accepted award usable: an account with GPU time from one share.

    Granting the same award again returns the allocation there is.

    Raises:
        NotAllowed: `by` is not staff, or takes part in the case.
        WrongState: the award was not accepted, or the share is closed.
        Invalid: the first day is too far away, or the term would be over already.
        NotEnough: the undertaking may not be given this much aid.
    """
    rules.require_grant(by, decision)
    # Two who press the button at once stand in a line here.
    decision = _locked_decision(decision)
    if existing := Allocation.objects.filter(decision=decision).first():
        return existing
    rules.require_accepted(decision)
    rules.require_open(share)
    starts_on = starts_on or timezone.localdate()
    allocation = Allocation.objects.create(
        account=decision.application.code.lower(),
        decision=decision,
        case=decision.application.case,
        starts_on=starts_on,
        ends_on=rules.last_day(starts_on, decision.months),
    )
    _add_grant(allocation, share=share, gpu_hours=decision.gpu_hours, by=by)
    journal.record(
        "allocations.grant",
        allocation,
        by=by,
        share=share.code,
        gpu_hours=decision.gpu_hours,
    )
    allocation.refresh_from_db()
    return allocation


@transaction.atomic
def extend(
    allocation: Allocation,
    *,
    ends_on: date,
    by: Person,
    share: Share | None = None,
    gpu_hours: int = 0,
) -> Allocation:
    """Move the last day, give back what had expired, and add `gpu_hours` of `share`.

    Raises:
        NotAllowed: `by` is not staff, or takes part in the case.
        WrongState: the new last day is not later, or the share is closed.
        Invalid: the new last day has passed or is too far away, or only one of share and hours
            is given.
        NotEnough: the undertaking may not be given this much aid.
    """
    rules.require_grant(by, allocation.decision)
    _check_extension(ends_on, share, gpu_hours)

    def booking(locked: Allocation, lines: Lines) -> Lines:
        if ends_on <= locked.ends_on:
            raise WrongState(
                _("The new last day must be later than %(day)s. Choose a later day.")
                % {"day": words.day(locked.ends_on)}
            )
        rules.require_near(ends_on, after=locked.ends_on)
        new = ledger.extend(lines, term=locked.term, ends_on=ends_on, at=timezone.now())[1]
        Allocation.objects.filter(pk=locked.pk).update(ends_on=ends_on)
        return new

    book(allocation, booking)
    details: dict[str, object] = {"ends_on": str(ends_on)}
    if share is not None:
        _add_grant(allocation, share=share, gpu_hours=gpu_hours, by=by)
        details |= {"share": share.code, "gpu_hours": gpu_hours}
    journal.record("allocations.extend", allocation, by=by, **details)
    allocation.refresh_from_db()
    return allocation


def hold(allocation: Allocation, *, run_key: str, gpu_seconds: int) -> None:
    """Set GPU time aside for a run, so that two runs can never spend the same second.

    Raises:
        NotEnough: less than `gpu_seconds` is left.
        WrongState: today lies outside the allocation's term.
    """

    def booking(locked: Allocation, lines: Lines) -> Lines:
        return ledger.hold(
            lines,
            run_key=run_key,
            gpu_seconds=gpu_seconds,
            term=locked.term,
            at=timezone.now(),
        )

    try:
        book(allocation, booking)
    except ledger.Short as short:
        raise refusals.too_little(allocation, gpu_seconds, short.missing) from short
    except ledger.OutsideTerm as outside:
        raise refusals.outside(allocation, outside.term) from outside


def settle(allocation: Allocation, *, run_key: str, gpu_seconds_used: int) -> None:
    """Replace what was held for a run by what it used. Settling twice changes nothing.

    Raises:
        ledger.NoHold: nothing was ever held for this run; a bug of the caller.
    """

    def booking(_locked: Allocation, lines: Lines) -> Lines:
        return ledger.settle(
            lines, run_key=run_key, gpu_seconds_used=gpu_seconds_used, at=timezone.now()
        )

    book(allocation, booking)


@transaction.atomic
def charge(allocation: Allocation, uses: Sequence[ledger.Use]) -> None:
    """Bill jobs that went around the portal: their GPU-seconds are as used as any.

    Each is charged once, however often it is told.
    """

    def booking(_locked: Allocation, lines: Lines) -> Lines:
        return ledger.charge(lines, uses=uses, at=timezone.now())

    if new := book(allocation, booking):
        used = sum(line.gpu_seconds for line in new)
        jobs = len({line.run_key for line in new})
        journal.record(
            "allocations.charge", allocation, by=None, jobs=jobs, gpu_hours=hours_of(used)
        )


@transaction.atomic
def correct(
    allocation: Allocation, *, run_key: str, gpu_seconds_used: int, key: str, note: str
) -> None:
    """Bring the bill of a settled run to `gpu_seconds_used` with a counter-entry.

    What the shares cannot pay is an overrun that the factory bears: the bill is true and the
    ledger never goes below zero. Repeating with the same `key` changes nothing.

    Raises:
        ledger.NotSettled: the run has no bill yet; a bug of the caller.
    """

    def booking(_locked: Allocation, lines: Lines) -> Lines:
        difference = gpu_seconds_used - ledger.bill(lines, run_key)
        if not difference:
            return ()
        return ledger.counter(
            lines,
            key=key,
            corrects=run_key,
            gpu_seconds=difference,
            at=timezone.now(),
            note=note,
        )

    if book(allocation, booking):
        journal.record("allocations.correct", allocation, by=None, run_key=run_key, note=note)


def expire_ended() -> int:
    """Take back what is left of allocations whose last day has passed; returns how many."""
    today = timezone.localdate()
    ended = queries.with_time_left().filter(ends_on__lt=today).select_related("case")
    return sum(_expire(allocation) for allocation in ended)


@transaction.atomic
def _expire(allocation: Allocation) -> bool:
    def booking(locked: Allocation, lines: Lines) -> Lines:
        # The locked row: an extension may have come in between.
        return ledger.expire(lines, term=locked.term, at=timezone.now())

    new = book(allocation, booking)
    if new:
        expired = sum(line.gpu_seconds for line in new)
        journal.record("allocations.expire", allocation, by=None, gpu_hours=hours_of(expired))
    return bool(new)


def _check_extension(ends_on: date, share: Share | None, gpu_hours: int) -> None:
    if ends_on < timezone.localdate():
        raise Invalid(
            _("The new last day has passed already. Choose a day in the future."),
            fields={"ends_on": _("Choose a day in the future.")},
        )
    if (share is None) != (gpu_hours == 0) or gpu_hours < 0:
        raise Invalid(
            _("To add GPU-hours, give both the share they come from and how many."),
            fields={"gpu_hours": _("Give both the share and how many GPU-hours.")},
        )
    if share is not None:
        rules.require_open(share)


def _add_grant(allocation: Allocation, *, share: Share, gpu_hours: int, by: Person) -> None:
    """Grant within the aid ceiling; the caller's transaction takes all back on a refusal."""
    organisation = allocation.case.organisation
    gpu_seconds = seconds_of(gpu_hours)
    worth = queries.aid_worth(share, gpu_seconds)
    if worth:
        # Grants to linked companies stand in a line, or two at once would both fit.
        Organisation.objects.select_for_update().get(pk=organisation.undertaking_id)
        _require_headroom(allocation.decision.application, share, worth)
    made = Grant.objects.create(
        allocation=allocation,
        share=share,
        organisation=organisation,
        gpu_seconds=gpu_seconds,
        aid_eur_cents=worth,
        legal_basis=share.legal_basis,
        granted_by=by,
    )

    def booking(_locked: Allocation, lines: Lines) -> Lines:
        return ledger.grant(
            lines,
            key=str(made.pk),
            share=share.code,
            gpu_seconds=gpu_seconds,
            at=timezone.now(),
        )

    book(allocation, booking)


def _require_headroom(application: Application, share: Share, worth: int) -> None:
    room = queries.headroom(share, queries.aid_counted(application))
    if room is not None and worth > room:
        raise NotEnough(
            _(
                "%(organisation)s and the companies it is linked to may get %(room)s of state "
                "aid more in these three years; this grant is worth %(worth)s. Grant less, or "
                "use a share that is not state aid."
            )
            % {
                "organisation": application.case.organisation,
                "room": words.euro(room),
                "worth": words.euro(worth),
            },
            code="aid_ceiling",
        )


def _locked_decision(decision: Decision) -> Decision:
    rows = Decision.objects.select_related("application__case__organisation")
    return rows.select_for_update(of=("self",)).get(pk=decision.pk)
