"""The API of access: parse, call one action, show. No decisions are taken here."""

from collections.abc import Callable

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from ninja import Router, Status

from fabriek.access import actions, advice, answers, queries, rules
from fabriek.access.api_shapes import (
    AdviceOut,
    AnswersIn,
    AnswersOut,
    ApplicationDetailOut,
    ApplicationOut,
    ModeOut,
    QuestionOut,
    StartIn,
    StepIn,
)
from fabriek.access.definitions import FormRules
from fabriek.access.models import Application, Mode
from fabriek.cases.models import Case
from fabriek.kernel.errors import Invalid
from fabriek.kernel.paging import PAGE_SIZE, Listing, paginate
from fabriek.kernel.steps import StepOut
from fabriek.people.http import SignedIn
from fabriek.people.models import Person

router = Router(tags=["access"])

# Steps that need nothing beside the application itself.
PLAIN: dict[str, Callable[..., Application]] = {
    "submit": actions.submit,
    "withdraw": actions.withdraw,
    "accept": actions.accept,
    "decline": actions.decline,
    "finish_review": actions.finish_review,
}


# --- doors -------------------------------------------------------------------------------
@router.get("/modes", response=list[ModeOut])
def list_modes(request: SignedIn) -> list[ModeOut]:  # noqa: ARG001  ninja passes it by name
    return [ModeOut.from_mode(mode) for mode in queries.open_modes()]


@router.get("/advice/{case}", response=list[AdviceOut])
def show_advice(request: SignedIn, case: str) -> list[AdviceOut]:
    return [
        AdviceOut(
            mode=each.mode.code,
            name=str(each.mode),
            fits=each.fits,
            reasons=[str(reason) for reason in each.reasons],
        )
        for each in advice.advise(_case(request, case))
    ]


@router.get("/", response=Listing[ApplicationOut])
def list_applications(
    request: SignedIn,
    page: int = 1,
    size: int = PAGE_SIZE,
    *,
    state: str = "",
    mode: str = "",
    q: str = "",
) -> Listing[ApplicationOut]:
    rows = queries.listing(request.user, q=q, state=state, mode=mode)
    found = paginate(queries.for_programs(rows, request.user), page, size)
    # Put into words once for all rows.
    said = {step: StepOut.of(step, words) for step, words in rules.STEPS.items()}
    return Listing[ApplicationOut].of(
        found, (_row(application, request.user, said) for application in found.items)
    )


@router.post("/", response={201: ApplicationDetailOut})
def start(request: SignedIn, given: StartIn) -> Status[Application]:
    mode = get_object_or_404(Mode, code=given.mode)
    made = actions.start(_case(request, given.case), mode=mode, by=request.user)
    return Status(201, _whole(request, made.code))


@router.get("/{code}", response=ApplicationDetailOut)
def show(request: SignedIn, code: str) -> Application:
    return _whole(request, code)


@router.get("/{code}/sections/{section}", response=AnswersOut)
def show_section(request: SignedIn, code: str, section: str) -> AnswersOut:
    return _section_out(_whole(request, code), section)


@router.put("/{code}/sections/{section}", response=AnswersOut)
def save_section(request: SignedIn, code: str, section: str, given: AnswersIn) -> AnswersOut:
    actions.save_section(
        _whole(request, code), section, given.values, version=given.version, by=request.user
    )
    return _section_out(_whole(request, code), section)


@router.post("/{code}/{step}", response=ApplicationDetailOut)
def take(request: SignedIn, code: str, step: str, given: StepIn | None = None) -> Application:
    """Take one of the application's next steps."""
    application = _whole(request, code)
    _take(application, step, given or StepIn(), by=request)
    return _whole(request, code)


def _row(application: Application, person: Person, said: dict[str, StepOut]) -> ApplicationOut:
    return ApplicationOut.model_construct(
        code=application.code,
        case=application.case.code,
        title=application.case.title,
        organisation=application.case.organisation.name,
        mode=application.mode.code,
        state=application.state,
        state_label=application.get_state_display(),
        gpu_hours_asked=application.gpu_hours_asked,
        months=application.months,
        submitted_at=application.submitted_at,
        due_at=application.due_at,
        clock=ApplicationOut.resolve_clock(application),
        next_steps=[said[step] for step in rules.open_steps(person, application)],
    )


def _verdict(given: StepIn) -> bool:
    """Nobody judges by leaving something out."""
    if given.is_positive is None:
        said = _("Say whether your finding is positive: true or false.")
        raise Invalid(said, fields={"is_positive": said})
    return given.is_positive


def _take(application: Application, step: str, given: StepIn, *, by: SignedIn) -> None:
    person = by.user
    match step:
        case "send_back" | "find_ineligible" | "refuse":
            REASONED[step](application, by=person, reasons=given.reasons)
        case "find_eligible":
            actions.find_eligible(application, by=person, remarks=given.remarks)
        case "technical" | "review":
            actions.assess(
                application,
                step=step,
                by=person,
                is_positive=_verdict(given),
                remarks=given.remarks,
                scores=given.scores,
            )
        case "award":
            actions.award(
                application,
                by=person,
                gpu_hours=given.gpu_hours,
                months=given.months,
                reasons=given.reasons,
            )
        case _ if step in PLAIN:
            PLAIN[step](application, by=person)
        case _:
            raise _unknown(step)


REASONED: dict[str, Callable[..., object]] = {
    "send_back": actions.send_back,
    "find_ineligible": actions.find_ineligible,
    "refuse": actions.refuse,
}


def _unknown(step: str) -> Invalid:
    known = ", ".join(sorted(set(rules.WHO) - {"edit"}))
    return Invalid(
        _("There is no step “%(step)s”. The steps are: %(known)s.")
        % {"step": step, "known": known}
    )


def _case(request: SignedIn, code: str) -> Case:
    cases = Case.objects.visible_to(request.user).select_related("organisation")
    return get_object_or_404(cases, code=code)


def _whole(request: SignedIn, code: str) -> Application:
    rows: QuerySet[Application] = Application.objects.visible_to(request.user)
    rows = queries.whole(rows).prefetch_related("answers")
    return get_object_or_404(rows, code=code)


def _section_out(application: Application, section: str) -> AnswersOut:
    form: FormRules = application.form.rules
    written = form.section(section)
    if written is None:
        raise Invalid(_("This application has no such section. See its list of sections."))
    kept = next((row for row in application.answers.all() if row.section == section), None)
    typed = kept.values if kept else {}
    mode = application.mode.rules
    return AnswersOut(
        section=section,
        values=typed,
        version=kept.version if kept else 0,
        saved_at=kept.saved_at if kept else None,
        questions=[
            QuestionOut(
                key=question.key,
                kind=question.kind,
                label=str(question.label),
                unit=answers.unit(question, mode),
                required=question.required,
                choices=[choice.code for choice in question.choices],
                problem=answers.problem(question, typed, mode),
            )
            for question in written.fields
        ],
    )
