"""What the people of an organisation do next, as the organisation's own page says it."""

from dataclasses import dataclass, field

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from fabriek.cases.states import CaseState, PartnerState
from fabriek.kernel.steps import NextStep
from fabriek.pages import queries
from fabriek.people.models import Organisation, Person


@dataclass(frozen=True, kw_only=True, slots=True)
class Onward:
    """`about`: the case that the first step is of, if of one."""

    steps: list[NextStep] = field(default_factory=list)
    about: str = ""


def onward(organisation: Organisation, person: Person, steps: list[NextStep]) -> Onward:
    """Put what its newest case waits for before `steps`, which know of no cases."""
    if not person.belongs_to(organisation.pk):
        return Onward(steps=steps)
    joined = Q(partners__organisation=organisation, partners__state=PartnerState.ACCEPTED)
    lines = queries.case_lines(person, Q(organisation=organisation) | joined)
    alive = [line for line in lines if line.state in {CaseState.DRAFT, CaseState.OPEN}]
    for line in sorted(alive, key=lambda line: not line.is_for_us):
        step = line.step or _look(line)
        return Onward(steps=[step, *steps], about=str(line.case.title))
    return Onward(steps=steps)


def _look(line: queries.CaseLine) -> NextStep:
    return NextStep(
        name="look",
        label=_("Look at the case"),
        sentence=_("Your case is on its way: nothing waits for you now."),
        url=line.case.get_absolute_url(),
        method="get",
    )
