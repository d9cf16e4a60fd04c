"""Who may see, fetch and build on a model: the consortium, and everybody what is open.

What was made of data under an agreement goes out only if that lets it: also to its makers.
"""

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from fabriek.agreements import policy
from fabriek.agreements.policy import Moment
from fabriek.cases.models import Case
from fabriek.cases.states import CaseState
from fabriek.kernel.errors import NotAllowed
from fabriek.kernel.steps import NextStep
from fabriek.people.models import Person
from fabriek.registry.models import Model
from fabriek_recipes.recipe import catalogue

# The recipe that starts from a model.
BUILDS_ON_A_MODEL = "finetune_lm"
LANGUAGE = "text-generation"


def takes_part(person: Person, model: Model) -> bool:
    """Tell whether the model is of a case of this person's organisations."""
    if model.case_id is None:
        return False
    return Case.objects.taken_part_in_by(person).filter(pk=model.case_id).exists()


def tells_figures(person: Person, model: Model) -> bool:
    """Tell whether this person may read how it was made and how good it is.

    As of the run that made it: what came of data for some of a case is for these.
    """
    return model.run is None or model.run.is_meant_for(person) or model.repository.is_open


def release(person: Person, model: Model) -> policy.Decision:
    """Say whether this person may take the files along, and why, for a page."""
    return policy.would(_wish(Moment.RELEASE, person, model))


def may_download(person: Person, model: Model) -> bool:
    return release(person, model).allowed


def require_download(person: Person, model: Model, *, revision: int | None = None) -> None:
    """Let somebody take files along. Raises: NotAllowed, with the reason in words."""
    policy.require(_wish(Moment.RELEASE, person, model, revision=revision))


def may_know_files(person: Person, model: Model, *, part: bool) -> bool:
    """Tell whether this person sees which files there are: its makers do in any case."""
    return part or may_download(person, model)


def _wish(
    moment: Moment, person: Person, model: Model, *, revision: int | None = None
) -> policy.Wish:
    repository = model.repository
    if repository.case_id == model.case_id:
        repository.case = model.case  # which was read with it
    return policy.Wish(moment=moment, repository=repository, person=person, revision=revision)


def may_bring_in(person: Person) -> bool:
    return person.is_factory_staff


def require_bring_in(person: Person) -> None:
    if not may_bring_in(person):
        raise NotAllowed(
            _("Only staff of the factory bring in open models. Ask them to do so.")
        )


def next_steps(
    person: Person, model: Model, *, part: bool | None = None, goes_out: bool | None = None
) -> list[NextStep]:
    """Name what this person can do with the model now.

    `part`: takes_part, and `goes_out`: may_download, when known.
    """
    part = takes_part(person, model) if part is None else part
    goes_out = may_download(person, model) if goes_out is None else goes_out
    is_open = model.repository.is_open
    steps = [_download(model)] if goes_out else []
    is_asked = is_language_model(model)
    if part and model.case and model.case.state == CaseState.OPEN:
        steps.append(_build_on(model, case=model.case.code))
        return [_try_it(model), *steps] if is_asked else steps
    if is_open and person.organisation_ids:
        steps.insert(0, _build_on(model))
        return [_try_it(model), *steps] if is_asked else steps
    return steps


def is_language_model(model: Model) -> bool:
    """Whether it can be asked something; what came from elsewhere counts as one."""
    recipe = catalogue().get(model.run.recipe) if model.run else None
    return model.run is None or (recipe is not None and LANGUAGE in recipe.pipeline_tags)


def _try_it(model: Model) -> NextStep:
    return NextStep(
        name="try",
        label=_("Try it"),
        sentence=_("Ask this model something, and see what it says."),
        url=f"{reverse('trying:new')}?model={model.code}",
        method="get",
    )


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
