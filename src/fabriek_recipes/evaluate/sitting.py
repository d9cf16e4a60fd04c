"""One model asked all there is, part by part: what was done before a stop is not done again.

The next model is loaded only when this one is done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import cast

import torch

from fabriek_recipes.evaluate.asking import Answered, Asked, Manner, ask
from fabriek_recipes.evaluate.knobs import Knobs
from fabriek_recipes.evaluate.questions import Question
from fabriek_recipes.events import Json
from fabriek_recipes.training.base import Base, load
from fabriek_recipes.training.encoding import context_of, dress
from fabriek_recipes.training.parts import Parts
from fabriek_recipes.training.process import Job
from fabriek_recipes.words import _

# What is lost when a run is stopped; also what is sorted by length to be asked together, so
# that it decides the last bit of an answer and is no setting.
PART_ROWS = 256


class Sitting:
    """The questions put to one model."""

    def __init__(self, job: Job[Knobs], name: str, parts: Parts, device: torch.device) -> None:
        """Ask the model of the input `name`."""
        self._job, self._name, self._parts, self._device = job, name, parts, device
        self._finished = parts.names()
        self._base: Base | None = None
        self._head = self._kept(f"{name}-head", self._look)

    @property
    def context(self) -> int:
        """How many tokens the model can look at."""
        return cast("int", self._head["context_tokens"])

    @property
    def template(self) -> str:
        """The SHA-256 of its chat template."""
        return cast("str", self._head["template_sha256"])

    def asked(
        self,
        exam: int,
        questions: Sequence[Question],
        manner: Manner,
        told: Callable[[int], None],
    ) -> Asked:
        """Ask the questions of one exam; `told` hears after each part how many were asked.

        Raises: Failed, Stopped, as `ask`.
        """
        found = Asked()
        for number, start in enumerate(range(0, len(questions), PART_ROWS)):
            some = questions[start : start + PART_ROWS]
            name = f"{self._name}-{exam:03d}-{number:05d}"
            kept = self._kept(name, partial(self._ask, some, manner))
            part = _read(some, kept)
            found.answered.extend(part.answered)
            found.left_out.extend(part.left_out)
            told(len(some))
        return found

    def _ask(self, questions: Sequence[Question], manner: Manner) -> dict[str, Json]:
        return _written(questions, ask(self._job, self._model(), questions, manner))

    def _kept(self, name: str, make: Callable[[], dict[str, Json]]) -> dict[str, Json]:
        """Give a part that was done before; else do it, and keep it."""
        found = self._parts.read(name) if name in self._finished else None
        if found is None:
            found = make()
            self._parts.write(name, found)
        return cast("dict[str, Json]", found)

    def _look(self) -> dict[str, Json]:
        base = self._model()
        return {"context_tokens": context_of(base), "template_sha256": dress(base.tokenizer)}

    def _model(self) -> Base:
        """Load it, the first time that there is something to ask."""
        if self._base is None:
            self._job.stop.check()
            self._job.events.stage(_("Loading the model"))
            self._base = load(self._job.input(self._name), self._device, frozen=True)
            dress(self._base.tokenizer)
            self._job.events.stage(_("Asking the model"))
        return self._base


def _written(questions: Sequence[Question], asked: Asked) -> dict[str, Json]:
    """Say what was answered by the places of the questions, which never change."""
    places = {id(question): place for place, question in enumerate(questions)}
    answered: list[Json] = [
        {
            "place": places[id(each.question)],
            "target": each.target,
            "said": each.said,
            "values": dict(each.values),
            "rank": each.rank,
            "loss": each.loss,
            "tokens": each.tokens,
            "said_chance": each.said_chance,
        }
        for each in asked.answered
    ]
    left: list[Json] = [places[id(question)] for question in asked.left_out]
    return {"answered": answered, "left_out": left}


def _read(questions: Sequence[Question], kept: dict[str, Json]) -> Asked:
    answered = [
        _answered(questions, dict(each))
        for each in cast("list[dict[str, Json]]", kept["answered"])
    ]
    left = [questions[place] for place in cast("list[int]", kept["left_out"])]
    return Asked(answered=answered, left_out=left)


def _answered(questions: Sequence[Question], each: dict[str, Json]) -> Answered:
    return Answered(
        question=questions[cast("int", each["place"])],
        target=cast("str", each["target"]),
        said=cast("str", each["said"]),
        values=cast("dict[str, float]", each["values"]),
        rank=cast("float", each["rank"]),
        loss=cast("float", each["loss"]),
        tokens=cast("int", each["tokens"]),
        said_chance=cast("float", each["said_chance"]),
    )
