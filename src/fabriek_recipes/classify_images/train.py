"""Teaches labels of pictures: look, learn, score, compare, leave the model and the report."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from transformers import AutoImageProcessor, AutoModelForImageClassification, PreTrainedModel
from transformers.image_processing_utils import BaseImageProcessor

from fabriek_recipes import evaluation
from fabriek_recipes.classify_images import opened
from fabriek_recipes.classify_images.knobs import Knobs, base_problems
from fabriek_recipes.classify_images.pictures import Picture
from fabriek_recipes.classify_images.split import Pictures, divided
from fabriek_recipes.evaluation import Evaluation
from fabriek_recipes.events import Json
from fabriek_recipes.training import labelled_base, measuring, reporting
from fabriek_recipes.training.labels import (
    MAIN_SCORE,
    Chances,
    Compared,
    Feed,
    Labelled,
    LabelLoop,
    LabelLoss,
    chances,
    evaluated,
    labelled_facts,
    report,
    watched,
)
from fabriek_recipes.training.plan import Plan, planned
from fabriek_recipes.training.process import Job
from fabriek_recipes.training.run import Clock, choose_device, fingerprint, last_checkpoint
from fabriek_recipes.words import Failed, Sentence, _

# Of one token, so that pictures are what a step counts.
ONE = torch.zeros(1, dtype=torch.int32)


def train(job: Job[Knobs]) -> None:
    """Run the recipe in the job's folder, from its last checkpoint when it has one."""
    clock = Clock()
    device = choose_device(job)
    job.events.stage(_("Looking at the pictures"))
    shown = divided(job)
    job.events.stage(_("Loading the model"))
    processor, model = _base(job, shown, device)
    every = [*shown.train, *shown.apart.looked_at, *shown.held_out]
    learn, looked_at, held_out = _examples(shown, every)
    sees = Sees(processor, model, job.knobs)
    if job.is_dry:
        sees.open(every)  # the price counts opening apart
    feed = sees.feed(every)
    loop = LabelLoop(job, model, _plan(job, learn), {"run": fingerprint(job)}, LabelLoss(feed))
    loop.watch(watched(job, looked_at, learn, remark=shown.apart.remark))
    if found := last_checkpoint(job):
        loop.resume(found)
    job.events.stage(_("Learning"))
    loop.run()
    job.events.stage(_("Scoring after"))
    told = _evaluated(job, shown, chances(job, model, held_out, feed))
    job.stop.check()
    if not job.is_part:
        job.group.once(lambda: _save(job, model, processor))
    job.group.once(lambda: evaluation.save(job.folder, told))
    facts: dict[str, Json] = {
        **labelled_facts(loop, shown.apart, labels=len(shown.labels), learned=len(learn)),
        "seconds": clock.seconds(),
    }
    job.group.once(lambda: report(job, told, facts))


def _examples(
    shown: Pictures, every: Sequence[Picture]
) -> tuple[list[Labelled], list[Labelled], list[Labelled]]:
    """Give those to learn from, to look at meanwhile, and to score on, as `every` has them."""
    made = [
        Labelled(ONE, 0, place=place, label=label)
        for place, label in enumerate(shown.numbers(every))
    ]
    learn = len(shown.train)
    look = learn + len(shown.apart.looked_at)
    return made[:learn], made[learn:look], made[look:]


# --- the model ---------------------------------------------------------------------------
def _base(
    job: Job[Knobs], shown: Pictures, device: torch.device
) -> tuple[BaseImageProcessor, PreTrainedModel]:
    folder = job.input("model")
    for problem in base_problems(folder):
        raise Failed("bad_model", problem.msgid, **dict(problem.values))
    try:
        processor = AutoImageProcessor.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, ImportError) as why:
        raise labelled_base.bad_model(str(why)) from why
    seed = job.manifest.seed
    kind = AutoModelForImageClassification
    return processor, labelled_base.load(kind, folder, shown.labels, device, seed=seed)


class Sees:
    """Makes of pictures what the model wants, and keeps that while there is room."""

    def __init__(
        self, processor: BaseImageProcessor, model: PreTrainedModel, knobs: Knobs
    ) -> None:
        """Prepare; half of them may be mirrored while the model learns."""
        self._processor, self._model, self._mirrored = processor, model, knobs.mirrored
        self._kept: dict[str, torch.Tensor] = {}
        self._room = knobs.pictures_kept_gib * 2**30

    def open(self, shown: Sequence[Picture]) -> None:
        """Make these ready beforehand, as far as there is room."""
        for one in shown:
            self._pixels(one)

    def feed(self, shown: Sequence[Picture]) -> Feed:
        """Give what feeds the model with these pictures, by their place."""

        def feed(examples: Sequence[Labelled]) -> dict[str, torch.Tensor]:
            pixels = torch.stack([self._pixels(shown[one.place]) for one in examples])
            if self._mirrored and self._model.training:
                # Drawn from what the step begins with: after a resume it is the same again.
                turned = torch.rand(len(examples)) < 0.5  # noqa: PLR2004
                pixels = torch.where(turned[:, None, None, None], pixels.flip(-1), pixels)
            return {"pixel_values": pixels.to(self._model.device)}

        return feed

    def _pixels(self, one: Picture) -> torch.Tensor:
        if (kept := self._kept.get(one.name)) is not None:
            return kept
        made = self._processor(opened.open_rgb(one.path), return_tensors="pt")
        pixels: torch.Tensor = made["pixel_values"][0]
        size_bytes = pixels.numel() * pixels.element_size()
        if size_bytes <= self._room:
            self._room -= size_bytes
            self._kept[one.name] = pixels
        return pixels


def _plan(job: Job[Knobs], learn: Sequence[Labelled]) -> Plan:
    return planned(
        job.knobs,
        [[one] for one in learn],
        rows_per_step=job.knobs.pictures_per_step,
        seed=job.manifest.seed,
    )


# --- what came of it ---------------------------------------------------------------------
def _evaluated(job: Job[Knobs], shown: Pictures, said: Chances) -> Evaluation:
    job.events.stage(_("Measuring the yardstick"))
    labels = np.array(shown.numbers(shown.train), dtype=np.int64)
    counts = np.bincount(labels, minlength=len(shown.labels)) + 1e-9
    compared = Compared(
        truth=np.array(shown.numbers(shown.held_out), dtype=np.int64),
        model=said,
        yardstick=_by_colours(job, shown, labels),
        constant=np.tile(counts / counts.sum(), (len(shown.held_out), 1)),
    )

    def worst(place: int) -> tuple[str, str]:
        return shown.held_out[place].name[-200:], ""

    told = evaluated(compared, names=shown.labels, seed=job.manifest.seed, worst=worst)
    if measuring.is_beaten(told.scores, MAIN_SCORE):
        job.events.warning("yardstick", Sentence(told.remarks[0].msgid))
    return told


def _by_colours(job: Job[Knobs], shown: Pictures, labels: NDArray[np.int64]) -> Chances:
    """Predict by where which colours are, with a weight each."""
    job.stop.check()
    model = LogisticRegression(max_iter=300).fit(opened.colours(shown.train), labels)
    job.stop.check()
    found = np.zeros((len(shown.held_out), len(shown.labels)))
    found[:, model.classes_] = model.predict_proba(opened.colours(shown.held_out))
    return found


def _save(job: Job[Knobs], model: PreTrainedModel, processor: BaseImageProcessor) -> None:
    job.events.stage(_("Saving"))

    def write(aside: object) -> None:
        model.save_pretrained(aside, safe_serialization=True)
        processor.save_pretrained(aside)

    reporting.whole(job.outputs / "model", write)
