"""GPU-hours opened for every accepted award: the allocation and its grant.

The lines of the ledger follow from grants and runs: see `ledgers.py`.
"""

from datetime import timedelta

from django.utils import timezone

from bench.world.people import People
from bench.world.size import keep
from fabriek.access.models import Decision
from fabriek.allocations.models import Allocation, Grant, Share
from fabriek.kernel.models import Entry

TERM = timedelta(days=180)
OPENED_AFTER = timedelta(days=11)


def make(people: People, decisions: list[Decision]) -> list[Allocation]:
    accepted = [one for one in decisions if one.application.state == "accepted"]
    allocations = keep(Allocation, (_allocation(decision) for decision in accepted))
    shares = list(Share.objects.all())
    keep(Grant, (_grant(one, shares[one.pk % len(shares)], people) for one in allocations))
    keep(Entry, (_told(one, people) for one in allocations))
    return allocations


def _allocation(decision: Decision) -> Allocation:
    application = decision.application
    opened_at = application.submitted_at + OPENED_AFTER
    starts_on = timezone.localdate(opened_at)
    return Allocation(
        account=application.code.lower(),
        decision=decision,
        case=application.case,
        starts_on=starts_on,
        ends_on=starts_on + TERM,
        gpu_seconds_granted=decision.gpu_hours * 3600,
        opened_at=opened_at,
        told_gpu_seconds=decision.gpu_hours * 3600,
        told_open=starts_on + TERM >= timezone.localdate(),
    )


def _grant(allocation: Allocation, share: Share, people: People) -> Grant:
    hours = allocation.gpu_seconds_granted // 3600
    return Grant(
        allocation=allocation,
        share=share,
        organisation=allocation.case.organisation,
        gpu_seconds=allocation.gpu_seconds_granted,
        aid_eur_cents=hours * share.tariff_eur_cents if share.is_state_aid else 0,
        legal_basis=share.legal_basis,
        granted_by=people.staff,
        granted_at=allocation.opened_at,
    )


def _told(allocation: Allocation, people: People) -> Entry:
    return Entry(
        verb="allocations.grant",
        subject_kind="allocations.allocation",
        subject_id=allocation.pk,
        thread=allocation.case.code,
        by=people.staff,
    )
