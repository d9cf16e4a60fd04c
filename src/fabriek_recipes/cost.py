"""What training costs: operations, bytes and seconds, by one stated formula per device."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from fabriek_recipes.kinds import Estimate, Facts
from fabriek_recipes.words import Sentence, _

# Bytes of Dutch text per token (own measurement: 4.3-5.0 with 2,000 to 4,000 pieces).
BYTES_PER_TOKEN = 4.4


# What a matrix product reaches in bf16 on one H100 or H200, in operations per second.
GPU_REACHES = 790e12
# Own measurement on one H100 (2026-11-26): 257 TFLOP/s for LoRA on 7 billion weights in steps
# of 8,192 tokens; 143 and 78 for all weights and for LoRA on 0.4 billion. Runs of half a minute
# to a minute, start included, took 0.7 to 1.1 times what this says.
GPU_FLOPS, GPU_TOKENS_PER_S_MAX, GPU_START_S = 250e12, 400_000, 35

# What one core multiplies per second in float32 where nobody measured: between a slow machine
# (about 80, by what runs took on an AMD EPYC, 2026-11-27) and a quick one (138, a Xeon), so
# that it is wrong by less than half on both.
CORE_FLOPS, MEASURED_ON_FLOPS = 100e9, 138e9
# Of the best that was measured a run finds so much: others work beside it, and a core that is
# busy for long is not at its quickest (131 to 159 were measured on that Xeon within an hour).
FOUND = 0.9
# What a core can be: outside it is no measurement, and no run is to be refused for it.
CORE_FLOPS_LEAST, CORE_FLOPS_MOST = 16e9, 300e9
# On a processor of that speed: imports, loading and saving, and the most tokens a second.
CORE_START_S, CORE_TOKENS_PER_S_MAX = 3.0, 60_000
# Beside its large products a token costs what grows with width and depth, so with the root of
# the weights: norms, attention, the optimizer; with LoRA the small products of the additions,
# that a processor does badly. In the time of so many operations for each root of a weight, and
# no quicker on more cores. Own measurements (2026-11-27, 138 GFLOP/s a core; microseconds a
# token, LoRA and all weights, then on two cores beside other work): 0.9 million weights 75 and
# 78 (66, 59), 1.0 million 94 and 88 (84, 73), 5 million 314 and 325 (237, 212), 27 million
# 1,163 and 1,339 (730, 956). LoRA of rank 64 instead of 16: a tenth more.
BESIDE_ALL_WEIGHTS, BESIDE_LORA = 5_900, 9_400
# Reading is a third of learning all weights; a written token took so many times as long as one
# that is read, in 64 answers of up to 256 tokens side by side (same day, 1 to 5 million
# weights).
WRITTEN_AS_READ = 5
# As `training/watching.py` looks at rows kept apart while it learns: how often, which part of
# the work of learning that may be, and how many texts are not too many.
LOOKS, LOOKS_SHARE, LOOK_TEXTS = 10, 0.1, 32
# What scoring does at once: so many tokens are read, or so many answers written. Several GPUs
# share these parts among them, never one part.
READ_AT_ONCE, ANSWERS_AT_ONCE = 8_192, 64

# A dry run says it anew, with what it measured.
TAKES = _("Learning takes about %(train)s s; start, scoring and saving about %(other)s s.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One run in numbers."""

    tokens: int
    """Tokens trained on, all epochs together."""
    flop_per_token: float
    """6 per parameter when all are trained, 4 when the base is frozen (LoRA); attention."""
    has_lora: bool = False
    """An addition learns and all else is frozen."""
    read_tokens: int
    """Read at once and not learned from: while scoring, before and after together."""
    written_tokens: int = 0
    """Written one by one, in some tens of answers side by side."""
    answers: int = 0
    """So many are written in one go; 0: none are written."""
    parameters: int
    memory_bytes: int
    rows_per_step: int
    """Several GPUs share these; more GPUs than rows have nothing to do."""

    def faster(self, gpus: int) -> float:
        """Give how many times as fast several GPUs learn: a plain division of the rows.

        What their talk costs is not in it: not measured yet with this code.
        """
        return self.rows_per_step / ceil(self.rows_per_step / gpus)


def _share_of_one(whole: int, *, at_once: int, gpus: int) -> float:
    """Give which share of the work has the GPU with most of it, where a part is done by one."""
    parts = ceil(ceil(whole / at_once) / gpus)
    return min(1.0, parts * at_once / max(1, whole))


