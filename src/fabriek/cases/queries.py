"""Questions about cases, each answered with one query."""

from functools import cache

from django.db.models import Q, QuerySet
from django.db.models.fields.json import KT
from django.utils.translation import gettext_lazy as _

from fabriek.cases.models import Case, Partner, Sector
from fabriek.cases.rules import LIVE
from fabriek.cases.states import CaseState, PartnerState
from fabriek.kernel import journal, text
from fabriek.kernel.errors import Invalid
from fabriek.kernel.models import Entry
from fabriek.kernel.timeline import Happening
from fabriek.people import queries as people
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
    "organisation__foreign_number",
    "sector__code",
    "is_confidential",
    "trl_now",
    "trl_aimed",
    "created_at",
    "proposed_at",
    "intake__case",
)
# What a page shows of each in a list.
SHOWN = (
    "code",
    "title",
    "state",
    "is_confidential",
    "proposed_at",
    "organisation__name",
    "sector__name_nl",
    "sector__name_en",
)
MOST_ENTRIES = 100


def with_facts(cases: QuerySet[Case]) -> QuerySet[Case]:
    """Bring along all that the page of a case shows."""
    return cases.select_related("organisation", "sector", "intake")


def listing(person: Person, *, q: str = "", state: str = "", sort: str = "") -> QuerySet[Case]:
    """List the cases this person may see; an unknown state or order is left aside."""
    seen = Case.objects.visible_to(person)
    cases = seen.select_related("organisation", "sector").only(*SHOWN)
    if q := text.sought(q):
        named = Q(title__icontains=q) | Q(organisation__name__icontains=q)
        cases = cases.filter(named | Q(code__iexact=q))
    if state in CaseState.values:
        cases = cases.filter(state=state)
    return cases.order_by(*_order(sort))


def for_programs(cases: QuerySet[Case]) -> QuerySet[Case]:
    """Bring along no more than what the API tells, and what steps rest on."""
    return cases.select_related("intake").only(*LISTED)


def _order(sort: str) -> list[str]:
    column = SORTS.get(sort.removeprefix("-"))
    if column is None:
        return ["-created_at", "-pk"]
    return [f"-{column}" if sort.startswith("-") else column, "-pk"]


def invitations_shown(person: Person) -> QuerySet[Partner]:
    """Bring along no more than what a page shows of each invitation."""
    rows = invitations_for(person).select_related(None)
    rows = rows.select_related("case__organisation", "organisation")
    return rows.only("case__title", "case__organisation__name", "organisation__name")


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
    return story(Entry.objects.filter(thread=thread))


def story(entries: QuerySet[Entry]) -> list[Happening]:
    """Tell these lines of the journal in words, newest first; of a long story the end."""
    # Read as plain values: a case may have a hundred lines, said with some twenty sentences.
    rows = entries.order_by("-at", "-pk").values_list(
        "at", "verb", KT("details__note"), "by__name", "by__email"
    )[:MOST_ENTRIES]
    said = cache(_said)
    return [
        Happening(at=at, sentence=said(verb), by=name or email or "", note=note or "")
        for at, verb, note, name, email in rows
    ]


def _said(verb: str) -> str:
    sentence = journal.sentence(verb)
    return sentence[:1].upper() + sentence[1:]


def cluster_logins(owners: dict[int, int]) -> dict[int, set[str]]:
    """Name who of a consortium has a login on the cluster of their own, by the case's id.

    `owners`: which organisation proposes which case, by their ids. Two queries; one where
    nobody has a login.
    """
    logins = people.cluster_logins()
    if not logins:
        return {}
    found = {case: set(logins.get(owner, ())) for case, owner in owners.items()}
    partners = Partner.objects.filter(state=PartnerState.ACCEPTED, organisation__in=logins)
    for case, organisation in partners.values_list("case_id", "organisation_id"):
        if case in found:
            found[case] |= logins[organisation]
    return found
