"""Questions about models: which runs wait to be registered, what a model was made from."""

from django.db.models import Prefetch, QuerySet

from fabriek.registry.models import Model
from fabriek.runs.models import Run, RunInput
from fabriek.runs.states import RunState
from fabriek_recipes.recipe import catalogue


def awaiting_registration() -> QuerySet[Run]:
    """Runs that made a model which is not in the registry yet, oldest first."""
    makers = [recipe.name for recipe in catalogue().values() if recipe.makes_model]
    return with_inputs(
        Run.objects.filter(
            state=RunState.SUCCEEDED,
            recipe__in=makers,
            model__isnull=True,
            rejection__isnull=True,
        )
    ).order_by("ended_at")


def with_inputs(runs: QuerySet[Run]) -> QuerySet[Run]:
    """Bring along what a card and an origin tell of a run."""
    inputs = RunInput.objects.select_related(
        "revision__repository__dataset", "revision__repository__case", "revision__model"
    ).order_by("name")
    return runs.select_related("case__organisation", "case__sector", "allocation").prefetch_related(
        Prefetch("inputs", queryset=inputs)
    )


def base_of(run: Run) -> Model | None:
    """The model that `run` started from, if it did not start from nothing."""
    for item in run.inputs.all():
        model: Model | None = getattr(item.revision, "model", None)
        if model is not None:
            return model
    return None
