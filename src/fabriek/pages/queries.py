"""What the home page shows: what waits for somebody, what runs now, what ends soon."""

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from fabriek.access import queries as access
from fabriek.access import rules as access_rules
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
from fabriek.runs.states import UNFINISHED

SHOWN = 6
SOON = timedelta(days=30)


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """One thing that waits for this person."""

    sentence: str
    label: str
    url: str
    about: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseLine:
    case: Case
    step: NextStep | None

    @property
    def is_for_us(self) -> bool:
        """Whether the case waits for its own people, rather than they for it."""
        return self.step is not None and self.step.name not in journey.PATIENT


def tasks(person: Person) -> list[Task]:
    """Everything that waits for this person, the most urgent first."""
    return [
        *_invitations(person),
        *_applications(person),
        *(_grants() if person.is_factory_staff else ()),
    ]


def running(person: Person) -> QuerySet[Run]:
    rows = Run.objects.visible_to(person).filter(state__in=UNFINISHED)
    return rows.select_related("case").order_by("-asked_at")[:SHOWN]


def ending(person: Person) -> list[Allocation]:
    """GPU-hours of one's own cases that end within a month."""
    if not person.roles:
        return []
    today = timezone.localdate()
    ours = Case.objects.taken_part_in_by(person).values("pk")
    rows = Allocation.objects.filter(case__in=ours, ends_on__range=(today, today + SOON))
    return list(rows.select_related("case").order_by("ends_on")[:SHOWN])


def case_lines(person: Person) -> list[CaseLine]:
    """One's newest cases, each with what comes next for it."""
    if not person.roles:
        return []
    rows = Case.objects.taken_part_in_by(person).select_related("organisation", "sector")
    cases = list(rows.order_by("-created_at", "-pk")[:SHOWN])
    ways = journey.ways(cases, person) if cases else {}
    return [CaseLine(case=case, step=_step(case, ways[case.pk], person)) for case in cases]


def _step(case: Case, way: journey.Way, person: Person) -> NextStep | None:
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
    return next(iter(journey.next_steps(case, way, person)), None)


def _invitations(person: Person) -> list[Task]:
    to_organisations = [
        Task(
            sentence=_("%(organisation)s asks you to join.")
            % {"organisation": invitation.organisation},
            label=_("Answer"),
            url=reverse("people:me"),
        )
        for invitation in people.invitations_for(person)
    ]
    return to_organisations + [
        Task(
            sentence=_("%(organisation)s asks %(ours)s to take part in “%(title)s”.")
            % {
                "organisation": partner.case.organisation,
                "ours": partner.organisation,
                "title": partner.case.title,
            },
            label=_("Answer"),
            url=reverse("cases:invitation", args=[partner.pk]),
        )
        for partner in (cases.invitations_for(person) if person.roles else ())
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
