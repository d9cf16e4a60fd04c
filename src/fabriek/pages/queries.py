"""What the home page shows: what waits for somebody, what runs now, what ends soon."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext

from fabriek.access import queries as access
from fabriek.access import rules as access_rules
from fabriek.agreements import queries as agreements
from fabriek.agreements import reviews
from fabriek.agreements.models import Agreement, Place
from fabriek.allocations import queries as allocations
from fabriek.allocations.models import Allocation
from fabriek.cases import queries as cases
from fabriek.cases.models import Case
from fabriek.cases.states import CaseState
from fabriek.kernel.steps import NextStep
from fabriek.pages import journey
from fabriek.people import queries as people
from fabriek.people.models import Person
from fabriek.runs.models import Run
from fabriek.runs.states import UNFINISHED, RunState

SHOWN = 6
SOON = timedelta(days=30)
LATELY = timedelta(days=14)
# What the page shows; the long texts of cases stay in the database.
ALLOCATION_SHOWN = (
    "account",
    "ends_on",
    "gpu_seconds_granted",
    "gpu_seconds_held",
    "gpu_seconds_spent",
    "gpu_seconds_expired",
    "case__title",
)
CASE_SHOWN = (
    "code",
    "title",
    "state",
    "organisation__name",
    "sector__name_nl",
    "sector__name_en",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """One thing that waits for this person."""

    sentence: str
    label: str
    url: str
    about: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunLine:
    code: str
    case_title: str
    state: RunState
    asked_at: datetime

    @property
    def url(self) -> str:
        return reverse("runs:detail", args=[self.code])


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseLine:
    case: Case
    step: NextStep | None

    @property
    def state(self) -> CaseState:
        return CaseState(self.case.state)

    @property
    def is_for_us(self) -> bool:
        """Whether the case waits for its own people, rather than they for it."""
        return self.step is not None and self.step.name not in journey.PATIENT


def tasks(person: Person) -> list[Task]:
    """Everything that waits for this person, the most urgent first."""
    return [
        *_invitations(person),
        *_applications(person),
        *_agreements(person),
        *_results(person),
        *(_grants() if person.is_factory_staff else ()),
        *_taken_back(person),
    ]


def running(person: Person) -> list[RunLine]:
    rows = Run.objects.visible_to(person).filter(state__in=UNFINISHED).order_by("-asked_at")
    found = rows.values_list("code", "case__title", "state", "asked_at")[:SHOWN]
    return [
        RunLine(code=code, case_title=title, state=RunState(state), asked_at=asked_at)
        for code, title, state, asked_at in found
    ]


def ending(person: Person) -> list[Allocation]:
    """GPU-hours of one's own cases that end within a month."""
    if not person.roles:
        return []
    today = timezone.localdate()
    ours = Case.objects.taken_part_in_by(person).values("pk")
    rows = Allocation.objects.filter(case__in=ours, ends_on__range=(today, today + SOON))
    rows = rows.select_related("case").only(*ALLOCATION_SHOWN)
    return list(rows.order_by("ends_on")[:SHOWN])


def case_lines(person: Person, among: Q | None = None) -> list[CaseLine]:
    """One's newest cases, or those of them that are `among`, and what comes next for each."""
    if not person.roles:
        return []
    rows = journey.with_standing().taken_part_in_by(person)
    if among is not None:
        rows = rows.filter(pk__in=Case.objects.filter(among).values("pk"))
    rows = rows.select_related("organisation", "sector").only(*CASE_SHOWN)
    newest = rows.order_by("-created_at", "-pk")[:SHOWN]
    return [CaseLine(case=case, step=_step(case, person)) for case in newest]


def _step(case: Case, person: Person) -> NextStep | None:
    if case.state == CaseState.DRAFT:
        return NextStep(
            name="finish",
            label=gettext_lazy("Finish the description"),
            sentence=gettext_lazy(
                "This case is still a draft. Propose it when it is complete."
            ),
            url=case.get_absolute_url(),
            method="get",
        )
    return next(iter(journey.next_steps(case, journey.way_of_own(case), person)), None)


def _invitations(person: Person) -> list[Task]:
    to_organisations = people.invitations_for(person).values_list(
        "organisation__name", flat=True
    )
    tasks = [
        Task(
            sentence=_("%(organisation)s asks you to join.") % {"organisation": organisation},
            label=pgettext("button", "Answer"),
            url=reverse("people:me"),
        )
        for organisation in to_organisations
    ]
    return tasks + (_invitations_to_cases(person) if person.roles else [])


