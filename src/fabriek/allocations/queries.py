"""Questions about GPU time: what waits to be granted, what is left, whether totals are right."""

from django.db.models import F, Q, QuerySet
from django.utils import timezone

from fabriek.access.models import Decision
from fabriek.access.states import ApplicationState
from fabriek.allocations import aid
from fabriek.allocations.models import Allocation, Grant
from fabriek.people.models import Organisation


def awaiting_grant() -> QuerySet[Decision]:
    """Accepted awards that are not usable yet, oldest first."""
    return (
        Decision.objects.filter(
            is_award=True,
            application__state=ApplicationState.ACCEPTED,
            allocation__isnull=True,
        )
        .select_related("application__case__organisation", "application__mode")
        .order_by("decided_at")
    )


def with_time_left() -> QuerySet[Allocation]:
    taken = F("gpu_seconds_held") + F("gpu_seconds_spent") + F("gpu_seconds_expired")
    return Allocation.objects.filter(gpu_seconds_granted__gt=taken)


def aid_given(organisation: Organisation) -> list[aid.Aid]:
    """All state aid to the undertaking: the organisation with those it is linked to."""
    head = organisation.undertaking_id
    group = Organisation.objects.filter(pk=head) | Organisation.objects.filter(group_head=head)
    rows = Grant.objects.filter(organisation__in=group, aid_eur_cents__gt=0)
    return [
        aid.Aid(granted_on=at.date(), eur_cents=cents)
        for at, cents in rows.values_list("granted_at", "aid_eur_cents")
    ]



def untold() -> QuerySet[Allocation]:
    """Allocations of which the engine was last told something else than what is true now."""
    today = timezone.localdate()
    is_open = Q(starts_on__lte=today, ends_on__gte=today)
    is_shut = Q(starts_on__gt=today) | Q(ends_on__lt=today)
    behind = Q(told_open=None) | Q(told_open=False) | ~Q(told_gpu_seconds=F("gpu_seconds_granted"))
    return Allocation.objects.filter((is_open & behind) | (is_shut & Q(told_open=True)))
