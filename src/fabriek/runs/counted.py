"""What counting rows gave, kept: numbers and places, for the price and for the next look."""

from collections.abc import Mapping
from dataclasses import replace

from django.db import IntegrityError, transaction
from pydantic import BaseModel, ValidationError

from fabriek.runs.models import Counted
from fabriek.runs.seen_shapes import CountIn
from fabriek.store.models import Revision
from fabriek_recipes.kinds import Facts, Recipe

# Raise it when rows become tokens in another way: what was counted before is then forgotten.
VERSION = 1


def keep(dataset: Revision, model: Revision, count: CountIn, *, every: bool) -> None:
    """Write it down once; one that ran out of time is counted anew each time."""
    if count.is_cut_short:
        return
    try:
        with transaction.atomic():
            Counted.objects.get_or_create(
                dataset=dataset,
                model=model,
                way=_way(every=every),
                defaults={"told": count.model_dump()},
            )
    except IntegrityError:
        return  # somebody else at the same moment


def find(dataset: Revision, model: Revision, *, every: bool) -> CountIn | None:
    rows = Counted.objects.filter(dataset=dataset, model=model, way=_way(every=every))
    kept = rows.first()
    try:
        return CountIn.model_validate(kept.told) if kept else None
    except ValidationError:
        return None


def with_lengths(
    seen: Facts, recipe: Recipe, knobs: BaseModel, inputs: Mapping[str, Revision]
) -> Facts:
    """Add to what an estimate knows how long rows are, when somebody looked at them before."""
    dataset, model = inputs.get("dataset"), inputs.get("model")
    if not recipe.reads_chats or dataset is None or model is None:
        return seen
    count = find(dataset, model, every=learns_every(knobs))
    return replace(seen, token_lengths=tuple(count.lengths)) if count else seen


def learns_every(knobs: BaseModel) -> bool:
    """Tell whether each answer of a conversation is learned from, or the last one only."""
    return getattr(knobs, "answers_learned", "all") == "all"


def _way(*, every: bool) -> str:
    return f"chat-{VERSION}-{'all' if every else 'last'}"
