"""State aid for each undertaking: what counts now, and how much room is left."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Q, Sum
from django.db.models.functions import Coalesce

from fabriek.allocations import aid
from fabriek.allocations.models import Grant
from fabriek.kernel.periods import Period
from fabriek.reports.figures import Payer


@dataclass(frozen=True, kw_only=True, slots=True)
class Undertaking:
    """Linked companies together, under the name of their head."""

    name: str
    own_eur_cents: int
    all_eur_cents: int
    room_eur_cents: int


def undertakings(payer: Payer, period: Period) -> list[Undertaking]:
    """List who got aid from this funder, least room first, as it was on the last day."""
    ceiling = _ceiling(payer)
    if ceiling is None:
        return []
    found = [
        Undertaking(
            name=name,
            own_eur_cents=own,
            all_eur_cents=given,
            room_eur_cents=max(0, ceiling - given),
        )
        for name, own, given in _rows(payer, period)
    ]
    return sorted(found, key=lambda one: (one.room_eur_cents, one.name))


def _rows(payer: Payer, period: Period) -> Iterable[tuple[str, int, int]]:
    """Add up the aid that counts, for each undertaking that has some of this funder."""
    window = Period(first=aid.counts_from(period.last), last=period.last)
    return (
        Grant.objects.filter(granted_at__range=window.moments)
        .values(
            undertaking=Coalesce("organisation__group_head_id", "organisation_id"),
            name=Coalesce("organisation__group_head__name", "organisation__name"),
        )
        .annotate(
            own=Sum("aid_eur_cents", filter=Q(share__in=payer.own_ids)),
            given=Sum("aid_eur_cents"),
        )
        .filter(own__gt=0)
        .order_by("undertaking")
        .values_list("name", "own", "given")
    )


def _ceiling(payer: Payer) -> int | None:
    """Take the lowest ceiling of this funder's shares; none when they give no aid."""
    ceilings = [
        share.aid_ceiling_eur_cents
        for share in payer.own
        if share.is_state_aid and share.aid_ceiling_eur_cents is not None
    ]
    return min(ceilings, default=None)
