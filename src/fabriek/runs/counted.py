"""What counting rows gave, kept: numbers and places, for the price and for the next look."""

from collections.abc import Mapping
from dataclasses import replace

from django.db import IntegrityError, transaction
from pydantic import BaseModel, ValidationError

from fabriek.kernel.errors import Invalid
from fabriek.runs.models import Counted
from fabriek.runs.seen_shapes import CountIn
from fabriek.runs.words import told
from fabriek.store.models import Revision
from fabriek_recipes.kinds import Facts, Recipe
from fabriek_recipes.training import refusals
from fabriek_recipes.words import Failed

# Raise it when rows become tokens in another way, or more is counted: what was counted before
# is then forgotten.
VERSION = 2
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


def of_inputs(
    recipe: Recipe, knobs: BaseModel, inputs: Mapping[str, Revision]
) -> CountIn | None:
    """Find what was counted of what a run will read, when somebody looked at it before."""
    dataset, model = inputs.get("dataset"), inputs.get("model")
    if dataset is None or model is None:
        return None
    if recipe.reads_texts and not getattr(knobs, "has_own_pieces", False):
        return find(dataset, model, way=OF_TEXTS)
    return find(dataset, model, way=way_of(recipe, knobs)) if recipe.reads_chats else None


def with_lengths(seen: Facts, recipe: Recipe, count: CountIn | None) -> Facts:
    """Add to what an estimate knows how long rows are."""
    if count is None:
        return seen
    if recipe.reads_texts:
        return replace(seen, tokens=count.tokens * count.every)
    return replace(seen, token_lengths=tuple(count.lengths), tokens=count.tokens)


def refusal(recipe: Recipe, knobs: BaseModel, count: CountIn | None) -> Failed | None:
    """Say as the run would why it cannot go on, where what was counted tells that already."""
    if count is None:
        return None
    is_asked = recipe.reads_chats or getattr(knobs, "goes_on", False)
    if is_asked and 0 < count.known <= count.highest:
        return refusals.bad_tokenizer(known=count.known, highest=count.highest)
    asked: int | None = getattr(knobs, "tokens_per_row_max", None)
    is_whole = count.every == 1 and not count.is_cut_short
    if not (recipe.reads_chats and asked and is_whole and count.lengths):
        return None
    most = min(asked, count.context or asked)
    fits = any(size <= most for size, _rows in count.lengths)
    return None if fits else refusals.all_too_long(most, asked=asked)


def require_fit(recipe: Recipe, knobs: BaseModel, count: CountIn | None) -> None:
    """Refuse what the run would refuse. Raises: Invalid."""
    if failed := refusal(recipe, knobs, count):
        raise Invalid(told(failed.sentence), code=failed.code)


def learns_every(recipe: Recipe, knobs: BaseModel) -> bool:
    """Tell whether each answer of a conversation is learned from, or the last one only."""
    return not recipe.reads_pairs and getattr(knobs, "answers_learned", "all") == "all"


def way_of(recipe: Recipe, knobs: BaseModel) -> str:
    """Name the rule by which the rows of a recipe become tokens."""
    if recipe.reads_pairs:
        return f"pairs-{VERSION}"
    return f"chat-{VERSION}-{'all' if learns_every(recipe, knobs) else 'last'}"
