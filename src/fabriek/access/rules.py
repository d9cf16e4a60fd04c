"""Who may do what to an application: leads bind, members write, and nobody judges their own."""

from collections.abc import Callable

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from fabriek.access import timing
from fabriek.access.models import Application, Assessment
from fabriek.cases.models import Case
from fabriek.cases.states import PartnerState
from fabriek.kernel.errors import NotAllowed, Text
from fabriek.kernel.steps import NextStep
from fabriek.people.models import Person

Step = Assessment.Step

MEMBERS_ONLY = _(
    "Only people of the organisation that proposes the case write its application. Ask one of "
    "them."
)
LEADS_ONLY = _(
    "Only a lead of the organisation that proposes the case binds it. Ask one of the leads."
)
STAFF_ONLY = _("Only staff of the factory do this. Ask the factory.")
ASSESSORS_ONLY = _("Only assessors of the factory do this. Ask the factory.")
OWN_ORGANISATION = _(
    "Your own organisation takes part in this case, or was invited to. Nobody judges a case of "
    "their own organisation: ask a colleague at the factory."
)
JUDGED_BEFORE = _(
    "You assessed this application yourself. Whoever assesses does not decide, so that two "
    "people look at it: ask a colleague at the factory."
)


def may_start(person: Person, case: Case) -> bool:
    return person.belongs_to(case.organisation_id)


def has_part(person: Person, application: Application) -> bool:
    """Whether an organisation of this person takes part in the case, did, or was invited."""
    case = application.case
    if person.belongs_to(case.organisation_id):
        return True
    if not person.organisation_ids:
        return False
    return any(
        person.belongs_to(partner.organisation_id)
        for partner in case.partners.all()
        if partner.state != PartnerState.DECLINED
    )


def may_see_findings(person: Person, application: Application) -> bool:
    """Whoever works on the application sees all findings; others see what is made public."""
    return person.sees_all_cases and not has_part(person, application)


# --- who: the objection against a person taking a step, or nothing ------------------------
Objection = Text | None


def _of_member(person: Person, application: Application) -> Objection:
    return None if person.belongs_to(application.case.organisation_id) else MEMBERS_ONLY


def _of_lead(person: Person, application: Application) -> Objection:
    return None if person.leads(application.case.organisation_id) else LEADS_ONLY


def _of_staff(person: Person, application: Application) -> Objection:
    if not person.is_factory_staff:
        return STAFF_ONLY
    return OWN_ORGANISATION if has_part(person, application) else None


def _of_assessor(person: Person, application: Application) -> Objection:
    if not person.is_assessor:
        return ASSESSORS_ONLY
    return OWN_ORGANISATION if has_part(person, application) else None


def _of_decider(person: Person, application: Application) -> Objection:
    objection = _of_staff(person, application)
    if objection is not None:
        return objection
    judged = {Step.TECHNICAL, Step.REVIEW}
    is_judge = any(
        finding.by_id == person.pk and finding.step in judged
        for finding in application.assessments.all()
    )
    return JUDGED_BEFORE if is_judge else None


WHO: dict[str, Callable[[Person, Application], Objection]] = {
    "edit": _of_member,
    "submit": _of_lead,
    "accept": _of_lead,
    "find_eligible": _of_staff,
    "technical": _of_assessor,
    "review": _of_assessor,
    "finish_review": _of_staff,
    "award": _of_decider,
    "refuse": _of_decider,
    "send_back": _of_staff,
    "find_ineligible": _of_staff,
    "decline": _of_lead,
    "withdraw": _of_lead,
}


def may(step: str, person: Person, application: Application) -> bool:
    return WHO[step](person, application) is None


def require(step: str, person: Person, application: Application) -> None:
    objection = WHO[step](person, application)
    if objection is not None:
        raise NotAllowed(objection)


def require_start(person: Person, case: Case) -> None:
    if not may_start(person, case):
        raise NotAllowed(MEMBERS_ONLY)


# --- the next steps ----------------------------------------------------------------------
# Label and sentence; the order is that of the buttons.
STEPS: dict[str, tuple[Text, Text]] = {
    "edit": (_("Go on writing"), _("Answer the questions: what you type is saved meanwhile.")),
    "submit": (
        _("Check and submit"),
        _("Read your answers once more, see whether you meet the conditions, and submit."),
    ),
    "accept": (
        _("Accept the award"),
        _("You are awarded GPU-hours. Accept them and the factory makes them ready for use."),
    ),
    "find_eligible": (
        _("Check eligibility"),
        _("Check whether this organisation may use this access mode."),
    ),
    "technical": (_("Assess the plan"), _("Assess whether the plan works on the machine.")),
    "review": (_("Review the plan"), _("Score the plan on each criterion.")),
    "finish_review": (
        _("Finish the review"),
        _("There are enough reviews: finish the review, so that a colleague can decide."),
    ),
    "award": (_("Award GPU-hours"), _("Everything was assessed: decide on this application.")),
    "refuse": (_("Refuse"), _("Refuse the application, with reasons the applicant can use.")),
    "send_back": (_("Send back"), _("Send it back when something is missing.")),
    "find_ineligible": (_("Not eligible"), _("Refuse it because a condition is not met.")),
    "decline": (_("Decline the award"), _("Leave the GPU-hours to somebody else.")),
    "withdraw": (_("Withdraw"), _("Stop with this application.")),
}
# Steps that are one press; all others have something to fill in or to confirm first.
PRESSED = {"accept", "finish_review"}
DANGER = {"refuse", "find_ineligible", "decline", "withdraw"}
# Their forms stand on the page of the application, under their own names.
ON_PAGE = {
    "find_eligible",
    "send_back",
    "find_ineligible",
    "technical",
    "review",
    "award",
    "refuse",
}


def next_steps(person: Person, application: Application) -> list[NextStep]:
    """Name what this person can do with the application now, the one that leads on first."""
    return [_next_step(step, application) for step in open_steps(person, application)]


def open_steps(person: Person, application: Application) -> list[str]:
    """Name those steps by their key alone; the cheap questions are asked first."""
    return [
        step
        for step in STEPS
        if application.state in timing.OPEN_FROM[step]
        and may(step, person, application)
        and timing.is_open(step, application)
        and not has_given(step, person, application)
    ]


def has_given(step: str, person: Person, application: Application) -> bool:
    """Whether this person gave their finding in this step already: one is enough."""
    if step not in {Step.TECHNICAL, Step.REVIEW}:
        return False
    return any(f.step == step and f.by_id == person.pk for f in application.assessments.all())


def _next_step(step: str, application: Application) -> NextStep:
    label, sentence = STEPS[step]
    page = reverse("access:detail", args=[application.code])
    if step in ON_PAGE:
        url = f"{page}#{step}"
    elif step == "edit":
        url = page
    else:
        url = reverse("access:step", args=[application.code, step])
    return NextStep(
        name=step,
        label=label,
        sentence=sentence,
        url=url,
        method="post" if step in PRESSED else "get",
        tone="danger" if step in DANGER else "",
    )
