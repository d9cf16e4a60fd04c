"""Who may see, fetch and build on a model: the consortium, and everybody what is open."""

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from fabriek.cases.models import Case
from fabriek.cases.states import CaseState
from fabriek.kernel.errors import NotAllowed
from fabriek.kernel.steps import NextStep
from fabriek.people.models import Person
from fabriek.registry.models import Model

# The recipe that starts from a model.
BUILDS_ON_A_MODEL = "finetune_lm"


def takes_part(person: Person, model: Model) -> bool:
    """Tell whether the model is of a case of this person's organisations."""
    if model.case_id is None:
        return False
    return Case.objects.taken_part_in_by(person).filter(pk=model.case_id).exists()


def may_see(person: Person, model: Model) -> bool:
    """Staff get no more than others: a model may repeat the data it learned from."""
    return model.revision.repository.is_open or takes_part(person, model)


may_download = may_see


def may_bring_in(person: Person) -> bool:
    return person.is_factory_staff


def require_see(person: Person, model: Model) -> None:
    if not may_see(person, model):
        raise NotAllowed(
            _(
                "Only people of the organisations in this case may use its model. Ask a lead "
                "of the case to invite your organisation as a partner."
            )
        )


def require_bring_in(person: Person) -> None:
    if not may_bring_in(person):
        raise NotAllowed(
            _("Only staff of the factory bring in open models. Ask them to do so.")
        )


def next_steps(person: Person, model: Model, *, part: bool | None = None) -> list[NextStep]:
    """Name what this person can do with the model now. `part`: takes_part, when known."""
    part = takes_part(person, model) if part is None else part
    is_open = model.revision.repository.is_open
    steps = [_download(model)] if part or is_open else []
    if part and model.case and model.case.state == CaseState.OPEN:
        steps.append(_build_on(model, case=model.case.code))
    elif is_open and person.organisation_ids:
        steps.insert(0, _build_on(model))
    return steps


def _download(model: Model) -> NextStep:
    return NextStep(
        name="download",
        label=_("Fetch the files"),
        sentence=_("This model is yours to use: fetch its files and load it."),
        url=f"{reverse('registry:detail', args=[model.code])}#files",
        method="get",
    )


def _build_on(model: Model, *, case: str = "") -> NextStep:
    asked = f"recipe={BUILDS_ON_A_MODEL}&model={model.code}"
    return NextStep(
        name="build_on",
        label=_("Train it further"),
        sentence=_("Use this model as the base of a new run, with data of your case."),
        url=f"{reverse('runs:new')}?{f'case={case}&' if case else ''}{asked}",
        method="get",
    )
