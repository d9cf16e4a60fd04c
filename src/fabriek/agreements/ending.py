"""Agreements whose last day came end by themselves; what is left of them is then settled."""

import logging
from datetime import datetime

from django.db.models import QuerySet

from fabriek.agreements.models import Agreement
from fabriek.agreements.states import AGREEMENT, AgreementState
from fabriek.kernel.errors import WrongState

log = logging.getLogger(__name__)

OVER_AFTER_IN_FORCE = (
    AgreementState.ENDED,
    AgreementState.REVOKED,
    AgreementState.REPLACED,
)


def end_due(now: datetime) -> None:
    """End what is over. Safe to repeat; of two loops at once one ends each.

    What waited for signatures until its end stays as it is: nothing was ever allowed by it.
    """
    due = Agreement.objects.filter(state=AgreementState.IN_FORCE, ends_at__lte=now)
    for agreement in due.order_by("ends_at"):
        try:
            AGREEMENT.take("end", agreement, by=None, over_at=agreement.ends_at)
        except WrongState:
            log.info("%s was already ended by another pass.", agreement)


def unsettled() -> QuerySet[Agreement]:
    """Give those that held once and are over, and of which no statement was made yet."""
    rows = Agreement.objects.filter(
        state__in=OVER_AFTER_IN_FORCE, in_force_at__isnull=False, statement=None
    )
    return rows.select_related("repository__organisation", "case__organisation").order_by("pk")
