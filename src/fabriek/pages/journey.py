"""Where a case stands on its way, and what its people do next; reads all stages."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import date
from functools import cache
from typing import Any, Literal

from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from fabriek.access.models import Application
from fabriek.access.states import UNDER_ASSESSMENT, ApplicationState
from fabriek.allocations.models import Allocation
from fabriek.cases.models import Case, CaseQuerySet, Intake
from fabriek.cases.rules import takes_part
from fabriek.cases.states import CaseState
from fabriek.datasets.models import Dataset
from fabriek.kernel import words
from fabriek.kernel.errors import Text
from fabriek.kernel.steps import NextStep
from fabriek.people.models import Person
from fabriek.registry.models import Model
from fabriek.runs.models import Run
from fabriek.runs.states import UNFINISHED
from fabriek_recipes.try_model.knobs import RECIPE as TRY_MODEL

Status = Literal["done", "current", "todo"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """What one query tells about all stages of a case: the newest of each; None: no such."""

    has_intake: bool
    application: str | None
    application_state: str | None
    account: str | None
    opens_on: date | None  # the first day on which any of its GPU-hours can be used
    has_data: bool
    run: str | None
    run_state: str | None
    model: str | None


# Steps that only look: nothing stands still until they are taken.
PATIENT = frozenset({"follow", "wait", "read", "look", "model"})
COLUMNS = [field.name for field in fields(Standing)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Station:
    label: Text
    url: str
    status: Status
    note: Text = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """A case on its way. `part`: the person who looks belongs to the consortium."""

    standing: Standing
    part: bool


def way(case: Case, person: Person) -> Way:
    found = with_standing().values(*COLUMNS).get(pk=case.pk)
    return Way(standing=Standing(**found), part=takes_part(person, case))


def way_of_own(case: Case) -> Way:
    """Tell the way of a case that came `with_standing`, for who takes part in it."""
    found = {name: getattr(case, name) for name in COLUMNS}
    return Way(standing=Standing(**found), part=True)


def with_standing() -> CaseQuerySet:
    """Bring along where each case stands, for `way_of_own`; ask for a few cases only."""
    # A copy: whoever reads it must not leave rows behind in the one that is kept.
    return _with_standing().all()


# Kept, because Django takes far longer to put this query together than to send it.
@cache
def _with_standing() -> CaseQuerySet:
    applications = _newest(
        Application.objects.exclude(state=ApplicationState.WITHDRAWN), "created_at"
    )
    allocations = _newest(Allocation.objects.all(), "opened_at")
    # Who tries a model works on nothing that the case waits for.
    runs = _newest(Run.objects.exclude(recipe=TRY_MODEL.name), "asked_at")
    models = _newest(Model.objects.all(), "registered_at")
    return Case.objects.annotate(
        has_intake=Exists(Intake.objects.filter(case=OuterRef("pk"))),
        application=Subquery(applications.values("code")[:1]),
        application_state=Subquery(applications.values("state")[:1]),
        account=Subquery(allocations.values("account")[:1]),
        opens_on=Subquery(allocations.order_by("starts_on").values("starts_on")[:1]),
        has_data=Exists(Dataset.objects.filter(case=OuterRef("pk"))),
        run=Subquery(runs.values("code")[:1]),
        run_state=Subquery(runs.values("state")[:1]),
        model=Subquery(models.values("code")[:1]),
    )


def stations(case: Case, way: Way, *, current: str) -> list[Station]:
    """Draw the line of stations.

    For who is not of the consortium its data and models do not exist: no links to them.
    """
    found, part = way.standing, way.part
    lines: tuple[tuple[str, Text, str, bool, Text], ...] = (
        ("case", _("Case"), case.get_absolute_url(), case.state != CaseState.DRAFT, ""),
        ("access", _("Access"), _access_url(case, found), bool(found.account), ""),
        ("gpu", _("GPU-hours"), _allocation_url(found), bool(found.account), ""),
        (
            "data",
            _("Data"),
            _data_url(case, found) if part else "",
            found.has_data,
            "",
        ),
        ("runs", _("Runs"), _runs_url(case, found), bool(found.run), ""),
        ("model", _("Model"), _model_url(found) if part else "", bool(found.model), ""),
    )
    return [
        Station(label=label, url=url, status=_status(key, current, is_done), note=note)
        for key, label, url, is_done, note in lines
    ]


def next_steps(case: Case, way: Way, person: Person) -> list[NextStep]:
    """Say what somebody of the consortium does next with an open case; at most one step."""
    if not way.part or case.state != CaseState.OPEN:
        return []
    return list(_steps(case, way.standing, person))[:1]


def _steps(case: Case, found: Standing, person: Person) -> Iterator[NextStep]:
    ours = person.belongs_to(case.organisation_id)
    if ours and not found.application:
        yield from _towards_application(case, found)
    if found.application:
        yield from _through_assessment(found)
    if found.account:
        yield from _with_gpu_hours(case, found)


def _towards_application(case: Case, found: Standing) -> Iterator[NextStep]:
    if not found.has_intake:
        yield _go(
            "intake",
            _("Get advice"),
            _("Answer five short questions, and we advise which access fits."),
            reverse("cases:intake", args=[case.code]),
        )
    yield _go(
        "apply",
        _("See our advice"),
        _("We have advice for you: choose your access and start the application."),
        reverse("access:advice", args=[case.code]),
    )


def _through_assessment(found: Standing) -> Iterator[NextStep]:
    url = reverse("access:detail", args=[found.application])
    match found.application_state:
        case ApplicationState.DRAFT:
            yield _go("continue", _("Go on with the application"),
                      _("Your application is not handed in yet."), url)  # fmt: skip
        case ApplicationState.AWARDED:
            yield _go("answer", _("Look at the award"),
                      _("You were awarded GPU-hours. Accept them to begin."), url)  # fmt: skip
        case state if state in UNDER_ASSESSMENT:
            yield _go("follow", _("Follow the application"),
                      _("The factory is looking at your application."), url)  # fmt: skip
        case ApplicationState.ACCEPTED if not found.account:
            yield _go("wait", _("Look at the application"),
                      _("The factory opens your GPU-hours now."), url)  # fmt: skip
        case ApplicationState.REFUSED | ApplicationState.DECLINED if not found.account:
            yield _go("read", _("Read the decision"),
                      _("This application has ended. You can apply again."), url)  # fmt: skip


def _with_gpu_hours(case: Case, found: Standing) -> Iterator[NextStep]:
    query = f"?case={case.code}"
    if found.opens_on and found.opens_on > timezone.localdate():
        yield _before_the_first_day(found, found.opens_on, reverse("datasets:new") + query)
    if not found.has_data:
        yield _go("data", _("Add data"), _("Your GPU-hours are open. Add the data."),
                  reverse("datasets:new") + query)  # fmt: skip
    if not found.run:
        yield _go("run", _("Choose a recipe"), _("Your data is here. Start the first run."),
                  reverse("runs:new") + query)  # fmt: skip
    if found.run_state in UNFINISHED:
        yield _go("look", _("Follow the run"), _("A run is on its way."),
                  reverse("runs:detail", args=[found.run]))  # fmt: skip
    if found.model:
        yield _go("model", _("Look at the model"), _("Your newest model is ready."),
                  reverse("registry:detail", args=[found.model]))  # fmt: skip
    if found.run:
        yield _go("look", _("Look at the run"), _("The last run has ended."),
                  reverse("runs:detail", args=[found.run]))  # fmt: skip


def _before_the_first_day(found: Standing, first: date, data_url: str) -> NextStep:
    said = {"day": words.day(first)}
    if not found.has_data:
        sentence = _("Your GPU-hours can be used from %(day)s on. Add the data before.") % said
        return _go("data", _("Add data"), sentence, data_url)
    sentence = _("Your GPU-hours can be used from %(day)s on. Your data is here.") % said
    return _go("wait", _("Look at the GPU-hours"), sentence, _allocation_url(found))


def _go(name: str, label: Text, sentence: Text, url: str) -> NextStep:
    return NextStep(name=name, label=label, sentence=sentence, url=url, method="get")


def _status(key: str, current: str, is_done: bool) -> Status:
    if key == current:
        return "current"
    return "done" if is_done else "todo"


def _access_url(case: Case, found: Standing) -> str:
    if found.application:
        return reverse("access:detail", args=[found.application])
    return reverse("access:advice", args=[case.code]) if case.state == CaseState.OPEN else ""


def _allocation_url(found: Standing) -> str:
    return reverse("allocations:detail", args=[found.account]) if found.account else ""


def _data_url(case: Case, found: Standing) -> str:
    if found.has_data:
        return f"{reverse('datasets:list')}?q={case.code}"
    return f"{reverse('datasets:new')}?case={case.code}" if case.state == CaseState.OPEN else ""


def _runs_url(case: Case, found: Standing) -> str:
    return f"{reverse('runs:list')}?q={case.code}" if found.run else ""


def _model_url(found: Standing) -> str:
    return reverse("registry:detail", args=[found.model]) if found.model else ""


def _newest(rows: "QuerySet[Any]", column: str) -> "QuerySet[Any]":
    return rows.filter(case=OuterRef("pk")).order_by(f"-{column}")
