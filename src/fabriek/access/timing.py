"""When a step of an application is open: from which state, and after what has been done."""

from collections.abc import Callable

from django.utils.translation import gettext_lazy as _

from fabriek.access import scoring
from fabriek.access.models import Application, Assessment, Mode
from fabriek.access.states import UNDER_ASSESSMENT, ApplicationState
from fabriek.cases.models import Case
from fabriek.cases.states import CaseState
from fabriek.kernel.errors import Refused, WrongState

S = ApplicationState
Step = Assessment.Step

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
    # Asked for every step of every row of a list: no sentence is made for a step that is shut.
    if application.state not in OPEN_FROM[step]:
        return False
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
