"""Questions about applications: what waits for whom, what is asked, how far they are."""

from datetime import datetime
from functools import cache

from django.db.models import Case as Either
from django.db.models import Exists, F, OuterRef, Prefetch, Q, QuerySet, When
from django.db.models.expressions import OrderBy

from fabriek.access import promises
from fabriek.access.models import (
    Application,
    ApplicationQuerySet,
    Assessment,
    Form,
    Mode,
)
from fabriek.access.states import UNDER_ASSESSMENT, ApplicationState
from fabriek.cases.models import Case, Partner
from fabriek.cases.states import PartnerState
from fabriek.kernel import text
from fabriek.people.models import Person, Role

S = ApplicationState
Step = Assessment.Step

SORTS = {
    "code": "code",
    "case": "case__title",
    "organisation": "case__organisation__name",
    "mode": "mode__position",
    "state": "state",
    "gpu": "gpu_hours_asked",
    "due": "due",
}
WAITING = ("code", "state", "due_at", "case__title", "case__state", "case__organisation")
PARTNER = ("case", "state", "part", "organisation__name", "organisation__country")
FINDING = (
    "application",
    "step",
    "is_positive",
    "remarks",
    "scores",
    "at",
    "by__name",
    "by__email",
)
# What a page shows of each in a list, beside the mode.
SHOWN = (
    "code",
    "state",
    "gpu_hours_asked",
    "submitted_at",
    "due_at",
    "mode",
    "case__title",
    "case__organisation__name",
)
# What the API tells of each in a list; the long texts of cases stay in the database.
LISTED = (
    "code",
    "state",
    "gpu_hours_asked",
    "months",
    "submitted_at",
    "due_at",
    "case__code",
    "case__title",
    "case__state",
    "case__organisation__name",
)


# --- lists -------------------------------------------------------------------------------
def with_facts(applications: QuerySet[Application]) -> QuerySet[Application]:
    """Bring along what a row shows, so that a list costs the same for any number."""
    # One Mode for all rows that share it, as its rules take long to read.
    return applications.select_related("case__organisation").prefetch_related("mode")


def for_pages(applications: QuerySet[Application]) -> QuerySet[Application]:
    """Bring along no more than what a page shows of each; its modes come from `modes`."""
    rows = applications.prefetch_related(None)
    return rows.only(*SHOWN)


def modes() -> list[Mode]:
    """List all modes by name; their rules, which take long to read, stay where they are."""
    return list(Mode.objects.only("code", "name_nl", "name_en"))


def with_findings(applications: QuerySet[Application]) -> QuerySet[Application]:
    """Bring along what permissions and next steps look at as well."""
    partners = Partner.objects.select_related("organisation")
    findings = Assessment.objects.select_related("by")
    return with_facts(applications).prefetch_related(
        Prefetch("case__partners", partners.only(*PARTNER)),
        Prefetch("assessments", findings.only(*FINDING).order_by("at", "pk")),
    )


def whole(applications: QuerySet[Application]) -> QuerySet[Application]:
    """Bring along all that the page of one application shows."""
    return with_findings(applications).select_related(
        "mode", "case__intake", "form", "decision__decided_by"
    )


def listing(
    person: Person, *, q: str = "", state: str = "", mode: str = "", sort: str = ""
) -> QuerySet[Application]:
    """List the applications this person may see; what is promised first stands first."""
    promised = When(state__in=UNDER_ASSESSMENT, then=F("due_at"))
    rows = with_facts(Application.objects.visible_to(person)).annotate(due=Either(promised))
    if q := text.sought(q):
        named = Q(case__title__icontains=q) | Q(case__organisation__name__icontains=q)
        rows = rows.filter(named | Q(code__iexact=q))
    if state in S.values:
        rows = rows.filter(state=state)
    if mode:
        rows = rows.filter(mode__code=text.sought(mode))
    return rows.order_by(*_order(sort))


def for_programs(applications: QuerySet[Application], person: Person) -> QuerySet[Application]:
    """Bring along no more than what the API tells, and what this person's steps rest on."""
    rows = applications.prefetch_related(None)
    if not person.sees_all_cases:
        # No step of an applicant depends on the rules of the mode, or on what was found.
        rows = rows.select_related("case__organisation", "mode")
        return rows.only(*LISTED, "mode__code")
    findings = Assessment.objects.only("application", "step", "by", "scores")
    rows = rows.only(*LISTED, "mode").prefetch_related(
        Prefetch("mode", Mode.objects.only("code", "definition")),
        Prefetch("assessments", findings),
    )
    if not person.organisation_ids:
        return rows  # and so without part in any case
    partners = Partner.objects.only("case", "organisation", "state")
    return rows.prefetch_related(Prefetch("case__partners", partners))


