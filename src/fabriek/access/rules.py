"""Who may do what to an application: leads bind, members write, and nobody judges their own."""

from collections.abc import Callable

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from fabriek.access import scoring
from fabriek.access.models import Application, Assessment, Mode
from fabriek.access.states import UNDER_ASSESSMENT, ApplicationState
from fabriek.cases.models import Case
from fabriek.cases.states import CaseState, PartnerState
from fabriek.kernel.errors import NotAllowed, Refused, Text, WrongState
from fabriek.kernel.steps import NextStep
from fabriek.people.models import Person

S = ApplicationState
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


# --- when: the objection against a step being taken now -----------------------------------
OPEN_FROM: dict[str, frozenset[ApplicationState]] = {
    "edit": frozenset({S.DRAFT}),
    "submit": frozenset({S.DRAFT}),
    "accept": frozenset({S.AWARDED}),
    "find_eligible": frozenset({S.SUBMITTED}),
    "technical": frozenset({S.ELIGIBLE}),
    "review": frozenset({S.FEASIBLE}),
    "finish_review": frozenset({S.FEASIBLE}),
    "award": frozenset({S.FEASIBLE, S.REVIEWED}),
    "refuse": frozenset({S.ELIGIBLE, S.FEASIBLE, S.REVIEWED}),
    "send_back": frozenset({S.SUBMITTED}),
    "find_ineligible": frozenset({S.SUBMITTED}),
    "decline": frozenset({S.AWARDED}),
    "withdraw": UNDER_ASSESSMENT | {S.DRAFT},
}


def _needs_open_case(application: Application) -> Refused | None:
    if application.case.state == CaseState.OPEN:
        return None
    return WrongState(
        _("The case of this application is not open, so GPU-hours cannot be asked for it."),
        code="case_not_open",
    )


def _needs_review_mode(application: Application) -> Refused | None:
    if application.mode.rules.is_reviewed:
        return None
    return WrongState(
        _("This access mode has no expert review. Decide on the application instead."),
        code="no_review",
    )


def _needs_reviews(application: Application) -> Refused | None:
    if refused := _needs_review_mode(application):
        return refused
    wanted = application.mode.rules.review.min_reviewers
    given = len(reviews(application))
    if given >= wanted:
        return None
    return WrongState(
        _(
            "There are %(given)s reviews; this access mode wants %(wanted)s. Wait for the "
            "others, or ask another assessor."
        )
        % {"given": given, "wanted": wanted},
        code="reviews_missing",
    )


def _needs_verdicts(application: Application) -> Refused | None:
    """All assessment of the mode is done, or the technical finding was negative."""
    if application.state == S.ELIGIBLE:
        if any(f.step == Step.TECHNICAL for f in application.assessments.all()):
            return None
    elif application.state == S.REVIEWED or not application.mode.rules.is_reviewed:
        return None
    return WrongState(
        _(
            "The assessment of this application is not finished, so it cannot be decided yet. "
            "Wait for the assessors."
        ),
        code="assessment_missing",
    )


def _needs_threshold(application: Application) -> Refused | None:
    if refused := _needs_verdicts(application):
        return refused
    outcome = outcome_of(application)
    if outcome is None or outcome.passes:
        return None
    return WrongState(
        _(
            "The reviewers' scores stay below the threshold of this access mode, so it cannot "
            "be awarded. Refuse it, with the reasons of the reviewers."
        ),
        code="below_threshold",
    )


WHEN: dict[str, Callable[[Application], Refused | None]] = {
    "submit": _needs_open_case,
    "review": _needs_review_mode,
    "finish_review": _needs_reviews,
    "award": _needs_threshold,
    "refuse": _needs_verdicts,
}


def require_open(step: str, application: Application) -> None:
    """Check that a step can be taken from where the application stands.

    Raises:
        WrongState: it cannot, with the reason.
    """
    refused = _not_now(step, application)
    if refused is not None:
        raise refused


def is_open(step: str, application: Application) -> bool:
    return _not_now(step, application) is None


def _not_now(step: str, application: Application) -> Refused | None:
    if application.state not in OPEN_FROM[step]:
        return WrongState(
            _(
                "This cannot be done now: %(thing)s stands at “%(state)s”. Open its page again "
                "to see what can be done next."
            )
            % {"thing": application, "state": application.get_state_display()}
        )
    return WHEN[step](application) if step in WHEN else None


def require_mode(mode: Mode, case: Case) -> None:
    if not mode.is_open:
        raise WrongState(
            _("“%(mode)s” is closed now. Choose another access mode.") % {"mode": mode},
            code="mode_closed",
        )
    if case.state != CaseState.OPEN:
        raise WrongState(
            _(
                "GPU-hours are asked for a case that was proposed and is open. Propose it "
                "first."
            ),
            code="case_not_open",
        )


def reviews(application: Application) -> list[Assessment]:
    return [f for f in application.assessments.all() if f.step == Step.REVIEW]


def outcome_of(application: Application) -> scoring.Outcome | None:
    """Weigh what the reviewers found; None where nobody scores."""
    wanted = application.mode.rules.review.min_score
    if wanted is None:
        return None
    return scoring.outcome([review.scores for review in reviews(application)], wanted)


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
    return [
        _next_step(step, application)
        for step in STEPS
        if is_open(step, application)
        and may(step, person, application)
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
