"""Look at what a model will see before a run is asked for: rows, their tokens, what is odd."""

from dataclasses import dataclass, field, replace

from django.utils.translation import gettext as _
from pydantic import BaseModel

from fabriek.cases.models import Case
from fabriek.datasets.models import Dataset
from fabriek.datasets.preview import Preview
from fabriek.datasets.rules import may_push, reads
from fabriek.kernel.errors import Invalid
from fabriek.people.models import Person
from fabriek.quality import queries as quality
from fabriek.quality import sights
from fabriek.quality.parsed import first_rows
from fabriek.runs import counted, offers, seen, use
from fabriek.runs.actions import Wish
from fabriek.runs.seen_shapes import CountIn, RowIn, SeenIn
from fabriek.runs.worker.asked import OF_DATA
from fabriek.store.models import Revision
from fabriek_recipes.kinds import Recipe
from fabriek_recipes.rows import NO_ROWS
from fabriek_recipes.texts import NO_TEXT
from fabriek_recipes.words import Failed

# Which column of a row is whose words; in any other column it may be anybody's.
SPEAKERS = {"prompt": ["user"], "completion": ["assistant"]}
TOKENS_MAX = 2**30
EVERYBODY = ["system", "user", "assistant", "tool"]


@dataclass(frozen=True, kw_only=True, slots=True)
class AsTheyAre:
    """Files of a dataset as a look at data shows them; `is_looked_at`: there was one."""

    of: Dataset
    is_looked_at: bool
    rows: Preview | None
    pictures: sights.Sights | None
    sounds: sights.Sights | None

    @property
    def is_nothing(self) -> bool:
        return not (self.rows or self.pictures or self.sounds)


@dataclass(frozen=True, kw_only=True, slots=True)
class Looked:
    """What came of it. `trouble`: why no row could be turned into tokens, in a word.

    `files` names files by the numbers that count and sample use. `count` is there where rows
    become tokens before the run; `as_they_are` where they do not. `has_own_pieces`: the run
    makes a tokenizer of its own, so that these tokens are of one like it. `refusal`: why the
    run would be refused by what was counted.
    """

    dataset: Revision
    model: Revision | None
    row_tokens_max: int = 0
    shows_words: bool = True
    hides_personal: bool = False
    is_plain: bool = False
    of_pairs: bool = False
    of_texts: bool = False
    has_own_pieces: bool = False
    files: list[str] = field(default_factory=list)
    count: CountIn | None = None
    refusal: Failed | None = None
    sample: list[RowIn] = field(default_factory=list)
    as_they_are: AsTheyAre | None = None
    trouble: str = ""
    facts: dict[str, int | str] = field(default_factory=dict)

    @property
    def longest(self) -> int:
        """Give what a row may have at most: by its setting, and by the model."""
        context = self.count.context if self.count else 0
        return min(self.row_tokens_max, context or self.row_tokens_max)


def look(wish: Wish, *, case: Case, by: Person) -> Looked:
    """Show rows of what `wish` works on; the count of all is kept for the price.

    Raises:
        Invalid: there is nothing to look at, or it is of another case.
        NotAllowed: an agreement does not allow this run.
        Refused: too many look at this moment, or the bytes are still being brought near.
    """
    recipe = offers.recipe(wish.recipe)
    dataset, model = wish.inputs.get("dataset"), wish.inputs.get("model")
    if dataset is None or (recipe.reads_chats and model is None):
        raise Invalid(_("Choose what the run works on first, then look."), code="input_missing")
    use.check(use.Use(recipe=recipe.name, case=case, by=by), wish.inputs)
    shows = _may_see_words(by, dataset)
    if recipe.reads_texts:
        knobs = offers.checked_knobs(recipe, wish.knobs)
        return _texts((dataset, model), recipe, knobs, shows=shows)
    if not recipe.reads_chats or model is None:
        return _as_they_are(dataset, by, shows=shows)
    knobs = offers.checked_knobs(recipe, wish.knobs)
    return _seen((dataset, model), recipe, knobs, shows=shows)


