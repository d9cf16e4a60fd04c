"""Everything the factory does to an application: check, assess, review, decide."""

from collections.abc import Mapping

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from fabriek.access import rules, timing
from fabriek.access.definitions import Criterion, Scores
from fabriek.access.models import Application, Assessment, Decision
from fabriek.access.states import APPLICATION
from fabriek.kernel import journal, text, words
from fabriek.kernel.errors import Invalid, Refused
from fabriek.people.models import Person

Step = Assessment.Step

journal.describe(
    {
        "access.send_back": _("sent the application back to be mended"),
        "access.find_eligible": _("found the organisation eligible"),
        "access.find_feasible": _("found the plan feasible"),
        "access.doubt": _("found the plan not feasible"),
        "access.review": _("An expert review came in."),
        "access.finish_review": _("finished the expert review"),
        "access.award": _("awarded GPU-hours"),
        "access.refuse": _("refused the application"),
    }
)


def send_back(application: Application, *, by: Person, reasons: str) -> Application:
    """Give the application back as a draft, with what is to be mended.

    Raises:
        NotAllowed: `by` is not staff, or has part in the case.
        WrongState: it is not newly submitted.
        Invalid: no reasons were given.
    """
    rules.require("send_back", by, application)
    timing.require_open("send_back", application)
    said = _said(reasons)
    APPLICATION.take("send_back", application, by=by, details={"note": said}, due_at=None)
    return application


def find_eligible(application: Application, *, by: Person, remarks: str = "") -> Application:
    rules.require("find_eligible", by, application)
    timing.require_open("find_eligible", application)
    finding = _finding(application, Step.ELIGIBILITY, by=by, is_positive=True, remarks=remarks)
    with transaction.atomic():
        APPLICATION.take("find_eligible", application, by=by)
        _keep(finding)
    return application


def find_ineligible(application: Application, *, by: Person, reasons: str) -> Decision:
    """Refuse the application because a condition is not met."""
    rules.require("find_ineligible", by, application)
    timing.require_open("find_ineligible", application)
    finding = _finding(application, Step.ELIGIBILITY, by=by, is_positive=False, remarks=reasons)
    decision = Decision(application=application, is_award=False, reasons=_said(reasons))
    with transaction.atomic():
        _decide(decision, "refuse", by=by, details={"because": "ineligible"})
        _keep(finding)
    return decision


def assess(
    application: Application,
    *,
    step: str,
    by: Person,
    is_positive: bool = True,
    remarks: str = "",
    scores: Mapping[str, int] | None = None,
) -> Assessment:
    """Give a finding: `technical` (feasible or not) or `review` (scores on each criterion).

    A positive technical finding moves the application on; a negative one leaves it for the
    decision. Whether a review is positive follows from its scores.

    Raises:
        NotAllowed: `by` is no assessor, or has part in the case.
        WrongState: this is not the step that is due.
        Invalid: remarks or scores are missing or out of range.
        Refused: `by` gave a finding in this step before.
    """
    if step not in (Step.TECHNICAL, Step.REVIEW):
        raise Invalid(_("A finding is given in the step “technical” or in the step “review”."))
    rules.require(step, by, application)
    timing.require_open(step, application)
    if rules.has_given(step, by, application):
        raise _given_before()
    finding = _finding(application, step, by=by, is_positive=is_positive, remarks=remarks)
    if step == Step.TECHNICAL:
        return _assess_plan(finding, by=by)
    return _review(finding, scores or {})


def finish_review(application: Application, *, by: Person) -> Application:
    """Close the review when there are enough, so that the application can be decided.

    Raises:
        WrongState: reviews are missing, or this mode has none.
    """
    rules.require("finish_review", by, application)
    timing.require_open("finish_review", application)
    outcome = timing.outcome_of(application)
    details: dict[str, object] = {}
    if outcome is not None:
        details = {"total": outcome.total, "passes": outcome.passes}
    APPLICATION.take("finish_review", application, by=by, details=details)
    return application


def award(
    application: Application, *, by: Person, gpu_hours: int, months: int, reasons: str
) -> Decision:
    """Grant the application so many GPU-hours; the applicant still has to accept.

    Raises:
        NotAllowed: `by` is not staff, has part in the case, or assessed it.
        WrongState: assessment is not finished, or the scores are below the threshold.
        Invalid: more than was asked, a duration the mode has not, or no reasons.
    """
    rules.require("award", by, application)
    timing.require_open("award", application)
    _require_size(application, gpu_hours=gpu_hours, months=months)
    decision = Decision(
        application=application,
        is_award=True,
        gpu_hours=gpu_hours,
        months=months,
        reasons=_said(reasons),
    )
    with transaction.atomic():
        _decide(decision, "award", by=by, details={"gpu_hours": gpu_hours, "months": months})
    return decision


