"""Whether each GPU holds a copy of all weights, or they are divided over the GPUs of a run."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt
from typing import Literal

from fabriek_recipes.kinds import Facts
from fabriek_recipes.words import Sentence, _

Holding = Literal["auto", "copies", "shards"]
HOLDINGS: dict[str, str] = {
    "auto": _("As the memory asks"),
    "copies": _("A copy on each GPU"),
    "shards": _("Divided over the GPUs"),
}
GB = 1e9
# Of a GPU, for what an estimate does not see.
SPARE = 0.9
# The part of a model that is whole for a moment where its weights are divided: its vocabulary
# and two layers. Counted in models of 8 billion weights (19 %) and 70 billion (6 %).
WHOLE_SHARE = 0.2
# Weights at work are in bf16 on a GPU, and so are their gradients.
WORKING_BYTES = 2
# An addition of this rank would have about as many weights as the model itself.
FULL_RANK = 400
START_CPU, START_GPU = 600_000_000, 2_000_000_000
# Learning from a base model: start, and for each token of a step and root of a weight. On a
# processor all is in fp32 and nothing computed anew; own runs there (2026-11-27) of 0.9 to 27
# million weights in steps of 512 to 8,192 tokens took 0.9 to 1.2 times what this says.
LEARN_CPU, LEARN_BYTES_CPU, LEARN_BYTES_GPU = 350_000_000, 100, 12
# Of what is read at once to score, or of the answers that are written side by side, a
# processor keeps less: nothing is learned from it. On a GPU that was not measured.
SCORE_BYTES_CPU = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What one process takes, in bytes."""

    apart: int
    """Whatever the others hold: start, and what is kept of its own rows on the way there."""
    weights: int
    """All weights, with gradients and moments of those that learn."""
    whole: int
    """What of divided weights is whole at one moment."""

    def of_copy(self) -> int:
        """Count with all weights."""
        return self.apart + self.weights

    def of_part(self, gpus: int) -> int:
        """Count with a part of them."""
        return self.apart + self.weights // gpus + self.whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """How the weights are held, what that takes of one GPU, and in words why."""

    is_divided: bool
    memory_bytes: int
    why: tuple[Sentence, ...] = ()


def need(apart: float, *, parameters: int, weight_bytes: int, trained: float) -> Need:
    """Count for a model; `trained`: how many weights learn.

    For each of those there are a gradient and two moments in fp32.
    """
    moving = 2 * WORKING_BYTES if trained >= parameters else WORKING_BYTES
    return Need(
        apart=int(apart),
        weights=int(parameters * weight_bytes + trained * 12),
        whole=int(parameters * WHOLE_SHARE * moving),
    )


def at_work(facts: Facts, *, tokens: float, scored: float = 0) -> float:
    """Count what is kept of the tokens of a step, or of those that are scored at once."""
    root = sqrt(facts.base_parameters)
    if facts.device != "cpu":
        return tokens * root * LEARN_BYTES_GPU
    return root * max(tokens * LEARN_BYTES_CPU, scored * SCORE_BYTES_CPU)


def need_of_base(facts: Facts, *, lora_rank: int, tokens: int, scored: int = 0) -> Need:
    """Count for a base model that gets an addition of this rank, or learns whole at rank 0.

    `tokens`: what one process learns from in a step; `scored`: what it reads or writes at once
    to score. Weights are in bf16 on a GPU while they do
    not learn, else in fp32.
    """
    parameters = facts.base_parameters
    weight_bytes = 4 if facts.device == "cpu" or not lora_rank else 2
    trained = parameters * min(1, lora_rank / FULL_RANK) if lora_rank else parameters
    begin = LEARN_CPU if facts.device == "cpu" else START_GPU
    return need(
        begin + at_work(facts, tokens=tokens, scored=scored),
        parameters=parameters,
        weight_bytes=weight_bytes,
        trained=trained,
    )


def start(facts: Facts) -> int:
    """Count what a process takes before it has a model."""
    return START_CPU if facts.device == "cpu" else START_GPU


def to_answer(facts: Facts) -> int:
    """Count what a process takes whose models read and write, and learn nothing."""
    return start(facts) + facts.base_parameters * (4 if facts.device == "cpu" else 2)


def tokens_of_one(tokens_per_step: int, *, width: int, gpus: int) -> int:
    """Count what one process learns from in a step: whole rows of this width."""
    rows = max(1, tokens_per_step // width)
    return min(tokens_per_step, ceil(rows / gpus) * width) if gpus > 1 else tokens_per_step


def held(need: Need, *, gpus: int, there: int, asked: Holding) -> Held:
    """Choose; `there` is the memory of one GPU, 0 where nobody knows."""
    copy = need.of_copy()
    fits = not there or copy <= there * SPARE
    if gpus <= 1 or asked == "copies" or (asked == "auto" and fits):
        return Held(is_divided=False, memory_bytes=copy)
    part = need.of_part(gpus)
    said = {"gpus": gpus, "part": _gb(part)}
    if asked == "shards":
        text = _(
            "As was asked, the weights are divided over the %(gpus)s GPUs: about %(part)s GB "
            "on each."
        )
        why = Sentence(text, **said)
    else:
        text = _(
            "With a copy of the weights the run takes about %(copy)s GB and one GPU has "
            "%(there)s GB, so they are divided over the %(gpus)s GPUs: about %(part)s GB on "
            "each."
        )
        why = Sentence(text, copy=_gb(copy), there=_gb(there), **said)
    return Held(is_divided=True, memory_bytes=part, why=(why,))


def held_by(asked: Holding, need: Need, facts: Facts) -> Held:
    """Choose for the run of an estimate."""
    return held(need, gpus=facts.gpus, there=facts.gpu_memory_bytes, asked=asked)


def _gb(count: int) -> float:
    return round(count / GB, 1)