def _seen(
    inputs: tuple[Revision, Revision], recipe: Recipe, knobs: BaseModel, *, shows: bool
) -> Looked:
    dataset, model = inputs
    way = counted.way_of(recipe, knobs)
    files = seen.files_for(dataset, model)
    if not any(name.startswith(OF_DATA) for name in files):
        raise Invalid(_(NO_ROWS), code="no_rows")
    kept = counted.find(dataset, model, way=way)
    hidden = _hidden(dataset)
    asked: seen.Json = {
        "count": kept is None,
        "every": counted.learns_every(recipe, knobs),
        "of_pairs": recipe.reads_pairs,
        "picks": kept.picks if kept and shows else [],
        "hide": hidden,
    }
    # Where nobody may read the words, there is nothing left to do once all is counted.
    told = SeenIn() if kept and not shows else seen.look(files, asked)
    if told.count:
        counted.keep(dataset, model, told.count, way=way)
    return Looked(
        dataset=dataset,
        model=model,
        row_tokens_max=getattr(knobs, "tokens_per_row_max", TOKENS_MAX),
        of_pairs=recipe.reads_pairs,
        shows_words=shows,
        hides_personal=bool(hidden),
        is_plain=told.template == "plain",
        files=[name.partition("/")[2] for name in sorted(files)],
        count=kept or told.count,
        refusal=counted.refusal(recipe, knobs, kept or told.count),
        sample=told.sample if shows else [],
        trouble=told.trouble,
        facts=_facts(told, may_quote=shows and not hidden),
    )


def _texts(
    inputs: tuple[Revision, Revision | None], recipe: Recipe, knobs: BaseModel, *, shows: bool
) -> Looked:
    """Look at plain text; what a tokenizer made for this look counts is kept nowhere."""
    dataset, model = inputs
    is_own = bool(getattr(knobs, "has_own_pieces", False))
    if not is_own and model is None:
        raise Invalid(_("Choose what the run works on first, then look."), code="input_missing")
    used = None if is_own else model
    files = seen.text_files_for(dataset, used)
    if not any(name.startswith(OF_DATA) for name in files):
        raise Invalid(_(NO_TEXT), code="no_rows")
    kept = counted.find(dataset, used, way=counted.OF_TEXTS) if used else None
    hidden = _hidden(dataset)
    asked: seen.Json = {
        "count": kept is None,
        "vocabulary": getattr(knobs, "vocabulary", 0) if is_own else 0,
        "picks": kept.picks if kept and shows else [],
        "hide": bool(hidden),
    }
    told = SeenIn() if kept and not shows else seen.look(files, asked)
    if told.count and used:
        counted.keep(dataset, used, told.count, way=counted.OF_TEXTS)
    return Looked(
        dataset=dataset,
        model=model,
        row_tokens_max=getattr(knobs, "context_tokens", TOKENS_MAX),
        of_texts=True,
        has_own_pieces=is_own,
        shows_words=shows,
        hides_personal=bool(hidden),
        files=[name.partition("/")[2] for name in sorted(files)],
        count=kept or told.count,
        refusal=counted.refusal(recipe, knobs, kept or told.count),
        sample=told.sample if shows else [],
        trouble=told.trouble,
        facts=_facts(told, may_quote=False),
    )


def _facts(told: SeenIn, *, may_quote: bool) -> dict[str, int | str]:
    """Give what stands in a sentence on what went wrong: a template may say words of a row."""
    return {name: one for name, one in told.facts.items() if may_quote or name != "why"}


def _as_they_are(dataset: Revision, by: Person, *, shows: bool) -> Looked:
    """Show files by what the look at data shows, to who may read them."""
    owner = _dataset_of(dataset) if shows else None
    columns = quality.found_in(dataset)
    looked = Looked(
        dataset=dataset,
        model=None,
        shows_words=shows,
        hides_personal=bool(columns),
    )
    if owner is None:
        return looked
    result = quality.result_of(dataset)
    found = result or {}
    # A picture is fetched from the page of the look, which is there for the case itself.
    seen_in = found if may_push(by, owner) else {}
    shown = AsTheyAre(
        of=owner,
        is_looked_at=result is not None,
        rows=first_rows(dataset, columns, found.get("files", [])),
        pictures=sights.pictures(dataset, seen_in),
        sounds=sights.sounds(dataset, seen_in),
    )
    return replace(looked, as_they_are=shown)


def _may_see_words(person: Person, revision: Revision) -> bool:
    """Tell whether they may read rows; to train on data is not to read it."""
    found = _dataset_of(revision)
    return bool(found and reads(person, found).allowed)


def _dataset_of(revision: Revision) -> Dataset | None:
    dataset = Dataset.objects.filter(repository=revision.repository_id)
    return dataset.select_related("case", "repository__case").first()


def _hidden(revision: Revision) -> list[str]:
    """Name whose words are hidden, as those columns are wherever rows are shown."""
    names = [column.name for column in quality.found_in(revision)]
    roles = [role for name in names for role in SPEAKERS.get(name, EVERYBODY)]
    return sorted(set(roles))
