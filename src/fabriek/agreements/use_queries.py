"""Who used which data, when and for what: as its owner sees it, and as the users do."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet
from django.http import Http404
from django.utils.translation import gettext as _

from fabriek.agreements import inheritance, policy, reasons
from fabriek.agreements.models import Agreement
from fabriek.agreements.traces import Decided, Statement
from fabriek.agreements.wishes import Moment, Wish
from fabriek.cases.models import cases_of
from fabriek.kernel import text
from fabriek.people.models import Person
from fabriek.store.models import Repository

SHOWN = (
    "at",
    "moment",
    "allowed",
    "code",
    "facts",
    "revision",
    "run",
    "text_sha256",
    "person",
    "case",
    "agreement",
    "repository",
    "person__name",
    "person__email",
    "case__code",
    "case__organisation",
    "case__organisation__name",
    "agreement__code",
    "repository__code",
    "repository__title",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One decision in words."""

    at: datetime
    who: str
    organisation: str
    case: str
    did: str
    allowed: bool
    why: str
    agreement: str
    run: str
    revision: int | None
    dataset: str
    title: str


def repository_seen(code: str, person: Person) -> Repository:
    """Find what this person may know of. Raises: Http404, also when it is not theirs to see."""
    rows = Repository.objects.select_related("case", "organisation")
    found = rows.filter(code=text.sought(code)).first()
    if found is None or not _sees(person, found):
        raise Http404
    return found


def is_owner(person: Person, repository: Repository) -> bool:
    """Whether this person is of the organisation that has the data: it sees everybody's use.

    Partners in its case work with the data, and are no party to what others were allowed. Nor
    is who leads the case, of what was made of data that was lent to others of it.
    """
    return person.belongs_to(repository.organisation_id) and (
        inheritance.hears(repository, person)
    )


def on(
    repository: Repository, person: Person, *, is_owned: bool, refused: bool = False
) -> QuerySet[Decided]:
    """Give the decisions about one thing: all of them to its owner, else one's own.

    `is_owned`: what `is_owner` told of this person.
    """
    rows = Decided.objects.filter(repository=repository)
    if not is_owned:
        rows = rows.filter(_own(person))
    return _told(rows, refused=refused)


def of(person: Person, *, refused: bool = False) -> QuerySet[Decided]:
    """Give what was decided about this person and about the cases of their consortia.

    Only on data that they may see now, and under agreements that are theirs now.
    """
    return _told(Decided.objects.filter(_own(person)), refused=refused)


def line(row: Decided) -> Line:
    did = (reasons.ASKED if row.allowed else reasons.REFUSED).get(row.moment, row.moment)
    person, case = row.person, row.case
    return Line(
        at=row.at,
        who=(person.name or person.email) if person else _("the factory"),
        organisation=case.organisation.name if case else "",
        case=case.code if case else "",
        did=str(did),
        allowed=row.allowed,
        why=reasons.said(row.code, row.facts),
        agreement=row.agreement.code if row.agreement else "",
        run=row.run,
        revision=row.revision,
        dataset=row.repository.code or "",
        title=row.repository.title,
    )


def statement_of(code: str, person: Person) -> Statement:
    """Find what the factory stated at the end of an agreement; for its parties.

    Raises: Http404.
    """
    mine = Agreement.objects.of_parties(person).filter(code=text.sought(code))
    rows = Statement.objects.filter(agreement__in=mine.values("pk"))
    found = rows.select_related("agreement__repository", "agreement__case").first()
    if found is None:
        raise Http404
    return found


def _sees(person: Person, repository: Repository) -> bool:
    wish = Wish(moment=Moment.SEE, repository=repository, person=person)
    return policy.would(wish).allowed


def _own(person: Person) -> Q:
    """Name the lines that tell this person nothing they may not know today.

    Others are left out whole: a line without a name still tells that something is there.
    """
    theirs = Agreement.objects.of_parties(person).values("pk")
    return (
        (Q(person=person, case=None) | Q(case__in=cases_of(person)))
        & Q(repository__in=policy.visible_to(person).values("pk"))
        & (Q(agreement=None) | Q(agreement__in=theirs))
    )


def _told(rows: QuerySet[Decided], *, refused: bool) -> QuerySet[Decided]:
    if refused:
        rows = rows.filter(allowed=False)
    rows = rows.select_related("person", "case__organisation", "agreement", "repository")
    return rows.only(*SHOWN).order_by("-at", "-pk")
