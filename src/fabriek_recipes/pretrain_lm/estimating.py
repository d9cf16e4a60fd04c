"""What pretraining costs: counted from the sizes of the files, without reading all of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import Protocol

from fabriek_recipes import memory, texts
from fabriek_recipes.cost import BYTES_PER_TOKEN, Work, price
from fabriek_recipes.facts import parameters_of
from fabriek_recipes.kinds import Device, Estimate, Facts
from fabriek_recipes.memory import Holding, Need
from fabriek_recipes.pretrain_lm.shapes import SHAPES, Method, Size, usual_rate
from fabriek_recipes.words import Sentence, _

# The largest number of pieces a tokenizer may be said to have: far above any there is.
VOCABULARY_MAX = 2**24
# Logits that are held at once while learning (`training/head.py`).
LOGITS_HELD: dict[Device, int] = {"cpu": 2**24, "cuda": 2**28}
# Of a logit and what is made of it; and of a token, for each layer and number of its width.
LOGIT_BYTES, ACTIVATION_BYTES = 12, 70
# A token on disk, while the run learns.
DISK_BYTES_PER_TOKEN = 4
# Read twice and turned into tokens once: own measurement on one core (2026-11-27), 4,096 pieces
# of 8 MB of words by lot, 4.7 s. More cores than this were not tried.
PREPARED_BYTES_PER_CORE_S = 1.7e6
CORES_MAX = 16
GIGABYTE = 1e9


class Set(Protocol):
    """The settings that decide what it costs."""

    @property
    def method(self) -> Method:
        """Say what is made."""

    @property
    def size(self) -> Size:
        """Say how large a new model is."""

    @property
    def has_own_pieces(self) -> bool:
        """Say whether it makes a tokenizer of its own."""

    @property
    def vocabulary(self) -> int:
        """Say how many pieces that has."""

    @property
    def epochs(self) -> int:
        """Say how often the text is learned from."""

    @property
    def context_tokens(self) -> int:
        """Say how long a row is."""

    @property
    def tokens_per_step(self) -> int:
        """Say how much a step learns from."""

    @property
    def mixed_percent(self) -> int:
        """Say which part comes from general text."""

    @property
    def held_out_percent(self) -> int:
        """Say which part is kept apart."""

    @property
    def held_out_texts_max(self) -> int:
        """Say how many texts are kept apart at most."""

    @property
    def learning_rate(self) -> float:
        """Say how far a step moves; 0: as usual."""

    @property
    def lora_rank(self) -> int:
        """Say how wide an addition is."""

    @property
    def weights_held(self) -> Holding:
        """Say whether each process holds a copy of all weights."""


def count(inputs: Mapping[str, Path], base: Facts) -> Facts:
    """Add up the sizes of the files, and what the base model has."""
    found = replace(base, has_general="general" in inputs)
    if dataset := inputs.get("dataset"):
        files = texts.files_of(dataset).train
        size = texts.size_of_all(files)
        found = replace(
            found,
            rows=size.texts,
            text_bytes=size.text_bytes,
            longest_row_bytes=size.longest_bytes,
            is_sampled=len(files) > texts.FILES_OPENED,
        )
    if model := inputs.get("model"):
        found = replace(
            found, base_parameters=parameters_of(model), vocabulary=_vocabulary(model)
        )
    return found


def estimate(knobs: Set, facts: Facts) -> Estimate:
    """Price a run: 6N operations per token (4N for LoRA) plus attention, and scoring twice."""
    own = facts.tokens or ceil(facts.text_bytes / BYTES_PER_TOKEN)
    share = min(knobs.held_out_percent / 100, knobs.held_out_texts_max / max(1, facts.rows))
    mixed = knobs.mixed_percent if facts.has_general else 0
    tokens = ceil(own * (1 - share) * knobs.epochs * 100 / (100 - mixed))
    parameters = parameters_in(knobs, facts)
    scored = own * share * (2 if mixed else 1)
    held = memory.held_by(knobs.weights_held, need(knobs, facts), facts)
    work = Work(
        tokens=tokens,
        flop_per_token=flop_per_token(knobs, parameters),
        has_lora=knobs.method == "lora",
        read_tokens=ceil(scored if facts.is_part else 2 * scored),
        parameters=parameters,
        memory_bytes=held.memory_bytes,
        rows_per_step=rows_per_step(knobs),
    )
    found = price(work, facts)
    cores = min(facts.cores, CORES_MAX)
    prepared_s = facts.text_bytes / (PREPARED_BYTES_PER_CORE_S * cores)
    gpu_seconds = found.gpu_seconds + ceil(prepared_s * max(1, facts.gpus))
    said = _said(knobs, facts, own, prepared_s)
    why = (_counted(facts), *said, *found.why, *held.why)
    return replace(found, gpu_seconds=gpu_seconds, why=why)


def parameters_in(knobs: Set, facts: Facts) -> int:
    """Count the weights of the model that learns."""
    if knobs.method != "new":
        return facts.base_parameters
    vocabulary = knobs.vocabulary if knobs.has_own_pieces else facts.vocabulary
    return SHAPES[knobs.size].parameters(vocabulary or knobs.vocabulary)


def flop_per_token(knobs: Set, parameters: int) -> int:
    """Count what learning from a token costs; of a base model attention is left out."""
    if knobs.method == "lora":
        return 4 * parameters
    if knobs.method == "full":
        return 6 * parameters
    shape = SHAPES[knobs.size]
    return 6 * (parameters + shape.layers * shape.width * knobs.context_tokens)


def rows_per_step(knobs: Set) -> int:
    """Count the rows of a step, each as long as the longest text."""
    return max(1, knobs.tokens_per_step // knobs.context_tokens)


def rate(knobs: Set, *, base_parameters: int) -> float:
    """Give the learning rate: what was set, or what is usual."""
    usual = usual_rate(knobs.method, knobs.size, base_parameters=base_parameters)
    return knobs.learning_rate or usual


def need(knobs: Set, facts: Facts) -> Need:
    """Count what one of the GPUs takes."""
    tokens = memory.tokens_of_one(
        knobs.tokens_per_step, width=knobs.context_tokens, gpus=facts.gpus
    )
    if knobs.method != "new":
        rank = knobs.lora_rank if knobs.method == "lora" else 0
        return memory.need_of_base(facts, lora_rank=rank, tokens=tokens)
    shape, parameters = SHAPES[knobs.size], parameters_in(knobs, facts)
    vocabulary = knobs.vocabulary if knobs.has_own_pieces else facts.vocabulary
    logits = min(tokens * vocabulary, LOGITS_HELD[facts.device]) * LOGIT_BYTES
    activations = tokens * shape.layers * shape.width * ACTIVATION_BYTES
    return memory.need(
        memory.start(facts) + activations + logits,
        parameters=parameters,
        weight_bytes=4,
        trained=parameters,
    )


def _counted(facts: Facts) -> Sentence:
    if facts.tokens:
        text = _("The tokens were counted with the tokenizer of the base model.")
        return Sentence(text)
    if facts.is_sampled:
        text = _("The tokens are guessed from the size of the files: some of them were opened.")
        return Sentence(text)
    return Sentence(_("The tokens are guessed from the size of the files."))


def _said(knobs: Set, facts: Facts, tokens: int, prepared_s: float) -> list[Sentence]:
    chosen = rate(knobs, base_parameters=facts.base_parameters)
    told = [
        Sentence(
            _(
                "First the text is counted and turned into tokens: about %(seconds)s s, and "
                "%(size)s GB on disk while the run lasts."
            ),
            seconds=ceil(prepared_s),
            size=round(tokens * DISK_BYTES_PER_TOKEN / GIGABYTE, 3),
        )
    ]
    if not knobs.learning_rate:
        text = _("Learning rate: %(rate)s, usual for this model.")
        told.append(Sentence(text, rate=f"{chosen:.8f}".rstrip("0")))
    if facts.has_general:
        text = _("Of all tokens %(share)s %% come from the general text.")
        told.append(Sentence(text, share=knobs.mixed_percent))
    return told


def _vocabulary(model: Path) -> int:
    """Read how many pieces a model knows; 0 where its settings do not say."""
    with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        told = json.loads((model / "config.json").read_bytes())
        return max(0, min(int(told["vocab_size"]), VOCABULARY_MAX))
    return 0
