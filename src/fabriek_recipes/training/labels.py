"""Learning labels: the objective, the loop without what only language models need, the report.

Shapes: N rows, K labels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional
from transformers import PreTrainedModel

from fabriek_recipes import evaluation
from fabriek_recipes.evaluation import Evaluation, Score, Worst
from fabriek_recipes.events import Json
from fabriek_recipes.training import measuring, saving
from fabriek_recipes.training.device import precision
from fabriek_recipes.training.held_out import Halves
from fabriek_recipes.training.loop import K, Loop
from fabriek_recipes.training.packing import Example
from fabriek_recipes.training.process import Job
from fabriek_recipes.training.watching import Watch, spread
from fabriek_recipes.words import Failed, Sentence, _

Chances = NDArray[np.float64]
# Gives what a model is called with for some examples, on its device.
Feed = Callable[[Sequence["Labelled"]], dict[str, torch.Tensor]]
WORST_KEPT = 20
SCORED_AT_ONCE = 32
MAIN_SCORE = "macro_f1"


class Patient(Protocol):
    """The settings of a recipe by which its rows kept apart are looked at."""

    @property
    def epochs(self) -> int:
        """Say how often each row is learned from."""

    @property
    def stop_after_looks(self) -> int:
        """Say after how many looks without a lower loss it stops; 0: never."""


@dataclass(frozen=True, slots=True, eq=False)
class Labelled(Example):
    """What is learned from: tokens (a picture is one), its place among all, its label."""

    place: int = 0
    label: int = 0


class LabelLoss:
    """The cross-entropy of the labels, summed over the rows."""

    def __init__(self, feed: Feed) -> None:
        """Call the model with what `feed` makes."""
        self.feed = feed

    def weight(self, rows: Sequence[Sequence[Example]]) -> int:
        """Count the rows."""
        return sum(len(row) for row in rows)

    def loss(
        self, model: PreTrainedModel, rows: Sequence[Sequence[Example]], fill: int
    ) -> torch.Tensor:
        """Sum over them; `fill` is known to the feed."""
        del fill
        chosen = [cast("Labelled", one) for row in rows for one in row]
        labels = torch.tensor([one.label for one in chosen], device=model.device)
        return functional.cross_entropy(
            _logits(model, self.feed(chosen)), labels, reduction="sum"
        )


class LabelLoop(Loop[K]):
    """The loop for models that give labels: nothing in them is laid out as a long text."""

    def run(self) -> None:
        """Do the steps that are left. Raises: as the loop does."""
        self.model.train()
        for module in self.model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):  # noqa: SLF001
                # Its means are no weights: they would be lost with a stop, and few pictures in
                # a step would spoil them.
                module.eval()
        self._tell_idle()
        self._go()
        self._take_best()
        self.model.eval()


def watched(
    job: Job[K],
    looked_at: Sequence[Labelled],
    learned: Sequence[Labelled],
    *,
    remark: Sentence | None,
    flop_per_token: float = 0.0,
) -> Watch:
    """Look at some of these rows while learning from others, by the loss of their labels."""
    patient = cast("Patient", job.knobs)
    tokens = sum(len(one.ids) for one in learned) * patient.epochs
    some = spread(looked_at, [len(one.ids) for one in looked_at], tokens=tokens)
    return Watch(
        rows=[[one] for one in some],
        rows_at_once=SCORED_AT_ONCE,
        flop_per_token=flop_per_token,
        patience=patient.stop_after_looks,
        remark=remark,
    )


def labelled_facts(
    loop: Loop[K], apart: Halves[Any], *, labels: int, learned: int
) -> dict[str, Json]:
    """Tell a report what was learned from, scored on and trained, and where it ended."""
    return {
        "rows_trained": learned,
        **apart.facts(),
        "labels": labels,
        "parameters_trained": sum(weight.numel() for weight in loop.trained.values()),
        "parameters_total": sum(weight.numel() for weight in loop.model.parameters()),
        "learning_seconds": round(loop.seconds, 2),
        "device": loop.model.device.type,
        **loop.ended(),
    }


@torch.no_grad()
def chances(
    job: Job[K], model: PreTrainedModel, examples: Sequence[Labelled], feed: Feed
) -> Chances:
    """Ask the model for chances, (N, K); the processes of the run share the work.

    Raises:
        Failed: `nan_loss`, when the model's weights are no longer numbers.
    """
    model.eval()

    def part(number: int) -> list[list[float]]:
        job.stop.check()
        chosen = examples[number * SCORED_AT_ONCE : (number + 1) * SCORED_AT_ONCE]
        found = functional.softmax(_logits(model, feed(chosen)), dim=-1)
        return cast("list[list[float]]", found.double().cpu().tolist())

    parts = job.group.share(-(-len(examples) // SCORED_AT_ONCE), part)
    found = np.array([row for one in parts for row in one])
    if not np.isfinite(found).all():
        raise Failed(
            "nan_loss",
            _("The model's answers are no numbers; choose another base model or a lower rate."),
        )
    whole: Chances = found / found.sum(axis=1, keepdims=True)
    return whole


def _logits(model: PreTrainedModel, given: dict[str, torch.Tensor]) -> torch.Tensor:
    with precision(model.device):
        return cast("torch.Tensor", model(**given).logits).float()


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What three say of the rows kept apart: the model, the yardstick, and nobody looking."""

    truth: NDArray[np.int64]
    model: Chances
    yardstick: Chances
    constant: Chances