def read_in_looks(apart: int, row_tokens: float, *, learned: float) -> float:
    """Count the tokens of rows kept apart that are read while so many are learned from."""
    texts = max(LOOK_TEXTS, LOOKS_SHARE * learned / LOOKS / max(1.0, row_tokens))
    return LOOKS * min(apart, texts) * row_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class _Time:
    """What the parts of a run take, in seconds."""

    start_s: float
    train_s: float
    score_s: float


def price(work: Work, facts: Facts) -> Estimate:
    """Turn work into seconds on the device of `facts`, with the reasons in words."""
    gpus = max(1, facts.gpus)
    time = _on_cores(work, facts) if facts.device == "cpu" else _on_gpus(work, gpus)
    other_s = time.start_s + time.score_s
    return Estimate(
        gpu_seconds=ceil((other_s + time.train_s) * gpus),
        memory_bytes=work.memory_bytes,
        learning_s=time.train_s,
        tokens=work.tokens,
        why=_reasons(work, facts, train_s=time.train_s, other_s=other_s),
    )


def _on_gpus(work: Work, gpus: int) -> _Time:
    least = 1 / GPU_TOKENS_PER_S_MAX
    train_s = work.tokens * max(work.flop_per_token / GPU_FLOPS, least)
    read_s = work.read_tokens * max(2 * work.parameters / GPU_FLOPS, least)
    written_s = work.written_tokens * max(4 * work.parameters / GPU_FLOPS, 2 * least)
    return _Time(
        start_s=GPU_START_S,
        train_s=train_s / work.faster(gpus),
        score_s=read_s * _share_of_one(work.read_tokens, at_once=READ_AT_ONCE, gpus=gpus)
        + written_s * _share_of_one(work.answers, at_once=ANSWERS_AT_ONCE, gpus=gpus),
    )


def _on_cores(work: Work, facts: Facts) -> _Time:
    """Count for a processor; processes without GPUs share the same cores."""
    flops = core_flops(facts) * FOUND
    times = flops / CORE_FLOPS
    least = 1 / (CORE_TOKENS_PER_S_MAX * times)
    root = work.parameters**0.5
    beside = (BESIDE_LORA if work.has_lora else BESIDE_ALL_WEIGHTS) * root
    token_s = (work.flop_per_token / facts.cores + beside) / flops
    read_s = (2 * work.parameters / facts.cores + BESIDE_ALL_WEIGHTS / 3 * root) / flops
    read = work.read_tokens + work.written_tokens * WRITTEN_AS_READ
    return _Time(
        start_s=CORE_START_S / times,
        train_s=work.tokens * max(token_s, least),
        score_s=read * max(read_s, least / 3),
    )


def core_flops(facts: Facts) -> float:
    """Tell what a core multiplies per second: as measured, within reason, or as assumed."""
    measured = facts.flops_per_core or CORE_FLOPS
    return min(max(measured, CORE_FLOPS_LEAST), CORE_FLOPS_MOST)


def slowness(facts: Facts) -> float:
    """Tell how many times as long work takes as on the core that it was measured on."""
    return MEASURED_ON_FLOPS / core_flops(facts)


def _reasons(
    work: Work, facts: Facts, *, train_s: float, other_s: float
) -> tuple[Sentence, ...]:
    reasons = [
        Sentence(
            _("About %(tokens)s tokens are learned from, at %(mflop)s MFLOP each."),
            tokens=work.tokens,
            mflop=round(work.flop_per_token / 1e6, 1),
        ),
        Sentence(TAKES, train=ceil(train_s), other=ceil(other_s)),
        core_speed(facts) if facts.device == "cpu" else _gpu_speed(),
    ]
    if facts.gpus > 1:
        reasons.append(_shared(work, facts))
    return tuple(reasons)


def _gpu_speed() -> Sentence:
    text = _(
        "Counted with %(tflops)s TFLOP/s for a GPU, %(share)s %% of what an H100 can reach; "
        "that is assumed, not measured on this machine."
    )
    tflops, share = round(GPU_FLOPS / 1e12), round(100 * GPU_FLOPS / GPU_REACHES)
    return Sentence(text, tflops=tflops, share=share)


def core_speed(facts: Facts) -> Sentence:
    """Say how fast a core is taken to be, and whether anybody measured that."""
    if facts.flops_per_core:
        text = _(
            "A processor core is counted as %(gflops)s GFLOP/s, measured on this machine "
            "(cores: %(cores)s); small models reach a part of that."
        )
    else:
        text = _(
            "A processor core is counted as %(gflops)s GFLOP/s; that is assumed, not measured "
            "on this machine (cores: %(cores)s). Small models reach a part of it."
        )
    return Sentence(text, gflops=round(core_flops(facts) / 1e9), cores=facts.cores)


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
