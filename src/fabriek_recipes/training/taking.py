"""Takes the weights that did best on rows kept apart, and says so, where that was asked."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from fabriek_recipes.events import Json
from fabriek_recipes.training import checkpoints
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
    if at < watcher.steps or watcher.best_step not in {0, at}:
        text = _(
            "The rows kept apart also decided when to stop and which weights to take, so the "
            "scores on them are a little too good. For a fair score use rows of another file "
            "and “Score a language model”."
        )
        job.events.warning("scores_chosen", Sentence(text))
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
    with torch.no_grad():
        for name, weight in trained.items():
            if mine:
                weight.copy_(mine[0].tensors[f"weight.{name}"])
    job.group.spread(list(trained.values()))
    return True
