"""Questions about sessions in which a model is tried."""

from datetime import datetime, timedelta

from django.db.models import QuerySet

from fabriek.agreements import policy
from fabriek.allocations.models import Allocation
from fabriek.cases.models import Case
from fabriek.people.models import Person
from fabriek.registry import queries as registry
from fabriek.registry.models import Model
from fabriek.runs import queries as runs
from fabriek.runs.models import Run, RunInput
from fabriek.runs.states import UNFINISHED
from fabriek.store.models import Repository, Revision
from fabriek_recipes.try_model.knobs import RECIPE

# Cases that could pay for an open model: enough to choose from.
CASES_MAX = 20


def mine(person: Person) -> QuerySet[Run]:
    """Give the sessions that this person began, in cases that they still take part in.

    Nobody else's: of those of colleagues it cannot even be told whether they are there.
    """
    rows = Run.objects.visible_to(person).filter(recipe=RECIPE.name, asked_by=person)
    return rows.select_related("case__organisation", "allocation", "asked_by", "continues")


def unfinished(person: Person) -> QuerySet[Run]:
    return mine(person).filter(state__in=UNFINISHED, cancel_asked_at=None).order_by("-pk")


def of_model(runs: QuerySet[Run], model: Model) -> QuerySet[Run]:
    return runs.filter(inputs__name="model", inputs__revision=model.revision_id)


def at_work() -> QuerySet[Run]:
    """Give all sessions that may still answer, with who began each."""
    rows = Run.objects.filter(recipe=RECIPE.name, state__in=UNFINISHED, cancel_asked_at=None)
    return rows.select_related("case", "asked_by", "continues")


def to_forget() -> QuerySet[Run]:
    """Give the sessions that are over and of which words may still lie there."""
    over = Run.objects.filter(recipe=RECIPE.name, outputs_taken_at=None)
    return over.exclude(state__in=UNFINISHED).select_related("case").order_by("pk")


def tried(run: Run, person: Person) -> Model | None:
    """Find the model of a session, for who may see it."""
    rows = registry.told(registry.shown(person))
    inputs = RunInput.objects.filter(run=run, name="model").values("revision__repository")
    return rows.filter(repository__in=inputs).first()


def base_of(model: Model) -> Revision | None:
    """Give what a model was made from, as it was then; nothing where it began from nothing."""
    rows = Revision.objects.select_related("repository__case")
    if model.run_id:
        kind = Repository.Kind.MODEL
        used = RunInput.objects.filter(
            run=model.run_id, name="model", revision__repository__kind=kind
        )
        return rows.filter(pk__in=used.values("revision")).first()
    return rows.filter(pk=model.base.revision_id).first() if model.base else None


def allocations_for(model: Model, person: Person) -> list[Allocation]:
    """Give the GPU-hours with which this person could try the model, its own case's first."""
    ours = runs.cases_to_run_for(person)
    own = list(ours.filter(pk=model.case_id)) if model.case_id else []
    others = [one for one in ours[:CASES_MAX] if one not in own]
    cases = [one for one in (*own, *others) if _may_use(model, one, person)]
    return [paid for case in cases for paid in runs.allocations_of(case)]


def sides(run: Run) -> set[str]:
    """Name what lies in a session: `model`, and `base` where there is one beside it."""
    return set(RunInput.objects.filter(run=run).values_list("name", flat=True))


def stops_at(run: Run) -> datetime | None:
    return run.started_at + timedelta(seconds=run.timeout_s) if run.started_at else None


def _may_use(model: Model, case: Case, person: Person) -> bool:
    if model.repository.is_open or model.case_id == case.pk:
        return True
    usable = policy.usable_by(case, asked_by=person)
    return usable.filter(pk=model.repository_id).exists()
