"""What both recipes do around their own part: say what they found, resume, and report."""

from __future__ import annotations

from typing import cast

import torch

from fabriek_recipes.events import Json
from fabriek_recipes.row_problems import refuse
from fabriek_recipes.training import checkpoints, device
from fabriek_recipes.training.checkpoints import Checkpoint
from fabriek_recipes.training.identity import Clock, fingerprint
from fabriek_recipes.training.process import Job, K
from fabriek_recipes.words import Sentence, _

__all__ = [
    "Clock",
    "choose_device",
    "fingerprint",
    "last_checkpoint",
    "refuse",
]


def choose_device(job: Job[K]) -> torch.device:
    """Take the device, telling in the events when it is not what was asked for."""
    gpus = job.manifest.limits.gpus
    chosen = device.choose(gpus, job.group.seat)
    if (remark := device.remark(gpus, chosen, job.group.seat)) is not None:
        job.events.warning("device", remark)
    return chosen


def last_checkpoint(job: Job[K]) -> Checkpoint | None:
    """Give the point to resume from, if there is one; the tensors to the first process only.

    A shared disk may show the newest file to one machine before another: the first one decides.
    """
    mine: list[Checkpoint] = []

    def find() -> dict[str, Json] | None:
        passed_over: list[int] = []
        found = checkpoints.latest(job.checkpoints, {"run": fingerprint(job)}, passed_over)
        if passed_over:
            job.events.warning("checkpoint_passed_over", _told(passed_over[0], found))
        mine.extend([found] if found else [])
        return {"step": found.step, "state": found.state} if found else None

    told = job.group.once(find)
    if told is None or mine:
        return mine[0] if mine else None
    return Checkpoint(cast("int", told["step"]), {}, cast("dict[str, Json]", told["state"]))


def _told(lost: int, found: Checkpoint | None) -> Sentence:
    if found is None:
        text = _(
            "No checkpoint is whole and fits these settings and this version of the recipe, so "
            "that the run begins anew."
        )
        return Sentence(text)
    text = _(
        "The checkpoint of step %(lost)s is damaged, so that the run goes on from step "
        "%(step)s."
    )
    return Sentence(text, lost=lost, step=found.step)
