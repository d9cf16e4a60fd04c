"""Asks a model how likely texts are, the processes of a run together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from fabriek_recipes.training.base import Base
from fabriek_recipes.training.objective import laid
from fabriek_recipes.training.packing import Example
from fabriek_recipes.training.prediction import added_up, losses
from fabriek_recipes.training.process import Job, K
from fabriek_recipes.training.refusals import no_number

TEXTS_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Weighed:
    """The logarithm of a text's chance, and whether the model would have written just this."""

    total: float
    is_likeliest: bool


def weigh(job: Job[K], base: Base, texts: Sequence[Example]) -> list[Weighed]:
    """Weigh the learned tokens of each text, in the order given.

    Raises:
        Failed: `nan_loss`. Stopped: when the engine asks to stop.
    """
    # Of like length together, so that little is filled up.
    order = sorted(range(len(texts)), key=lambda place: len(texts[place].ids))
    batches = [order[at : at + TEXTS_AT_ONCE] for at in range(0, len(order), TEXTS_AT_ONCE)]

    @torch.no_grad()
    def part(number: int) -> list[list[float]]:
        job.stop.check()
        rows = [[texts[place]] for place in batches[number]]
        losses_N, likeliest_N = losses(base.model, laid(base.model, rows, base.fill))
        totals = added_up(-losses_N, rows)
        if not bool(totals.isfinite().all()):
            raise no_number()
        missed = added_up((~likeliest_N).float(), rows)
        return [totals.tolist(), missed.tolist()]

    found: dict[int, Weighed] = {}
    for places, told in zip(batches, job.group.share(len(batches), part), strict=True):
        for place, total, missed in zip(places, *told, strict=True):
            found[place] = Weighed(total, is_likeliest=missed == 0)
    return [found[place] for place in range(len(texts))]
