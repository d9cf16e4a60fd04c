"""Applications in every state, with what was answered, found and decided."""

from collections.abc import Iterator
from datetime import timedelta

from bench.world.people import People
from bench.world.size import Making, keep
from fabriek.access.definitions import FormRules, Question, QuestionKind
from fabriek.access.models import (
    Answers,
    Application,
    Assessment,
    Decision,
    Form,
    Mode,
    Submission,
)
from fabriek.access.states import UNDER_ASSESSMENT, ApplicationState
from fabriek.cases.models import Case
from fabriek.kernel.models import Entry

AWARDS_A_CASE = 3
GPU_HOURS = 5000
OTHERS = [state for state in ApplicationState if state != ApplicationState.ACCEPTED]
PROSE = "Wij trainen een model op eigen berichten en meten of het loket sneller antwoordt. " * 4
TYPED = {
    QuestionKind.TEXT: "Een korte zin als antwoord",
    QuestionKind.LONGTEXT: PROSE,
    QuestionKind.NUMBER: "3",
    QuestionKind.YESNO: "yes",
    QuestionKind.DATE: "2026-11-01",
}
# What was found before each state; a review only where the mode has one.
FOUND = {
    "eligible": 1, "feasible": 2, "reviewed": 3, "awarded": 3, "refused": 3, "accepted": 3,
    "declined": 3,
}  # fmt: skip
DECIDED = {"awarded", "refused", "accepted", "declined"}
ANSWERED_FOR = {"draft", "withdrawn"}


def make(making: Making, people: People, cases: list[Case]) -> list[Decision]:
    """Give each case three accepted awards, and one application in another state."""
    modes = list(Mode.objects.all())
    forms = {(form.code, form.version): form for form in Form.objects.all()}
    wanted = [(case, "accepted", turn) for case in cases for turn in range(AWARDS_A_CASE)]
    wanted += [(case, OTHERS[n % len(OTHERS)], AWARDS_A_CASE) for n, case in enumerate(cases)]
    applications = keep(
        Application,
        (
            _application(making, modes, forms, (number, *each))
            for number, each in enumerate(wanted, 1)
        ),
    )
    _fill(applications, {form.pk: _answers(form.rules) for form in forms.values()})
    keep(Assessment, (row for one in applications for row in _findings(one, people)))
    keep(Entry, (entry for one in applications for entry in _told(one, people)))
    decided = [one for one in applications if one.state in DECIDED]
    return keep(Decision, (_decision(one, people) for one in decided))


def _application(
    making: Making,
    modes: list[Mode],
    forms: dict[tuple[str, int], Form],
    wanted: tuple[int, Case, str, int],
) -> Application:
    number, case, state, turn = wanted
    mode = modes[(case.pk + turn) % len(modes)]
    named = mode.rules.form
    # The three awards of a case follow each other; what else it asks is of this week.
    at = max(case.proposed_at, making.now - timedelta(days=(500, 170, 80, 5)[turn]))
    is_submitted = state not in ANSWERED_FOR
    return Application(
        code=making.code("A", number),
        case=case,
        mode=mode,
        form=forms[named.code, named.version],
        state=state,
        gpu_hours_asked=GPU_HOURS if is_submitted else None,
        months=6 if is_submitted else None,
        created_by=case.created_by,
        created_at=at,
        submitted_at=at + timedelta(days=1) if is_submitted else None,
        due_at=at + timedelta(days=15) if state in UNDER_ASSESSMENT else None,
        decided_at=at + timedelta(days=10) if state in DECIDED else None,
    )


def _answers(form: FormRules) -> dict[str, dict[str, str]]:
    return {
        section.key: {question.key: _typed(question) for question in section.fields}
        for section in form.sections
    }


def _typed(question: Question) -> str:
    if question.kind == QuestionKind.CHOICE:
        return question.choices[0].code
    return TYPED[question.kind]


def _fill(
    applications: list[Application], answers: dict[int, dict[str, dict[str, str]]]
) -> None:
    keep(
        Answers,
        (
            Answers(application=one, section=section, values=values, saved_by=one.created_by)
            for one in applications
            for section, values in answers[one.form_id].items()
        ),
    )
    keep(
        Submission,
        (
            Submission(
                application=one,
                number=1,
                form_definition=one.form.definition,
                mode_definition=one.mode.definition,
                answers=answers[one.form_id],
                submitted_by=one.created_by,
                submitted_at=one.submitted_at,
            )
            for one in applications
            if one.submitted_at
        ),
    )


def _findings(application: Application, people: People) -> Iterator[Assessment]:
    found = FOUND.get(application.state, 0)
    if found:
        yield _finding(application, "eligibility", people.staff)
    if found > 1:
        yield _finding(application, "technical", people.assessors[0])
    if found > 2 and application.mode.rules.is_reviewed:
        for reviewer in people.assessors:
            yield _finding(application, "review", reviewer)


def _finding(application: Application, step: str, by) -> Assessment:
    wanted = application.mode.rules.review.min_score
    scores = {}
    if step == "review" and wanted:
        scores = {criterion.key: wanted.scale[1] for criterion in wanted.criteria}
    return Assessment(
        application=application,
        step=step,
        is_positive=True,
        remarks=PROSE,
        scores=scores,
        by=by,
    )


def _decision(application: Application, people: People) -> Decision:
    is_award = application.state != "refused"
    return Decision(
        application=application,
        is_award=is_award,
        gpu_hours=GPU_HOURS if is_award else 0,
        months=6 if is_award else 0,
        reasons=PROSE,
        decided_by=people.staff,
        decided_at=application.decided_at,
    )


def _told(application: Application, people: People) -> Iterator[Entry]:
    verbs = ["access.start"]
    if application.submitted_at:
        verbs += ["access.submit", "access.find_eligible", "access.find_feasible"]
    if application.state in DECIDED:
        verbs += ["access.award", "access.accept"]
    for verb in verbs[: 2 + FOUND.get(application.state, 0) * 2]:
        yield Entry(
            verb=verb,
            subject_kind="access.application",
            subject_id=application.pk,
            thread=application.case.code,
            by=application.created_by if verb == "access.start" else people.staff,
        )
