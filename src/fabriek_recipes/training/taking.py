"""Takes the weights that did best on rows kept apart, and says so, where that was asked."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from fabriek_recipes.events import Json
from fabriek_recipes.training import checkpoints, shards
from fabriek_recipes.training.checkpoints import Checkpoint
from fabriek_recipes.training.process import Job, K
from fabriek_recipes.training.watching import Watcher
from fabriek_recipes.words import Sentence, _


def take_best(
    job: Job[K], watcher: Watcher, trained: Mapping[str, nn.Parameter], *, at: int, run: Json
) -> None:
    """Go back to the weights of the best look; `at` is the step that learning ended at."""
    if not watcher.is_patient:
        return
    if at < watcher.steps:
        text = _(
            "Stopped at step %(step)s of %(steps)s: in %(looks)s looks the loss on rows kept "
            "apart had not become lower."
        )
        said = Sentence(text, step=at, steps=watcher.steps, looks=watcher.watch.patience)
        job.events.warning("stopped_early", said)
    has_chosen = at < watcher.steps or watcher.best_step not in {0, at}
    if has_chosen and watcher.watch.remark:
        job.events.warning("scores_chosen", watcher.watch.remark)
    if watcher.best_step in {0, at}:
        return
    if _put_back(job, trained, step=watcher.best_step, run=run):
        text = _("The model is that of step %(step)s, with the lowest loss on rows kept apart.")
        job.events.warning("best_taken", Sentence(text, step=watcher.best_step))
    else:
        text = _("The weights of step %(step)s did best but are gone; the last ones are taken.")
        job.events.warning("no_best", Sentence(text, step=watcher.best_step))


def _put_back(
    job: Job[K], trained: Mapping[str, nn.Parameter], *, step: int, run: Json
) -> bool:
    """Only the first process needs the file, and gives what is in it to the others."""
    mine: list[Checkpoint] = []

    def find() -> bool:
        found = checkpoints.best(job.checkpoints, step, {"run": run})
        mine.extend([found] if found else [])
        return found is not None

    if not job.group.once(find):
        return False
    for name, weight in trained.items():
        value = mine[0].tensors[f"weight.{name}"] if mine else None
        shards.give(weight, value, job.group)
    return True
