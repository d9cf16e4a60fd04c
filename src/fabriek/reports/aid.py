"""State aid for each undertaking: what counts now, and how much room is left."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F
from django.db.models.functions import Coalesce
from django.utils import timezone

from fabriek.allocations import aid
from fabriek.allocations.models import Grant
from fabriek.reports.figures import Payer, Period

# A little more than three years: which day counts is decided by the law's own rule below.
LOOK_BACK = timedelta(days=3 * 366 + 2)


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
    names: dict[int, str] = {}
    given: dict[int, list[aid.Aid]] = defaultdict(list)
    own: dict[int, list[aid.Aid]] = defaultdict(list)
    for pk, name, at, funder, cents in _rows(payer, period):
        one = aid.Aid(granted_on=timezone.localdate(at), eur_cents=cents)
        names[pk] = name
        given[pk].append(one)
        if funder == payer.funder.pk:
            own[pk].append(one)
    found = [
        Undertaking(
            name=name,
            own_eur_cents=aid.aid_in_window(own[pk], period.last),
            all_eur_cents=aid.aid_in_window(given[pk], period.last),
            room_eur_cents=aid.headroom_eur_cents(
                given[pk], period.last, ceiling_eur_cents=ceiling
            ),
        )
        for pk, name in names.items()
    ]
    counted = [one for one in found if one.own_eur_cents]
    return sorted(counted, key=lambda one: (one.room_eur_cents, one.name))


def _rows(payer: Payer, period: Period) -> list[tuple[int, str, datetime, int, int]]:
    counted = Grant.objects.annotate(
        undertaking=Coalesce("organisation__group_head_id", "organisation_id")
    ).filter(aid_eur_cents__gt=0, granted_at__range=(period.end - LOOK_BACK, period.end))
    ours = counted.filter(share__in=payer.own_ids).values("undertaking")
    rows = counted.filter(undertaking__in=ours).annotate(
        name=Coalesce("organisation__group_head__name", "organisation__name"),
        funder=F("share__funder_id"),
    )
    return list(
        rows.order_by("pk").values_list(
            "undertaking", "name", "granted_at", "funder", "aid_eur_cents"
        )
    )


def _ceiling(payer: Payer) -> int | None:
    """Take the lowest ceiling of this funder's shares; none when they give no aid."""
    ceilings = [
        share.aid_ceiling_eur_cents
        for share in payer.own
        if share.is_state_aid and share.aid_ceiling_eur_cents is not None
    ]
    return min(ceilings, default=None)
