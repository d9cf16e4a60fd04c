"""Who may grant GPU time, when and for how long; and what can be done with it next."""

from datetime import date, timedelta

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from fabriek.access.models import Decision
from fabriek.access.states import ApplicationState
from fabriek.allocations.models import Allocation, Share
from fabriek.allocations.terms import months_later
from fabriek.cases.models import Case
from fabriek.cases.rules import takes_part
from fabriek.cases.states import CaseState
from fabriek.kernel import words
from fabriek.kernel.errors import Invalid, NotAllowed, WrongState
from fabriek.kernel.steps import NextStep
from fabriek.people.models import Person

# Staff who come a month late can still count from the day that was agreed; longer ago, nobody
# could use that time.
MOST_BACK = timedelta(days=31)
# Farther ahead is a slip in the year: an award answers a need of now.
MOST_AHEAD = timedelta(days=366)
# A slip in the year again, and it cannot be undone: a last day only moves on. Who needs more
# than two years (a leap day included) applies anew, or is extended again by then.
MOST_LONGER = timedelta(days=731)


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


def last_day(starts_on: date, months: int) -> date:
    """Name the last day of a term, of which the first day must be near today."""
    today = timezone.localdate()
    if not today - MOST_BACK <= starts_on <= today + MOST_AHEAD:
        said = _("Choose a first day from %(first)s to %(last)s.") % {
            "first": words.day(today - MOST_BACK),
            "last": words.day(today + MOST_AHEAD),
        }
        raise Invalid(said, code="first_day_far", fields={"starts_on": said})
    ends_on = months_later(starts_on, months)
    if ends_on < today:
        raise Invalid(
            _(
                "With this first day the GPU-hours would have ended already. "
                "Choose a later day."
            ),
            fields={"starts_on": _("Choose a later day.")},
        )
    return ends_on


def require_near(ends_on: date, *, after: date) -> None:
    """Hold a new last day near the present one, or near today when that has passed."""
    base = max(after, timezone.localdate())
    # Not by adding first: a last day far in the future, of long ago, cannot be added to.
    if ends_on - base <= MOST_LONGER:
        return
    said = _("This is too far away. Choose a last day up to %(last)s.") % {
        "last": words.day(base + MOST_LONGER)
    }
    raise Invalid(said, code="last_day_far", fields={"ends_on": said})


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