def evaluated(
    found: Compared, *, names: Sequence[str], seed: int, worst: Callable[[int], tuple[str, str]]
) -> Evaluation:
    """Score, compare and describe; `worst` gives the name and the look of a row."""
    measures = measuring.of_labels(found.truth, found.model)
    scores = measuring.scores(
        measures,
        len(found.truth),
        seed=seed,
        yardstick=measuring.of_labels(found.truth, found.yardstick),
        before=measuring.of_labels(found.truth, found.constant),
    )
    said = found.model.argmax(axis=1)
    return Evaluation(
        rows=len(found.truth),
        remarks=[evaluation.told(remark(scores))],
        scores=scores,
        labels=measuring.per_label(found.truth, said, names),
        confusion=measuring.confusion(found.truth, said, names),
        reliability=measuring.reliability(found.truth, found.model),
        worst=_worst(found, names, worst),
    )


def report(job: Job[Any], told: Evaluation, facts: dict[str, Json]) -> None:
    """Tell the scores, and leave them with the facts of the run."""
    summary = measuring.summary(told.scores)
    job.events.result(summary)
    saving.report(job.folder, {"scores": dict(summary), **facts})


def remark(scores: Sequence[Score]) -> Sentence:
    """Say plainly whether the model was worth it."""
    if measuring.is_beaten(scores, MAIN_SCORE):
        text = _(
            "The yardstick does as well as the model or better: take the simple way, or bring "
            "more rows or another base model."
        )
    elif measuring.is_within_chance(scores, MAIN_SCORE):
        text = _(
            "The model does a little better than the yardstick, by no more than chance could "
            "give; more rows would tell."
        )
    else:
        text = _("The model does better than the yardstick, by more than chance would give.")
    return Sentence(text)


def _worst(
    found: Compared, names: Sequence[str], worst: Callable[[int], tuple[str, str]]
) -> list[Worst]:
    distance = 1 - found.model[np.arange(len(found.truth)), found.truth]
    shown = np.argsort(-distance, kind="stable")[:WORST_KEPT]
    told = []
    for place in shown.tolist():
        row, look = worst(place)
        told.append(
            Worst(
                row=evaluation.cut(row),
                truth=evaluation.cut(names[found.truth[place]]),
                said=evaluation.cut(names[int(found.model[place].argmax())]),
                distance=round(float(distance[place]), 6),
                shown=evaluation.cut(look, evaluation.SHOWN_CELLS_MAX),
            )
        )
    return told