def _order(sort: str) -> list[OrderBy | str]:
    """Order by a column; what is not being assessed has no promise and stands behind."""
    column = SORTS.get(sort.removeprefix("-"), "due")
    if sort.startswith("-"):
        return [F(column).desc(nulls_last=True), "-pk"]
    return [F(column).asc(nulls_last=True), "-pk"]


def open_modes() -> QuerySet[Mode]:
    return Mode.objects.filter(is_open=True)


def form_of(mode: Mode) -> Form | None:
    """Find the version of the questions that the mode names."""
    named = mode.rules.form
    if named is None:
        return None
    return Form.objects.filter(code=named.code, version=named.version).first()


def startable_cases(person: Person) -> QuerySet[Case]:
    """Open cases for which this person may start an application."""
    return Case.objects.filter(
        organisation__in=person.organisation_ids, state="open"
    ).select_related("organisation")


# --- what waits --------------------------------------------------------------------------
def awaiting(person: Person) -> QuerySet[Application]:
    """List what waits for this person now; what is promised first stands first."""
    waiting = _awaiting_applicant(person)
    if person.is_factory_staff:
        waiting |= _awaiting_staff()
    if person.is_assessor:
        waiting |= _awaiting_assessor(person)
    rows = Application.objects.filter(waiting)
    if person.sees_all_cases:
        rows = _not_judged_by_own(rows, person)
    return _with_basis_of_steps(rows, person).order_by(F("due_at").asc(nulls_last=True), "-pk")


def _with_basis_of_steps(rows: ApplicationQuerySet, person: Person) -> QuerySet[Application]:
    """Bring along no more than what waits is told by, and what this person's steps rest on."""
    if not person.sees_all_cases:
        return rows.select_related("case").only(*WAITING)
    rows = rows.select_related("case", "mode").only(*WAITING, "mode__definition")
    findings = Assessment.objects.only("application", "step", "by", "scores")
    rows = rows.prefetch_related(Prefetch("assessments", findings))
    # Only who has an organisation can have part in a case.
    return rows.prefetch_related("case__partners") if person.organisation_ids else rows


def _awaiting_applicant(person: Person) -> Q:
    led = [pk for pk, role in person.roles.items() if role == Role.LEAD]
    sent_back = Q(
        state=S.DRAFT,
        submitted_at__isnull=False,
        case__organisation__in=person.organisation_ids,
    )
    return sent_back | Q(state=S.AWARDED, case__organisation__in=led)


def _awaiting_staff() -> Q:
    doubted = Exists(_findings(Step.TECHNICAL))
    return (
        Q(state__in=[S.SUBMITTED, S.REVIEWED])
        | (Q(state=S.ELIGIBLE) & Q(doubted))
        | (Q(state=S.FEASIBLE) & (~_is_reviewed() | Q(Exists(_findings(Step.REVIEW)))))
    )


def _awaiting_assessor(person: Person) -> Q:
    technical = Q(state=S.ELIGIBLE) & ~Q(Exists(_findings(Step.TECHNICAL)))
    review = Q(state=S.FEASIBLE) & _is_reviewed()
    return technical | (review & ~Q(Exists(_findings(Step.REVIEW).filter(by=person))))


# These two are the same for everybody, and putting a query together takes long: they are kept.
@cache
def _is_reviewed() -> Q:
    return Q(mode__in=Mode.objects.filter(definition__selection="review"))


@cache
def _findings(step: str) -> QuerySet[Assessment]:
    return Assessment.objects.filter(application=OuterRef("pk"), step=step)


def _not_judged_by_own(rows: ApplicationQuerySet, person: Person) -> ApplicationQuerySet:
    """Leave out what the person may not judge: they have part in it, or assessed it."""
    judged = Assessment.objects.filter(
        application=OuterRef("pk"), by=person, step__in=[Step.TECHNICAL, Step.REVIEW]
    )
    if not person.organisation_ids:
        return rows.filter(~Exists(judged))
    part = Partner.objects.filter(
        case=OuterRef("case"), organisation__in=person.organisation_ids
    ).exclude(state=PartnerState.DECLINED)
    own = Q(case__organisation__in=person.organisation_ids)
    return rows.filter(
        own & _awaiting_applicant(person) | ~own & ~Exists(part) & ~Exists(judged)
    )


# --- one application ---------------------------------------------------------------------
def clock(application: Application, now: datetime) -> promises.Clock | None:
    """How far the promise still is; None while nobody at the factory is at work on it."""
    if application.due_at is None or application.state not in UNDER_ASSESSMENT:
        return None
    return promises.clock(application.due_at, now)
