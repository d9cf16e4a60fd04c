"""What training costs: operations, bytes and seconds, by one stated formula per device."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from fabriek_recipes.kinds import Device, Estimate, Facts
from fabriek_recipes.words import Sentence, _

# Bytes of Dutch text per token (own measurement: 4.3-5.0 with 2,000 to 4,000 pieces).
BYTES_PER_TOKEN = 4.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What one device really reaches on small and large models."""

    flops_per_core: float
    """Operations per second in training: per core on a processor, per GPU otherwise."""
    tokens_per_s_max: float
    """Small models are bound by overhead, not by operations."""
    start_s: float
    """Imports, loading, saving."""


# What a matrix product reaches in bf16 on one H100 or H200, in operations per second.
GPU_REACHES = 790e12

PACES: dict[Device, Pace] = {
    # Own measurements of small models on 2 shared cores (2026-11): 33-38; a machine of half the
    # speed takes 1.5 times what this says, a quick one as little as 0.6.
    "cpu": Pace(flops_per_core=34e9, tokens_per_s_max=60_000, start_s=4.5),
    # Own measurement on one H100 (2026-11-26): 257 TFLOP/s for LoRA on 7 billion weights in
    # steps of 8,192 tokens; 143 and 78 for all weights and for LoRA on 0.4 billion. Runs of
    # half a minute to a minute, start included, took 0.7 to 1.1 times what this says.
    "cuda": Pace(flops_per_core=250e12, tokens_per_s_max=400_000, start_s=35),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One run in numbers."""

    tokens: int
    """Tokens trained on, all epochs together."""
    flop_per_token: float
    """6 per parameter when all are trained, 4 when the base is frozen (LoRA); attention."""
    scored_tokens: int
    """Tokens read or written one by one while scoring, before and after together."""
    parameters: int
    memory_bytes: int
    rows_per_step: int
    """Several GPUs share these; more GPUs than rows have nothing to do."""

    def faster(self, gpus: int) -> float:
        """Give how many times as fast several GPUs learn: a plain division of the rows.

        What their talk costs is not in it: not measured yet with this code.
        """
        return self.rows_per_step / ceil(self.rows_per_step / gpus)


def price(work: Work, facts: Facts) -> Estimate:
    """Turn work into seconds on the device of `facts`, with the reasons in words."""
    pace = PACES[facts.device]
    gpus = max(1, facts.gpus)
    units = facts.cores if facts.device == "cpu" else 1
    flops = pace.flops_per_core * units
    train_s = work.tokens * max(work.flop_per_token / flops, 1 / pace.tokens_per_s_max)
    if facts.device == "cuda":  # processes without GPUs share the same cores
        train_s /= work.faster(gpus)
    score_s = work.scored_tokens * max(4 * work.parameters / flops, 2 / pace.tokens_per_s_max)
    wall_s = pace.start_s + train_s + score_s
    return Estimate(
        gpu_seconds=ceil(wall_s * gpus),
        memory_bytes=work.memory_bytes,
        learning_s=train_s,
        tokens=work.tokens,
        why=_reasons(work, facts, train_s=train_s, other_s=wall_s - train_s),
    )


def _reasons(
    work: Work, facts: Facts, *, train_s: float, other_s: float
) -> tuple[Sentence, ...]:
    pace = PACES[facts.device]
    reasons = [
        Sentence(
            _("About %(tokens)s tokens are learned from, at %(mflop)s MFLOP each."),
            tokens=work.tokens,
            mflop=round(work.flop_per_token / 1e6, 1),
        ),
        Sentence(
            _("Learning takes about %(train)s s; start, scoring and saving about %(other)s s."),
            train=ceil(train_s),
            other=ceil(other_s),
        ),
    ]
    if facts.device == "cpu":
        speed = Sentence(
            _("Counted with %(gflops)s GFLOP/s for each of %(cores)s processor cores."),
            gflops=round(pace.flops_per_core / 1e9),
            cores=facts.cores,
        )
    else:
        speed = Sentence(
            _("Counted with %(tflops)s TFLOP/s for a GPU, %(share)s %% of what it can reach."),
            tflops=round(pace.flops_per_core / 1e12),
            share=round(100 * pace.flops_per_core / GPU_REACHES),
        )
    reasons.append(speed)
    if facts.gpus > 1:
        reasons.append(_shared(work, facts))
    return tuple(reasons)


def _shared(work: Work, facts: Facts) -> Sentence:
    if facts.device == "cpu":
        return Sentence(_("There is no GPU here, so asking for more makes nothing faster."))
    if facts.gpus > work.rows_per_step:
        text = _(
            "A step is enough for %(enough)s of these GPUs and the others would stand idle; "
            "raise “Tokens per step” to use more."
        )
        return Sentence(text, enough=work.rows_per_step)
    text = _("The GPUs share the rows of each step: learning becomes %(times)s times as fast.")
    return Sentence(text, times=round(work.faster(facts.gpus), 1))
