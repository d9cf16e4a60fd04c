"""Questions about GPU time: what waits for a grant, what is left, whether totals are right."""

from collections.abc import Iterable
from datetime import datetime

from django.db.models import F, Min, Q, QuerySet, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from fabriek.access import reading
from fabriek.access.models import Application, Decision
from fabriek.access.states import ApplicationState
from fabriek.allocations import aid
from fabriek.allocations.lines import LineKind
from fabriek.allocations.models import Allocation, Grant, Line, Share
from fabriek.kernel import text
from fabriek.people.models import Organisation, Person

SORTS = {
    "account": "account",
    "case": "case__title",
    "ends": "ends_on",
    "granted": "gpu_seconds_granted",
    "left": "left_now",
}
# What a list shows; the long texts of cases and awards stay in the database.
LISTED = (
    "account",
    "starts_on",
    "ends_on",
    "gpu_seconds_granted",
    "gpu_seconds_held",
    "gpu_seconds_spent",
    "gpu_seconds_expired",
    "case__code",
    "case__title",
    "case__organisation__name",
    "decision__application__code",
)
LINE = (
    "allocation",
    "kind",
    "gpu_seconds",
    "run_key",
    "at",
    "note",
    "share__code",
    "share__name_nl",
    "share__name_en",
)
GRANT = (
    "allocation",
    "gpu_seconds",
    "aid_eur_cents",
    "legal_basis",
    "granted_at",
    "share__name_nl",
    "share__name_en",
    "organisation__name",
)
TAKEN = F("gpu_seconds_held") + F("gpu_seconds_spent") + F("gpu_seconds_expired")
# Each total with the lines it repeats: those that add, and those that take away.
TOTALS: dict[str, tuple[tuple[LineKind, ...], tuple[LineKind, ...]]] = {
    "granted": ((LineKind.GRANT,), ()),
    "held": ((LineKind.HOLD,), (LineKind.RELEASE,)),
    "spent": ((LineKind.SPEND, LineKind.COUNTER), ()),
    "expired": ((LineKind.EXPIRE,), (LineKind.EXTEND,)),
}


def listing(
    person: Person, *, q: str = "", state: str = "", sort: str = ""
) -> QuerySet[Allocation]:
    """List the allocations this person may see, those that end first on top."""
    rows = with_facts(Allocation.objects.visible_to(person)).only(*LISTED)
    rows = rows.annotate(left_now=F("gpu_seconds_granted") - TAKEN)
    if q := text.sought(q):
        named = Q(case__title__icontains=q) | Q(case__organisation__name__icontains=q)
        rows = rows.filter(named | Q(account__iexact=q) | Q(case__code__iexact=q))
    today = timezone.localdate()
    if state == "open":
        rows = rows.filter(starts_on__lte=today, ends_on__gte=today)
    elif state == "ended":
        rows = rows.filter(ends_on__lt=today)
    return rows.order_by(*_order(sort))


def with_facts(rows: QuerySet[Allocation]) -> QuerySet[Allocation]:
    """Bring along all that a list or a page of allocations shows."""
    return rows.select_related("case__organisation", "decision__application")


def for_page(rows: QuerySet[Allocation]) -> QuerySet[Allocation]:
    """Bring along no more than what the page of an allocation shows."""
    return with_facts(rows).only(*LISTED, "case__state")


def _order(sort: str) -> list[str]:
    column = SORTS.get(sort.removeprefix("-"))
    if column is None:
        return ["-ends_on", "-pk"]
    return [f"-{column}" if sort.startswith("-") else column, "-pk"]


def awards() -> QuerySet[Decision]:
    """Bring along all that a page shows of an award and its grant."""
    return Decision.objects.filter(is_award=True).select_related(
        "application__case__organisation", "application__mode", "allocation"
    )


def awaiting_grant() -> QuerySet[Decision]:
    """List accepted awards that are not usable yet, oldest first."""
    accepted = awards().filter(application__state=ApplicationState.ACCEPTED)
    return accepted.filter(allocation__isnull=True).order_by("decided_at", "pk")


def with_time_left() -> QuerySet[Allocation]:
    return Allocation.objects.filter(gpu_seconds_granted__gt=TAKEN)


def lines_of(allocation: Allocation) -> QuerySet[Line]:
    """Tell the ledger of one allocation, newest line first."""
    return allocation.lines.select_related("share").only(*LINE).order_by("-pk")


def grants_of(allocation: Allocation) -> QuerySet[Grant]:
    """Tell from which shares it was granted, the first grant first."""
    rows = allocation.grants.select_related("share", "organisation").only(*GRANT)
    return rows.order_by("pk")


