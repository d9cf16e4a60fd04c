"""Questions about applications: what waits for whom, what is asked, how far they are."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.expressions import OrderBy
from django.urls import reverse

from fabriek.access import answers, promises, rules
from fabriek.access.definitions import Section
from fabriek.access.models import (
    Answers,
    Application,
    ApplicationQuerySet,
    Assessment,
    Decision,
    Form,
    Mode,
)
from fabriek.access.states import UNDER_ASSESSMENT, ApplicationState
from fabriek.cases.models import Case, Partner
from fabriek.cases.states import PartnerState
from fabriek.kernel.models import Entry
from fabriek.people.models import Organisation, Person, Role

S = ApplicationState
Step = Assessment.Step

SORTS = {
    "code": "code",
    "case": "case__title",
    "organisation": "case__organisation__name",
    "mode": "mode__position",
    "state": "state",
    "gpu": "gpu_hours_asked",
    "due": "due_at",
}
MOST_ENTRIES = 100


# --- lists -------------------------------------------------------------------------------
def with_facts(applications: QuerySet[Application]) -> QuerySet[Application]:
    """Bring along what a row shows, so that a list costs the same for any number."""
    return applications.select_related("case__organisation", "mode", "created_by")


def with_findings(applications: QuerySet[Application]) -> QuerySet[Application]:
    """Bring along what permissions and next steps look at as well."""
    return with_facts(applications).prefetch_related("case__partners", "assessments__by")


def listing(
    person: Person, *, q: str = "", state: str = "", mode: str = "", sort: str = ""
) -> QuerySet[Application]:
    """List the applications this person may see; what is promised first stands first."""
    rows = with_facts(Application.objects.visible_to(person))
    if q := q.strip().replace("\x00", ""):
        named = Q(case__title__icontains=q) | Q(case__organisation__name__icontains=q)
        rows = rows.filter(named | Q(code__iexact=q))
    if state in S.values:
        rows = rows.filter(state=state)
    if mode:
        rows = rows.filter(mode__code=mode.replace("\x00", ""))
    return rows.order_by(*_order(sort))


def _order(sort: str) -> list[OrderBy | str]:
    column = SORTS.get(sort.removeprefix("-"), "due_at")
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
    return with_findings(rows).order_by(F("due_at").asc(nulls_last=True), "-pk")


def awards_accepted() -> QuerySet[Decision]:
    """Awards the applicant agreed to, oldest first."""
    return (
        Decision.objects.filter(is_award=True, application__state=S.ACCEPTED)
        .select_related("application__case__organisation", "application__mode")
        .order_by("decided_at", "pk")
    )


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
    is_reviewed = Q(mode__in=Mode.objects.filter(definition__selection="review"))
    return (
        Q(state__in=[S.SUBMITTED, S.REVIEWED])
        | (Q(state=S.ELIGIBLE) & Q(doubted))
        | (Q(state=S.FEASIBLE) & (~is_reviewed | Q(Exists(_findings(Step.REVIEW)))))
    )


def _awaiting_assessor(person: Person) -> Q:
    is_reviewed = Q(mode__in=Mode.objects.filter(definition__selection="review"))
    technical = Q(state=S.ELIGIBLE) & ~Q(Exists(_findings(Step.TECHNICAL)))
    review = Q(state=S.FEASIBLE) & is_reviewed
    return technical | (review & ~Q(Exists(_findings(Step.REVIEW).filter(by=person))))


def _findings(step: str) -> QuerySet[Assessment]:
    return Assessment.objects.filter(application=OuterRef("pk"), step=step)


def _not_judged_by_own(rows: ApplicationQuerySet, person: Person) -> ApplicationQuerySet:
    """Leave out what the person may not judge: they have part in it, or assessed it."""
    part = Partner.objects.filter(
        case=OuterRef("case"), organisation__in=person.organisation_ids
    ).exclude(state=PartnerState.DECLINED)
    judged = Assessment.objects.filter(
        application=OuterRef("pk"), by=person, step__in=[Step.TECHNICAL, Step.REVIEW]
    )
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


def answered(application: Application) -> dict[str, dict[str, str]]:
    """Everything typed, section by section."""
    return {kept.section: kept.values for kept in application.answers.all()}


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far one section is."""

    section: Section
    url: str
    to_do: int
    saved_at: datetime | None

    @property
    def is_done(self) -> bool:
        return self.to_do == 0


def progress(application: Application, kept: list[Answers]) -> list[Progress]:
    """Go through the sections in order, each with the number of answers to mend."""
    by_section = {row.section: row for row in kept}
    typed = {row.section: row.values for row in kept}
    form, mode = application.form.rules, application.mode.rules
    problems = answers.problems(form, typed, mode)
    return [
        Progress(
            section=section,
            url=reverse("access:section", args=[application.code, section.key]),
            to_do=sum(problem.section.key == section.key for problem in problems),
            saved_at=by_section[section.key].saved_at if section.key in by_section else None,
        )
        for section in form.sections
    ]


@dataclass(frozen=True, kw_only=True, slots=True)
class Happening:
    """One line of the timeline of an application."""

    at: datetime
    sentence: str
    by: str
    note: str


def timeline(application: Application) -> list[Happening]:
    rows = Entry.objects.filter(
        subject_kind=Application._meta.label_lower, subject_id=application.pk
    )
    return [
        Happening(
            at=entry.at,
            sentence=entry.sentence[:1].upper() + entry.sentence[1:],
            by=str(entry.by or ""),
            note=str(entry.details.get("note", "")),
        )
        for entry in rows.select_related("by").order_by("-at", "-pk")[:MOST_ENTRIES]
    ]


def findings_for(person: Person, application: Application) -> list[Assessment]:
    """List what this person may read: all for those at work on it, else what is public."""
    given = list(application.assessments.all())
    if rules.may_see_findings(person, application):
        return given
    names = {
        Step.ELIGIBILITY: "administrative_check",
        Step.TECHNICAL: "technical_assessment",
        Step.REVIEW: "expert_review",
    }
    mode = application.mode.rules
    return [f for f in given if mode.step(names[Step(f.step)]).visible_to_applicant]


def consortium(application: Application) -> list[Organisation]:
    """List the organisations that take part, the proposing one first."""
    case = application.case
    partners = [
        p.organisation_id for p in case.partners.all() if p.state == PartnerState.ACCEPTED
    ]
    others = Organisation.objects.filter(pk__in=partners).order_by("name") if partners else []
    return [case.organisation, *others]
