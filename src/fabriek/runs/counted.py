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
OF_TEXTS = f"texts-{VERSION}"


def keep(dataset: Revision, model: Revision, count: CountIn, *, way: str) -> None:
    """Write it down once; one that ran out of time is counted anew each time."""
    if count.is_cut_short:
        return
    try:
        with transaction.atomic():
            Counted.objects.get_or_create(
                dataset=dataset,
                model=model,
                way=way,
                defaults={"told": count.model_dump()},
            )
    except IntegrityError:
        return  # somebody else at the same moment


def find(dataset: Revision, model: Revision, *, way: str) -> CountIn | None:
    rows = Counted.objects.filter(dataset=dataset, model=model, way=way)
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
    if dataset is None or model is None:
        return seen
    if recipe.reads_texts and not getattr(knobs, "has_own_pieces", False):
        texts = find(dataset, model, way=OF_TEXTS)
        return replace(seen, tokens=texts.tokens * texts.every) if texts else seen
    if not recipe.reads_chats:
        return seen
    count = find(dataset, model, way=way_of(recipe, knobs))
    if count is None:
        return seen
    return replace(seen, token_lengths=tuple(count.lengths), tokens=count.tokens)


def learns_every(recipe: Recipe, knobs: BaseModel) -> bool:
    """Tell whether each answer of a conversation is learned from, or the last one only."""
    return not recipe.reads_pairs and getattr(knobs, "answers_learned", "all") == "all"


def way_of(recipe: Recipe, knobs: BaseModel) -> str:
    """Name the rule by which the rows of a recipe become tokens."""
    if recipe.reads_pairs:
        return f"pairs-{VERSION}"
    return f"chat-{VERSION}-{'all' if learns_every(recipe, knobs) else 'last'}"