def drift() -> QuerySet[Allocation]:
    """Find allocations whose totals differ from their lines; none, unless there is a bug."""
    in_lines = {f"{name}_in_lines": summed(name, prefix="lines__") for name in TOTALS}
    is_right = Q(**{f"gpu_seconds_{name}": F(f"{name}_in_lines") for name in TOTALS})
    return Allocation.objects.annotate(**in_lines).exclude(is_right).order_by("pk")


def summed(total: str, *, prefix: str = "", only: Q | None = None) -> Coalesce:
    """Add up the lines behind one total, as part of a grouped query; `only` some of them."""
    plus, minus = TOTALS[total]
    added = _sum_of(plus, prefix, only)
    return Coalesce(added - _sum_of(minus, prefix, only), 0) if minus else added


def _sum_of(kinds: tuple[LineKind, ...], prefix: str, only: Q | None) -> Coalesce:
    counted = Q(**{f"{prefix}kind__in": [kind.value for kind in kinds]}) & (only or Q())
    return Coalesce(Sum(f"{prefix}gpu_seconds", filter=counted), 0)


def aid_worth(share: Share, gpu_seconds: int) -> int:
    """Value GPU time as state aid, in euro cents: nothing when the share is none."""
    if not share.is_state_aid:
        return 0
    return aid.gross_grant_eur_cents(
        gpu_seconds, tariff_eur_cents_per_gpu_hour=share.tariff_eur_cents
    )


def headroom(share: Share, given: Iterable[aid.Aid]) -> int | None:
    """Say how many euro cents of aid may follow what was `given`; None: there is no ceiling."""
    ceiling = share.aid_ceiling_eur_cents
    if ceiling is None or not share.is_state_aid:
        return None
    return aid.headroom_eur_cents(given, timezone.localdate(), ceiling_eur_cents=ceiling)


def aid_given(organisation: Organisation, *, before: datetime | None = None) -> list[aid.Aid]:
    """All state aid to the undertaking: the organisation with those it is linked to."""
    head = organisation.undertaking_id
    group = Organisation.objects.filter(Q(pk=head) | Q(group_head=head))
    rows = Grant.objects.filter(organisation__in=group, aid_eur_cents__gt=0)
    if before is not None:
        rows = rows.filter(granted_at__lt=before)
    return [
        # The day in the factory's own time zone: aid counts from the day, not the moment.
        aid.Aid(granted_on=timezone.localdate(at), eur_cents=cents)
        for at, cents in rows.values_list("granted_at", "aid_eur_cents")
    ]


def aid_counted(application: Application) -> list[aid.Aid]:
    """All that counts against the ceiling: aid known here, and what was declared beyond it.

    An applicant is asked for all aid of the past three years, ours included; so of what was
    known here at the moment of submitting and what was declared then, the larger counts.
    """
    organisation, submitted_at = application.case.organisation, application.submitted_at
    given = aid_given(organisation)
    if submitted_at is None:
        return given
    on = timezone.localdate(submitted_at)
    known = aid.aid_in_window(aid_given(organisation, before=submitted_at), on)
    beyond = reading.aid_declared_eur_cents(application) - known
    return [*given, aid.Aid(granted_on=on, eur_cents=beyond)] if beyond > 0 else given


def untold() -> QuerySet[Allocation]:
    """Find those of which the engine was last told something else than the books say now.

    One query over those that have not ended, or are open as far as the engine knows. Who may
    use them is not in here: `runs.budgets` compares that now and then.
    """
    today = timezone.localdate()
    is_open = letting_jobs_in()
    behind = (
        Q(told_open=None) | Q(told_open=False) | ~Q(told_gpu_seconds=F("gpu_seconds_granted"))
    )
    changed = (is_open & behind) | (~is_open & Q(told_open=True))
    return Allocation.objects.filter(Q(ends_on__gte=today) | Q(told_open=True)).filter(changed)


def letting_jobs_in() -> Q:
    """Keep those that let a job in today: open, and not used up."""
    today = timezone.localdate()
    gone = F("gpu_seconds_spent") + F("gpu_seconds_expired")
    return Q(starts_on__lte=today, ends_on__gte=today, gpu_seconds_granted__gt=gone)


def main_shares(allocations: QuerySet[Allocation]) -> dict[int, Share]:
    """Give the share that granted most to each, by its id; of equals the first to grant."""
    rows = Grant.objects.filter(allocation__in=allocations.values("pk")).order_by()
    sums = rows.values("allocation_id", "share_id").annotate(
        granted=Sum("gpu_seconds"), first=Min("pk")
    )
    most: dict[int, tuple[int, int, int]] = {}
    for row in sums:
        rank = (row["granted"], -row["first"], row["share_id"])
        most[row["allocation_id"]] = max(most.get(row["allocation_id"], rank), rank)
    shares = Share.objects.in_bulk()
    return {allocation: shares[share] for allocation, (_, _, share) in most.items()}