def refuse(application: Application, *, by: Person, reasons: str) -> Decision:
    rules.require("refuse", by, application)
    timing.require_open("refuse", application)
    decision = Decision(application=application, is_award=False, reasons=_said(reasons))
    with transaction.atomic():
        _decide(decision, "refuse", by=by, details={"because": "decision"})
    return decision


def _decide(decision: Decision, step: str, *, by: Person, details: dict[str, object]) -> None:
    """Write the verdict beside the guarded move, so that of two deciders one loses both."""
    decision.decided_by, decision.decided_at = by, timezone.now()
    APPLICATION.take(
        step, decision.application, by=by, details=details, decided_at=decision.decided_at
    )
    decision.save()


def _assess_plan(finding: Assessment, *, by: Person) -> Assessment:
    application = finding.application
    if not finding.is_positive and not finding.remarks:
        raise _unexplained("remarks")
    with transaction.atomic():
        _keep(finding)
        if finding.is_positive:
            APPLICATION.take("find_feasible", application, by=by)
        else:
            timing.require_open("technical", _held(application))
            journal.record("access.doubt", application, by=by)
    return finding


def _review(finding: Assessment, scores: Mapping[str, int]) -> Assessment:
    application = finding.application
    wanted = application.mode.rules.review.min_score
    if wanted is not None:
        finding.scores = _checked(scores, wanted)
        finding.is_positive = _is_enough(finding.scores, wanted)
    if not finding.remarks:
        raise _unexplained("remarks")
    with transaction.atomic():
        # The state may not move on while a review comes in.
        timing.require_open("review", _held(application))
        _keep(finding)
        # Reviews are blind: the name of the reviewer stays with the finding itself.
        journal.record("access.review", application, by=None)
    return finding


def _held(application: Application) -> Application:
    return Application.objects.select_for_update().get(pk=application.pk)


def _finding(
    application: Application, step: str, *, by: Person, is_positive: bool, remarks: str
) -> Assessment:
    finding = Assessment(
        application=application,
        step=step,
        by=by,
        is_positive=is_positive,
        remarks=text.prose(remarks),
    )
    text.check(finding, ["remarks"])
    return finding


def _keep(finding: Assessment) -> None:
    try:
        with transaction.atomic():
            finding.save()
    except IntegrityError as twice:
        raise _given_before() from twice
    # What was read before no longer tells all findings.
    getattr(finding.application, "_prefetched_objects_cache", {}).pop("assessments", None)


def _given_before() -> Refused:
    return Refused(
        _("You gave your finding on this application before. Each person gives one."),
        code="given_before",
    )


def _unexplained(field: str) -> Invalid:
    sentence = _("Say why, in words the applicant can use.")
    return Invalid(sentence, fields={field: sentence})


def _said(reasons: str) -> str:
    """Tidy reasons, and refuse to leave the applicant without any."""
    if not reasons.strip():
        raise _unexplained("reasons")
    kept = Decision(reasons=text.prose(reasons))
    text.check(kept, ["reasons"])
    return kept.reasons


def _require_size(application: Application, *, gpu_hours: int, months: int) -> None:
    fields = {}
    asked = application.gpu_hours_asked or 0
    if not 0 < gpu_hours <= asked:
        fields["gpu_hours"] = _(
            "Award at least 1 GPU-hour and at most the %(asked)s that were asked."
        ) % {"asked": words.number(asked)}
    durations = application.mode.rules.durations_months
    if months not in durations:
        fields["months"] = _(
            "This access mode lasts %(choices)s months. Choose one of these."
        ) % {"choices": ", ".join(str(n) for n in durations)}
    if fields:
        raise Invalid(_("This award does not fit the application."), fields=fields)


def _checked(scores: Mapping[str, int], wanted: Scores) -> dict[str, int]:
    lowest, highest = wanted.scale
    wrong = [
        criterion
        for criterion in wanted.criteria
        if not _is_score(scores.get(criterion.key), lowest, highest)
    ]
    if wrong:
        sentence = _("Give a whole number from %(lowest)d to %(highest)d.") % {
            "lowest": lowest,
            "highest": highest,
        }
        raise Invalid(
            _("Some scores are missing or out of range."),
            fields={criterion.key: sentence for criterion in wrong},
        )
    return {criterion.key: int(scores[criterion.key]) for criterion in wanted.criteria}


def _is_score(score: object, lowest: int, highest: int) -> bool:
    # True and False are numbers to Python, not to a reviewer.
    return isinstance(score, int) and not isinstance(score, bool) and lowest <= score <= highest


def _is_enough(scores: Mapping[str, int], wanted: Scores) -> bool:
    def reaches(criterion: Criterion) -> bool:
        return scores[criterion.key] >= criterion.min

    return all(map(reaches, wanted.criteria)) and sum(scores.values()) >= wanted.min_total
