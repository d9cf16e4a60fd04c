"""Questions about cases, each answered with one query."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from fabriek.cases.models import Case, Partner, Sector
from fabriek.cases.rules import LIVE
from fabriek.cases.states import CaseState, PartnerState
from fabriek.kernel.errors import Invalid
from fabriek.kernel.models import Entry
from fabriek.people.models import Person

SORTS = {
    "code": "code",
    "title": "title",
    "organisation": "organisation__name",
    "state": "state",
    "proposed": "proposed_at",
}
# What the API tells of each in a list; the long texts stay in the database.
LISTED = (
    "code",
    "title",
    "state",
    "organisation__name",
    "organisation__kvk_number",
    "sector__code",
    "is_confidential",
    "trl_now",
    "trl_aimed",
    "created_at",
    "proposed_at",
    "intake__case",
)
MOST_ENTRIES = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Happening:
    """One line of a timeline."""

    at: datetime
    sentence: str
    by: str
    note: str


def with_facts(cases: QuerySet[Case]) -> QuerySet[Case]:
    """Bring along all that a list or a page of cases shows."""
    return cases.select_related("organisation", "sector", "intake")


def listing(person: Person, *, q: str = "", state: str = "", sort: str = "") -> QuerySet[Case]:
    """List the cases this person may see; an unknown state or order is left aside."""
    cases = with_facts(Case.objects.visible_to(person))
    if q := q.strip().replace("\x00", ""):
        named = Q(title__icontains=q) | Q(organisation__name__icontains=q)
        cases = cases.filter(named | Q(code__iexact=q))
    if state in CaseState.values:
        cases = cases.filter(state=state)
    return cases.order_by(*_order(sort))


def _order(sort: str) -> list[str]:
    column = SORTS.get(sort.removeprefix("-"))
    if column is None:
        return ["-created_at", "-pk"]
    return [f"-{column}" if sort.startswith("-") else column, "-pk"]


def invitations_for(person: Person) -> QuerySet[Partner]:
    """Find invitations to a consortium that wait for an answer of one's organisation."""
    return (
        Partner.objects.addressed_to(person)
        .filter(state=PartnerState.INVITED, case__state__in=LIVE)
        .select_related("case__organisation", "organisation", "invited_by")
        .order_by("invited_at", "pk")
    )


def sector(code: str) -> Sector:
    """Find an offered sector.

    Raises:
        Invalid: there is none with this code.
    """
    offered = Sector.objects.filter(is_offered=True)
    if found := offered.filter(code=code).first():
        return found
    sentence = _("There is no such sector. Choose one of: %(codes)s.") % {
        "codes": ", ".join(offered.values_list("code", flat=True))
    }
    raise Invalid(sentence, fields={"sector": sentence})


def partners_of(case: Case) -> list[Partner]:
    """List who was asked beside the organisation that proposes, in the order of inviting."""
    partners = list(case.partners.select_related("organisation").order_by("invited_at", "pk"))
    for partner in partners:
        partner.case = case
    return partners


def timeline(thread: str) -> list[Happening]:
    """Tell what happened under a case's code, in all stages, newest first."""
    entries = Entry.objects.filter(thread=thread).select_related("by").order_by("-at", "-pk")
    return [
        Happening(
            at=entry.at,
            sentence=_with_capital(entry.sentence),
            by=str(entry.by or ""),
            note=str(entry.details.get("note", "")),
        )
        for entry in entries[:MOST_ENTRIES]
    ]


def _with_capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
