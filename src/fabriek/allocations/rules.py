"""Who may grant GPU time, and when; and what can be done with it next."""

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from fabriek.access.models import Decision
from fabriek.access.states import ApplicationState
from fabriek.allocations.models import Allocation, Share
from fabriek.cases.models import Case
from fabriek.cases.rules import takes_part
from fabriek.cases.states import CaseState
from fabriek.kernel.errors import NotAllowed, WrongState
from fabriek.kernel.steps import NextStep
from fabriek.people.models import Person


def may_grant(person: Person, case: Case, *, part: bool | None = None) -> bool:
    """Staff, unless their own organisation takes part in the case. `part`: when known."""
    if not person.is_factory_staff:
        return False
    return not (takes_part(person, case) if part is None else part)


def require_staff(person: Person) -> None:
    if not person.is_factory_staff:
        raise NotAllowed(
            _("Only staff of the factory open GPU-hours. Ask a colleague at the factory.")
        )


def require_grant(person: Person, decision: Decision) -> None:
    if not may_grant(person, decision.application.case):
        raise NotAllowed(
            _(
                "Only staff of the factory grant GPU-hours, and nobody grants them to a case "
                "of their own organisation. Ask a colleague at the factory."
            )
        )


def require_accepted(decision: Decision) -> None:
    if decision.application.state != ApplicationState.ACCEPTED:
        raise WrongState(
            _(
                "The award of %(code)s was not accepted yet. The applicant has to accept it "
                "first."
            )
            % {"code": decision.application.code}
        )


def require_open(share: Share) -> None:
    if not share.is_open:
        raise WrongState(
            _("The share “%(share)s” gives no GPU-hours now. Choose another share.")
            % {"share": share},
            code="share_closed",
        )


def next_steps(
    person: Person, allocation: Allocation, *, part: bool | None = None
) -> list[NextStep]:
    """Name what this person can do with the GPU time now. `part`: takes_part, when known."""
    part = takes_part(person, allocation.case) if part is None else part
    steps = []
    if part and _is_usable(allocation):
        steps.append(
            NextStep(
                name="run",
                label=_("Start a run"),
                sentence=_("There are GPU-hours left. Use them: start a run."),
                url=f"{reverse('runs:new')}?case={allocation.case.code}",
                method="get",
            )
        )
    if may_grant(person, allocation.case, part=part):
        steps.append(
            NextStep(
                name="extend",
                label=_("Give more time"),
                sentence=_(
                    "Give more time when the organisation asks for it with a good reason."
                ),
                url=reverse("allocations:extend", args=[allocation.account]),
                method="get",
            )
        )
    return steps


def _is_usable(allocation: Allocation) -> bool:
    return (
        allocation.case.state == CaseState.OPEN
        and allocation.gpu_seconds_left > 0
        and allocation.is_open_on(timezone.localdate())
    )
