"""Ask a recipe about its inputs before a run: here, or behind walls where a table is parsed.

Text by lines is read by Python itself. A table of Parquet, or what zstd packed, is read by a
library in C++ that a file could be made against: so not here, beside all cases' data.
"""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from django.core.cache import cache
from django.utils.translation import gettext_lazy
from pydantic import BaseModel, ValidationError

from fabriek.kernel.errors import Invalid, Text
from fabriek.quality import folders as quality
from fabriek.quality.room import room
from fabriek.quality.worker import confine
from fabriek.runs import behind_walls, folders, own_copies, withheld
from fabriek.runs.seen_shapes import ChecksIn
from fabriek.runs.worker.asked import INPUTS
from fabriek.store import actions as store
from fabriek.store.models import Repository, Revision
from fabriek.store.queries import listing
from fabriek_recipes import facts
from fabriek_recipes.kinds import Facts, Recipe
from fabriek_recipes.words import Failed, Sentence, Value

log = logging.getLogger(__name__)

Inputs = Mapping[str, Revision]
Json = dict[str, Any]
Found = TypeVar("Found")
# A check takes a second or two: worth waiting for, where others are at it.
PATIENCE_S = 10.0
PARSED = (".parquet", ".zst")
SENTENCE_CHARACTERS_MAX = 4_000
# How counting may fail, as programs read it; another word may be one of a row.
CODES = frozenset({"bad_model", "bad_row", "no_rows", "too_many_columns"})
TROUBLES: dict[str, Text] = {
    "too_slow": gettext_lazy(
        "Counting these data for the price took too long, so it was stopped. Try again in a "
        "few minutes; if it is stopped again, choose a part of the data."
    ),
    "no_walls": gettext_lazy(
        "This machine cannot shut the program in that would read these files, so that it does "
        "not read them."
    ),
}
DIED = gettext_lazy(
    "The program that looks through the table ended without a word, or took too much memory. "
    "Save the table again as Parquet with smaller groups of rows, or as CSV."
)


def of_inputs(recipe: Recipe, inputs: Inputs) -> Sequence[Sentence]:
    """Say what is wrong with the files. Raises: Refused, Invalid: they cannot be looked at."""
    if not are_parsed(inputs):
        return _here(inputs, recipe.checks)
    return _problems(_asked(inputs, {"recipe": recipe.name, "way": "inputs"}), inputs)


def of_settings(recipe: Recipe, inputs: Inputs, knobs: BaseModel) -> Sequence[Sentence]:
    """Say what settings and files do not agree on. Raises: as `of_inputs`."""
    check = recipe.knob_checks
    if check is None:
        return ()
    if not are_parsed(inputs):
        return _here(inputs, lambda paths: check(knobs, paths))
    given = knobs.model_dump(mode="json")
    # A page asks the same again as it shows the price, and as the run is asked for.
    named = sorted((name, one.pk) for name, one in inputs.items())
    digest = sha256(json.dumps([recipe.name, named, given]).encode()).hexdigest()
    key = f"settings:{digest}"
    kept: list[tuple[str, dict[str, Value]]] | None = cache.get(key)
    if kept is None:
        asked = {"recipe": recipe.name, "way": "settings", "knobs": given}
        found = _problems(_asked(inputs, asked), inputs, given)
        kept = [(one.msgid, dict(one.values)) for one in found]
        cache.set(key, kept)
    return [Sentence(msgid, **values) for msgid, values in kept]


def counted(recipe: Recipe, inputs: Inputs, base: Facts) -> Facts:
    """Count what an estimate needs.

    Raises: Refused, Invalid: they cannot be looked at. Failed: the recipe cannot go on.
    """
    if not are_parsed(inputs):
        return _here(inputs, lambda paths: _counted_here(recipe, paths, base))
    found = _asked(inputs, {"recipe": recipe.name, "way": "facts", "base": asdict(base)})
    if found.code:
        code = found.code if found.code in CODES else "bad_input"
        for one in _sentences(found, inputs):
            raise Failed(code, one.msgid, **one.values)
    if found.found is None:
        raise Invalid(str(TROUBLES.get(found.trouble, DIED)), code="unreadable_data")
    counts = found.found.model_dump()
    return replace(base, **counts | {"different": tuple(map(tuple, counts["different"]))})


def are_parsed(inputs: Inputs) -> bool:
    """Tell whether something among the data is read by a library of another language."""
    return any(
        _is_parsed(one)
        for one in inputs.values()
        if one.repository.kind == Repository.Kind.DATASET
    )


def _is_parsed(revision: Revision) -> bool:
    """Revisions never change, so that it may be remembered."""
    key = f"parsed:{revision.pk}"
    found: bool | None = cache.get(key)
    if found is None:
        found = any(path.endswith(PARSED) for path in listing(revision))
        cache.set(key, found)
    return found


def _here(inputs: Inputs, look: Callable[[dict[str, Path]], Found]) -> Found:
    with folders.laid_out(dict(inputs)) as paths:
        return look(paths)


def _counted_here(recipe: Recipe, paths: dict[str, Path], base: Facts) -> Facts:
    if recipe.count:
        return recipe.count(paths, base)
    return facts.look(paths, base, plain="model" not in paths)


# --- behind walls ------------------------------------------------------------------------
def _asked(inputs: Inputs, asked: Json) -> ChecksIn:
    brought = store.bring(inputs.values())
    if not brought.is_ready:
        raise folders.still_coming(brought)
    with room(patience_s=PATIENCE_S) as folder:
        for name, revision in inputs.items():
            store.materialise(revision, folder / INPUTS / name)
            (folder / INPUTS / name).mkdir(parents=True, exist_ok=True)
        if not (confine.can_keep_files() or own_copies.make(folder / INPUTS)):
            raise Invalid(str(TROUBLES["no_walls"]), code="unreadable_data")
        whole = asked | {"inputs": sorted(inputs), "files": []}
        (folder / quality.ASKED).write_text(json.dumps(behind_walls.limits() | whole))
        answer = behind_walls.answer(folder)
    try:
        return ChecksIn.model_validate(answer)
    except ValidationError:
        return ChecksIn(trouble="died")


def _problems(
    found: ChecksIn, inputs: Inputs, knobs: Mapping[str, object] | None = None
) -> Sequence[Sentence]:
    """Give what it found; of a table too large to look through in time, nothing.

    The run itself looks at every row, as a job of its own.
    """
    if found.trouble == "too_slow":
        log.warning("A table was not looked through in time; its run will.")
        return ()
    if found.trouble:
        raise Invalid(str(TROUBLES.get(found.trouble, DIED)), code="unreadable_data")
    return _sentences(found, inputs, knobs)


def _sentences(
    found: ChecksIn, inputs: Inputs, knobs: Mapping[str, object] | None = None
) -> list[Sentence]:
    """Fill in what it found: a program that files have taken over may say what it likes.

    Raises: Invalid, where that is no sentence, or calls a file by a name that no file has.
    """
    died = Invalid(str(DIED), code="unreadable_data")
    try:
        told = [Sentence(msgid, **values) for msgid, values in found.problems]
    except (KeyError, TypeError, ValueError) as strange:
        raise died from strange
    files = {str(one.values["file"]) for one in told if "file" in one.values}
    # Own code is asked about files by its command, which the person wrote.
    files = {
        name for name in files if not any(name in str(one) for one in (knobs or {}).values())
    }
    if files and not files <= withheld.file_names(inputs.values()):
        raise died
    if any(len(one) > SENTENCE_CHARACTERS_MAX for one in told):
        raise died
    return told