def _invitations_to_cases(person: Person) -> list[Task]:
    rows = cases.invitations_for(person).values_list(
        "pk", "case__organisation__name", "organisation__name", "case__title"
    )
    return [
        Task(
            sentence=_("%(organisation)s asks %(ours)s to take part in “%(title)s”.")
            % {"organisation": organisation, "ours": ours, "title": title},
            label=pgettext("button", "Answer"),
            url=reverse("cases:invitation", args=[pk]),
        )
        for pk, organisation, ours, title in rows
    ]


def _applications(person: Person) -> list[Task]:
    rows = access.awaiting(person)[:SHOWN]
    return [
        Task(
            sentence=str(step.sentence),
            label=str(step.label),
            url=application.get_absolute_url(),
            about=f"{application.code} · {application.case.title}",
        )
        for application in rows
        for step in access_rules.next_steps(person, application)[:1]
    ]


def _agreements(person: Person) -> list[Task]:
    """Ask for the signatures that this person can give, and for answers to the other side."""
    if not person.roles:
        return []
    signing, asking = agreements.awaiting(person), agreements.asking(person)
    to_sign = list(signing[:SHOWN])
    to_answer = [each for each in asking[:SHOWN] if each not in to_sign]
    return [*map(_to_sign, to_sign), *map(_to_answer, to_answer)]


def _results(person: Person) -> list[Task]:
    """Ask a lead to look at what others made of the data that they lent out."""
    if not person.roles:
        return []
    waiting = reviews.shown_to(person).filter(verdict="")[:SHOWN]
    return [
        Task(
            sentence=_("A model that was made of your data “%(title)s” waits for your look.")
            % {"title": result.agreement.repository.title},
            label=_("Look at it"),
            url=reverse("data_use:review", args=[result.pk]),
            about=f"{result.repository.code} · {result.agreement.code}",
        )
        for result in waiting
        if reviews.may_judge(person, result)
    ]


def _taken_back(person: Person) -> list[Task]:
    """Tell both sides of what was revoked lately, and what to do now."""
    if not person.roles:
        return []
    rows = agreements.taken_back(person, since=timezone.now() - LATELY)[:SHOWN]
    return [_after_revoking(person, agreement) for agreement in rows]


def _after_revoking(person: Person, agreement: Agreement) -> Task:
    is_owner = person.belongs_to(agreement.repository.organisation_id)
    url, label = agreement.get_absolute_url(), _("Read why")
    if is_owner and agreement.is_stated:  # type: ignore[attr-defined]
        url = reverse("data_use:statement", args=[agreement.code])
        label = _("Read the statement")
        said = _(
            "Your organisation revoked the agreement on the data “%(title)s”. Read which "
            "copies the factory deleted, and what remains."
        )
    elif is_owner:
        said = _(
            "Your organisation revoked the agreement on the data “%(title)s”. The factory "
            "stops what works on it, deletes its copies, and states here what it did."
        )
        label = _("Look")
    elif agreement.place == Place.OPEN:
        said = _(
            "%(owner)s revoked the agreement on the data “%(title)s”. Do not use it any more, "
            "also not the copies that you downloaded. Read why, and what you can do."
        )
    else:
        said = _(
            "%(owner)s revoked the agreement on the data “%(title)s”. Nobody uses it in your "
            "case any more, and runs on it stop. Read why, and what you can do."
        )
    repository = agreement.repository
    about = f"{agreement.code} · {agreement.case.code}"
    facts = {"owner": repository.organisation.name, "title": repository.title}
    return Task(sentence=said % facts, label=label, url=url, about=about)


def _to_sign(agreement: Agreement) -> Task:
    return Task(
        sentence=_("An agreement on the data “%(title)s” waits for your signature.")
        % {"title": agreement.repository.title},
        label=_("Read and sign"),
        url=agreement.get_absolute_url(),
        about=f"{agreement.code} · {agreement.case.code}",
    )


def _to_answer(agreement: Agreement) -> Task:
    return Task(
        sentence=_("The other side wrote to you about the data “%(title)s”.")
        % {"title": agreement.repository.title},
        label=_("Read and answer"),
        url=f"{agreement.get_absolute_url()}#say",
        about=f"{agreement.code} · {agreement.case.code}",
    )


def _grants() -> list[Task]:
    count = allocations.awaiting_grant().count()
    if not count:
        return []
    sentence = ngettext(
        "%(count)d accepted award waits for its GPU-hours to be opened.",
        "%(count)d accepted awards wait for their GPU-hours to be opened.",
        count,
    ) % {"count": count}
    return [Task(sentence=sentence, label=_("Open them"), url=reverse("allocations:list"))]
