"""Pages of applications: parse, call one action, show."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from fabriek.access import actions, advice, answers, promises, queries, reading, rules, timing
from fabriek.access.definitions import Words
from fabriek.access.forms import FORMS, StepForm
from fabriek.access.models import Application, Mode
from fabriek.access.states import ApplicationState
from fabriek.cases.models import Case
from fabriek.kernel.errors import Text
from fabriek.kernel.paging import paginate
from fabriek.kernel.steps import NextStep
from fabriek.people.http import SignedIn

PRESSED: dict[str, Callable[..., object]] = {
    "accept": actions.accept,
    "finish_review": actions.finish_review,
}
CONFIRMED: dict[str, Callable[..., object]] = {
    "withdraw": actions.withdraw,
    "decline": actions.decline,
}
FILLED: dict[str, Callable[..., object]] = {
    "send_back": actions.send_back,
    "find_eligible": actions.find_eligible,
    "find_ineligible": actions.find_ineligible,
    "award": actions.award,
    "refuse": actions.refuse,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenForm:
    """A form on the page of an application, for a step that is open to this person."""

    form: StepForm
    url: str
    label: Text
    sentence: Text
    is_danger: bool
    checklist: tuple[Words, ...]


@login_required
def list_(request: SignedIn) -> HttpResponse:
    asked = {name: request.GET.get(name, "") for name in ("q", "state", "mode", "sort")}
    rows = queries.for_pages(queries.listing(request.user, **asked))
    page = paginate(rows, request.GET.get("page", 1))
    modes = {mode.pk: mode for mode in queries.modes()}
    now = timezone.now()
    context = asked | {
        "page": page,
        "rows": [(row, modes[row.mode_id], queries.clock(row, now)) for row in page.items],
        "states": ApplicationState.choices,
        "modes": modes.values(),
        "is_filtered": any(asked[name] for name in ("q", "state", "mode")),
    }
    return render(request, "access/list.html", context)


@login_required
def new(request: SignedIn) -> HttpResponse:
    """Show the modes; on POST start an application for a case through one of them."""
    if request.method == "POST":
        cases = Case.objects.visible_to(request.user).select_related("organisation")
        case = get_object_or_404(cases, code=request.POST.get("case", ""))
        mode = get_object_or_404(Mode, code=request.POST.get("mode", ""))
        return redirect(actions.start(case, mode=mode, by=request.user))
    context = {
        "modes": [(mode, promises.in_words(mode.rules)) for mode in queries.open_modes()],
        "cases": list(queries.startable_cases(request.user)),
        "chosen": request.GET.get("case", ""),
    }
    return render(request, "access/modes.html", context)


@login_required
def show_advice(request: SignedIn, code: str) -> HttpResponse:
    cases = Case.objects.visible_to(request.user).select_related("organisation")
    case = get_object_or_404(cases, code=code)
    given = advice.advise(case)
    context = {
        "case": case,
        "fitting": [each for each in given if each.fits],
        "others": [each for each in given if not each.fits],
        "may_start": rules.may_start(request.user, case) and case.state == "open",
    }
    return render(request, "access/advice.html", context)


@login_required
def detail(request: SignedIn, code: str) -> HttpResponse:
    return _show(request, whole_application(request, code))


@login_required
def submit(request: SignedIn, code: str) -> HttpResponse:
    """Show all answers and conditions once more; on POST hand the application in."""
    application = whole_application(request, code)
    rules.require("submit", request.user, application)
    timing.require_open("submit", application)
    typed = reading.typed_in(application.answers.all())
    found = answers.problems(application.form.rules, typed, application.mode.rules)
    if request.method == "POST" and not found:
        actions.submit(application, by=request.user)
        messages.success(request, _("Your application is submitted."))
        return redirect(application)
    context = {
        "application": application,
        "case": application.case,
        "problems": found,
        "sections": reading.read_out(application, typed),
        "checks": reading.eligibility(application, typed),
        "promise": promises.in_words(application.mode.rules),
    }
    status = 422 if request.method == "POST" else 200
    return render(request, "access/submit.html", context, status=status)


@login_required
def step(request: SignedIn, code: str, step: str) -> HttpResponse:
    """Take one step. What must be filled in or confirmed is asked first."""
    if step not in PRESSED | CONFIRMED | FORMS:
        raise Http404
    application = whole_application(request, code)
    rules.require(step, request.user, application)
    timing.require_open(step, application)
    if step in FORMS:
        return _fill_in(request, application, step)
    if request.method == "POST":
        (PRESSED | CONFIRMED)[step](application, by=request.user)
        return redirect(application)
    if step in PRESSED:
        return HttpResponseNotAllowed(["POST"])
    context = {"application": application, "case": application.case, "step": step}
    return render(request, "access/confirm.html", context)


def whole_application(request: SignedIn, code: str) -> Application:
    rows = queries.whole(Application.objects.visible_to(request.user))
    return get_object_or_404(rows, code=code)


def _fill_in(request: SignedIn, application: Application, step: str) -> HttpResponse:
    form = FORMS[step](application, request.POST or None)
    if request.method != "POST":
        return redirect(application)
    if not form.is_valid():
        return _show(request, application, form, status=422)
    if step in FILLED:
        FILLED[step](application, by=request.user, **form.cleaned_data)
    else:
        _assess(application, form, by=request)
    messages.success(request, _("Done. The applicant sees it on this page."))
    return redirect(application)


def _assess(application: Application, form: StepForm, *, by: SignedIn) -> None:
    given = dict(form.cleaned_data)
    remarks = given.pop("remarks")
    if form.step == "review":
        actions.assess(application, step="review", by=by.user, remarks=remarks, scores=given)
        return
    actions.assess(
        application,
        step="technical",
        by=by.user,
        remarks=remarks,
        is_positive=given["is_positive"],
    )


def _show(
    request: SignedIn,
    application: Application,
    wrong: StepForm | None = None,
    status: int = 200,
) -> HttpResponse:
    person, kept = request.user, list(application.answers.all())
    typed = reading.typed_in(kept)
    is_writing = timing.is_open("edit", application) and rules.may("edit", person, application)
    steps = rules.next_steps(person, application)
    progress = reading.progress(application, kept) if is_writing else []
    context = {
        "application": application,
        "case": application.case,
        "next_steps": _towards_the_end(steps, progress) if is_writing else steps,
        "progress": progress,
        "is_writing": is_writing,
        "sections": [] if is_writing else reading.read_out(application, typed),
        "checks": reading.eligibility(application, typed) if _is_checked(application) else [],
        "clock": queries.clock(application, timezone.now()),
        "decision": getattr(application, "decision", None),
        "findings": reading.findings_for(person, application),
        "outcome": _outcome(request, application),
        "forms": _forms(application, [s.name for s in steps], wrong),
        "timeline": reading.timeline(application),
    }
    return render(request, "access/detail.html", context, status=status)


def _is_checked(application: Application) -> bool:
    return application.state == ApplicationState.SUBMITTED


def _outcome(request: SignedIn, application: Application) -> object:
    if not rules.may_see_findings(request.user, application):
        return None
    return timing.outcome_of(application)


def _forms(
    application: Application, steps: list[str], wrong: StepForm | None
) -> list[OpenForm]:
    """Make the form of each step that is open to this person, the wrong one as it was typed."""
    checklists = {
        "find_eligible": "administrative_check",
        "technical": "technical_assessment",
        "review": "expert_review",
        "award": "decision",
    }
    return [
        OpenForm(
            form=wrong
            if wrong is not None and wrong.step == name
            else FORMS[name](application),
            url=reverse("access:step", args=[application.code, name]),
            label=rules.STEPS[name][0],
            sentence=rules.STEPS[name][1],
            is_danger=name in rules.DANGER,
            checklist=application.mode.rules.step(checklists.get(name, "")).checklist,
        )
        for name in steps
        if name in FORMS
    ]


def _towards_the_end(steps: list[NextStep], progress: list[reading.Progress]) -> list[NextStep]:
    """Lead a writer to the first section that is not done, and to submitting after the last."""
    unfinished = next((part for part in progress if not part.is_done), None)
    if unfinished is None:
        return [each for each in steps if each.name != "edit"]
    return [
        replace(each, url=unfinished.url) if each.name == "edit" else each for each in steps
    ]
