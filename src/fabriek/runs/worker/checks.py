"""What a recipe says of its inputs before a run: what is wrong with them, how much there is."""

from collections.abc import Iterable
from dataclasses import asdict

from fabriek.quality.worker.job import Job, Json, Trouble
from fabriek.runs.worker.asked import INPUTS
from fabriek_recipes import facts
from fabriek_recipes.kinds import Facts
from fabriek_recipes.recipe import catalogue
from fabriek_recipes.words import Failed, Sentence

# The rest of `Facts` is of the machine, which the portal knows.
COUNTED = ("rows", "text_bytes", "base_parameters", "longest_row_bytes", "columns", "different",
           "tokens", "vocabulary", "has_general", "files", "is_sampled")  # fmt: skip


def checked(job: Job) -> Json:
    """Do one of three: `facts`, what is wrong with `inputs`, or with `settings` beside them."""
    recipe = catalogue()[str(job.asked["recipe"])]
    paths = {name: job.folder / INPUTS / name for name in job.asked["inputs"]}
    try:
        if job.asked["way"] == "facts":
            base = Facts(**job.asked["base"])
            found = (
                recipe.count(paths, base)
                if recipe.count
                else facts.look(paths, base, plain="model" not in paths)
            )
            return {"found": {name: asdict(found)[name] for name in COUNTED}}
        if job.asked["way"] == "inputs":
            return {"problems": _told(recipe.checks(paths))}
        if recipe.knob_checks is None:
            return {"problems": []}
        knobs = recipe.knobs.model_validate(job.asked["knobs"])
        return {"problems": _told(recipe.knob_checks(knobs, paths))}
    except Failed as failed:
        return {"code": failed.code, "problems": _told([failed.sentence])}


def require_own(job: Job, *, keeps_files: bool) -> None:
    """Refuse files that have another name in the store where no wall keeps these from change.

    Raises:
        Trouble: `no_walls`.
    """
    if keeps_files:
        return
    below = (job.folder / INPUTS).rglob("*")
    if any(path.is_file() and path.stat().st_nlink > 1 for path in below):
        raise Trouble("no_walls")


def _told(found: Iterable[Sentence]) -> list[list[object]]:
    return [[one.msgid, dict(one.values)] for one in found]
