"""Questions about models: which runs wait to be registered, what a model was made from."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet

from fabriek.agreements import policy
from fabriek.cases.models import Case, cases_of
from fabriek.kernel import text
from fabriek.people.models import Person
from fabriek.registry.models import Model, Rejection
from fabriek.runs import inputs
from fabriek.runs.models import Run, RunInput
from fabriek.runs.states import RunState
from fabriek_recipes.recipe import catalogue

# What a page shows of each in a list; cards and facts stay in the database.
SHOWN = (
    "code",
    "title",
    "licence",
    "scores",
    "registered_at",
    "case__code",
    "case__title",
    "revision__size_bytes",
    "repository__is_open",
    "repository__organisation__name",
    "run__meant_for",
)
# What the page of one model shows: all of the model, and what its origin tells.
MODEL = tuple(field.name for field in Model._meta.concrete_fields)
ORIGIN = (
    "case__code",
    "case__title",
    "case__is_confidential",
    "case__state",
    "case__organisation__name",
    "revision__number",
    "revision__size_bytes",
    "revision__file_count",
    "revision__dropped_at",
    "repository__code",
    "repository__is_open",
    "repository__case",
    "repository__listed_for",
    "repository__organisation__name",
    "run__code",
    "run__recipe",
    "run__state",
    "run__knobs",
    "run__gpu_seconds_used",
    "run__continues",
    "run__gpus",
    "run__measured",
    "run__allocation__account",
    "run__allocation__gpu_seconds_granted",
    "run__allocation__decision__application__code",
    "base__code",
    "base__title",
    "base__case",
    "base__repository__is_open",
    "run__meant_for",
)
INPUT = (
    "run",
    "revision__number",
    "revision__size_bytes",
    "revision__digest",
    "revision__repository__case",
    "revision__repository__code",
    "revision__repository__is_open",
    "revision__repository__kind",
    "revision__repository__title",
    "revision__repository__dataset__code",
    "revision__repository__dataset__has_personal_data",
    "revision__repository__dataset__licence",
    "revision__repository__model__code",
    "revision__repository__model__title",
)


def awaiting_registration() -> QuerySet[Run]:
    """Find runs that made a model which is not in the registry yet, oldest first."""
    makers = [recipe.name for recipe in catalogue().values() if recipe.makes_model]
    return with_inputs(
        Run.objects.filter(
            state=RunState.SUCCEEDED,
            recipe__in=makers,
            outputs_taken_at=None,
        )
    ).order_by("ended_at")


def shown(person: Person) -> QuerySet[Model]:
    """Models this person may see, each with `is_ours`: it is of a case of theirs."""
    return with_origin(Model.objects.visible_to(person), person)


def with_origin(models: QuerySet[Model], person: Person) -> QuerySet[Model]:
    """Bring along the run, what paid for it, and the case."""
    return models.select_related(
        "case__organisation",
        "revision",
        "repository__organisation",
        "run__allocation__decision__application",
        "base__repository",
    ).annotate(is_ours=_is_ours(person))


def _is_ours(person: Person) -> Exists:
    """Tell whether it is of a case of theirs: of other cases not even the title is told."""
    return Exists(Case.objects.taken_part_in_by(person).filter(pk=OuterRef("case")))


def told(models: QuerySet[Model]) -> QuerySet[Model]:
    """Bring along no more than what a page tells of a model and of its origin."""
    return models.only(*MODEL, *ORIGIN)


def listing(person: Person, words: str = "") -> QuerySet[Model]:
    """Find by code, title, licence or one's own case; newest first. Each has `is_ours`."""
    rows = Model.objects.visible_to(person).only(*SHOWN)
    rows = rows.select_related("case", "revision", "repository__organisation", "run")
    rows = rows.annotate(is_ours=_is_ours(person))
    for word in _words(words):
        rows = rows.filter(
            Q(code__iexact=word)
            | Q(title__icontains=word)
            | Q(licence__icontains=word)
            | Q(case__code__iexact=word, is_ours=True)
            | Q(case__title__icontains=word, is_ours=True)
        )
    return rows.order_by("-registered_at", "-pk")


def rejections(person: Person, words: str = "") -> QuerySet[Rejection]:
    """Find runs of one's cases that left no model, and why; newest first."""
    ours = cases_of(person)
    rows = (
        Rejection.objects.filter(run__case__in=ours)
        .select_related("run__case")
        .only("code", "name", "reason", "at", "run__code", "run__case__title")
    )
    for word in _words(words):
        rows = rows.filter(
            Q(run__code__iexact=word)
            | Q(run__case__code__iexact=word)
            | Q(run__case__title__icontains=word)
        )
    return rows.order_by("-at", "-pk")


def _words(words: str) -> list[str]:
    return text.sought(words).split()[:5]


def inputs_of(runs: list[int]) -> dict[int, list[RunInput]]:
    """Give what these runs worked on, by the key of the run: one query for all."""
    rows = RunInput.objects.filter(run__in=runs).order_by("name")
    found: dict[int, list[RunInput]] = {run: [] for run in runs}
    rows = rows.select_related("revision__repository__dataset", "revision__repository__model")
    for row in rows.only(*INPUT):
        found[row.run_id].append(row)
    return found


def with_inputs(runs: QuerySet[Run]) -> QuerySet[Run]:
    """Bring along what a card and an origin tell of a run."""
    rows = RunInput.objects.select_related(
        "revision__repository__dataset",
        "revision__repository__case",
        "revision__repository__model",
    ).order_by("name")
    return runs.select_related(
        "case__organisation", "case__sector", "allocation"
    ).prefetch_related(Prefetch("inputs", queryset=rows))


def base_told(model: Model, person: Person) -> Model | None:
    """Give the base of one of `shown` to who may see it: it may be lent to some only."""
    base = model.base
    if base is None or (model.is_ours and base.case_id == model.case_id):  # type: ignore[attr-defined]
        return base
    return base if inputs.seen_among([base.repository], person) else None


def bases_told(rows: Iterable[Mapping[str, Any]], person: Person) -> set[str]:
    """Name the bases in a list of plain values that this person may see: one query at most."""
    bases = {
        row["base__repository"]: (row["base__code"], row["base__repository__is_open"])
        for row in rows
        if row["base__code"]
    }
    closed = [key for key, (_code, is_open) in bases.items() if not is_open]
    seen: set[int] = set()
    if closed:
        asked = policy.visible_to(person).filter(pk__in=closed)
        seen = set(asked.values_list("pk", flat=True))
    return {code for key, (code, is_open) in bases.items() if is_open or key in seen}


def base_of(run: Run) -> Model | None:
    """Find the model that `run` started from, if it did not start from nothing.

    A model may also be there for its tokenizer alone.
    """
    recipe = catalogue().get(run.recipe)
    if recipe and recipe.starts_from_base and not recipe.starts_from_base(run.knobs):
        return None
    for item in run.inputs.all():
        model: Model | None = getattr(item.revision.repository, "model", None)
        if model is not None:
            return model
    return None
