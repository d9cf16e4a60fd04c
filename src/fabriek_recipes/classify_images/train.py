"""Teaches labels of pictures: look, learn, score, compare, leave the model and the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from transformers import AutoImageProcessor, AutoModelForImageClassification, PreTrainedModel
from transformers.image_processing_utils import BaseImageProcessor

from fabriek_recipes import evaluation
from fabriek_recipes.classify_images import opened, pictures
from fabriek_recipes.classify_images.knobs import Knobs, base_problems
from fabriek_recipes.classify_images.pictures import Picture
from fabriek_recipes.evaluation import Evaluation
from fabriek_recipes.events import Json
from fabriek_recipes.rows import PROBLEMS_MAX
from fabriek_recipes.training import labelled_base, measuring, reporting, saving
from fabriek_recipes.training.held_out import apart
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
)
from fabriek_recipes.training.loop import Plan
from fabriek_recipes.training.process import Job
from fabriek_recipes.training.run import Clock, choose_device, fingerprint, last_checkpoint
from fabriek_recipes.words import Failed, Sentence, _

HELD_OUT_MAX = 20_000
# Kept between passes: about 1,700 pictures of 224 by 224 points.
KEPT_BYTES_MAX = 2**30
TOLD_EVERY = 50
NO_TOKENS = torch.zeros(1, dtype=torch.int32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """Pictures to learn from and to score on, and the labels in the order of their numbers."""

    train: tuple[Picture, ...]
    held_out: tuple[Picture, ...]
    labels: tuple[str, ...]

    def numbers(self, shown: Sequence[Picture]) -> list[int]:
        """Give the labels of pictures as numbers."""
        places = {label: place for place, label in enumerate(self.labels)}
        return [places[one.label] for one in shown]


def train(job: Job[Knobs]) -> None:
    """Run the recipe in the job's folder, from its last checkpoint when it has one."""
    clock = Clock()
    device = choose_device(job)
    job.events.stage(_("Looking at the pictures"))
    shown = _pictures(job)
    job.events.stage(_("Loading the model"))
    processor, model = _base(job, shown, device)
    learn, held_out = (_examples(shown, part) for part in (shown.train, shown.held_out))
    sees = Sees(processor, model, mirrored=job.knobs.mirrored)
    loop = LabelLoop(
        job,
        model,
        _plan(job, learn),
        {"run": fingerprint(job)},
        LabelLoss(sees.feed(shown.train)),
    )
    if found := last_checkpoint(job):
        loop.resume(found)
    job.events.stage(_("Learning"))
    loop.run()
    job.events.stage(_("Scoring after"))
    told = _evaluated(job, shown, chances(job, model, held_out, sees.feed(shown.held_out)))
    job.stop.check()
    job.group.once(lambda: _save(job, model, processor))
    job.group.once(lambda: evaluation.save(job.folder, told))
    parameters = sum(weight.numel() for weight in loop.trained.values())
    facts: dict[str, Json] = {
        "rows_trained": len(learn),
        "rows_held_out": len(held_out),
        "labels": len(shown.labels),
        "parameters_trained": parameters,
        "parameters_total": sum(weight.numel() for weight in model.parameters()),
        "learning_seconds": round(loop.seconds, 2),
        "device": model.device.type,
        "seconds": clock.seconds(),
    }
    job.group.once(lambda: _report(job, told, facts))


# --- pictures ----------------------------------------------------------------------------
def _pictures(job: Job[Knobs]) -> Pictures:
    found, problems = pictures.find(job.input("dataset"))
    for one in problems:
        raise Failed("bad_dataset", one.msgid, **dict(one.values))
    digests = job.group.once(lambda: _looked_at(job, found))
    kept_apart = {one.name for one in found if one.is_apart}
    if not kept_apart:
        chosen = apart(digests, percent=job.knobs.held_out_percent, most=HELD_OUT_MAX)
        kept_apart = {
            one.name for one, name in zip(found, digests, strict=True) if name in chosen
        }
    learn = [one for one in found if one.name not in kept_apart]
    labels = sorted({one.label for one in learn})
    held_out = _scored(job, found, digests, kept_apart)
    if len(labels) < pictures.LABELS_MIN or not held_out:
        raise Failed(
            "no_held_out",
            _("There are too few pictures to keep some apart for scoring; add pictures."),
        )
    return Pictures(train=tuple(learn), held_out=tuple(held_out), labels=tuple(labels))


def _scored(
    job: Job[Knobs], found: Sequence[Picture], digests: Sequence[str], kept_apart: set[str]
) -> list[Picture]:
    """Give the pictures to score on: those whose label is learned, and that are not seen."""
    pairs = list(zip(found, digests, strict=True))
    labels = {one.label for one in found if one.name not in kept_apart}
    seen = {name for one, name in pairs if one.name not in kept_apart}
    apart_ = [(one, name) for one, name in pairs if one.name in kept_apart]
    known = [(one, name) for one, name in apart_ if one.label in labels]
    if left := len(apart_) - len(known):
        text = _("%(count)s rows kept apart have a label that no other row has: not scored.")
        job.events.warning("rows_left_out", Sentence(text, count=left))
    scored = [one for one, name in known if name not in seen]
    if left := len(known) - len(scored):
        text = _(
            "%(count)s of %(rows)s pictures kept apart are also among those learned from: not "
            "scored."
        )
        job.events.warning("same_rows", Sentence(text, count=left, rows=len(known)))
    return scored


def _looked_at(job: Job[Knobs], found: Sequence[Picture]) -> list[str]:
    """Open each picture once, and name it by its bytes. Raises: Failed, naming broken ones."""
    problems: list[Sentence] = []
    digests = []
    for place, one in enumerate(found, 1):
        job.stop.check()
        if (bad := opened.problem(one)) is not None:
            problems.append(bad)
        if len(problems) >= PROBLEMS_MAX:
            break
        digests.append(opened.digest(one.path))
        if place % TOLD_EVERY == 0 or place == len(found):
            job.events.progress(place, len(found), "pictures")
    opened.refuse_broken(found, problems)
    return digests


def _examples(shown: Pictures, part: Sequence[Picture]) -> list[Labelled]:
    return [
        Labelled(NO_TOKENS, 0, place=place, label=label)
        for place, label in enumerate(shown.numbers(part))
    ]


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
        self, processor: BaseImageProcessor, model: PreTrainedModel, *, mirrored: bool
    ) -> None:
        """Prepare; half of them are `mirrored` while the model learns."""
        self._processor, self._model, self._mirrored = processor, model, mirrored
        self._kept: dict[str, torch.Tensor] = {}
        self._room = KEPT_BYTES_MAX

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
    knobs = job.knobs
    return Plan(
        rows=[[one] for one in learn],
        rows_per_step=knobs.pictures_per_step,
        epochs=knobs.epochs,
        fill=0,
        seed=job.manifest.seed,
        learning_rate=knobs.learning_rate,
        warmup_percent=knobs.warmup_percent,
        weight_decay=knobs.weight_decay,
        gradient_norm_max=knobs.gradient_norm_max,
        checkpoint_every_steps=knobs.checkpoint_every_steps,
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


def _report(job: Job[Knobs], told: Evaluation, facts: dict[str, Json]) -> None:
    summary = measuring.summary(told.scores)
    job.events.result(summary)
    saving.report(job.folder, {"scores": dict(summary), **facts})
