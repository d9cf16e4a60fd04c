"""What a run begins with: the model, new or of others, with its tokenizer."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Literal

import torch
from tokenizers import Tokenizer
from transformers import (
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerBase,
)

from fabriek_recipes.events import Json
from fabriek_recipes.memory import Holding
from fabriek_recipes.pretrain_lm import estimating, pieces
from fabriek_recipes.pretrain_lm.corpus import Corpus, Surveyed
from fabriek_recipes.pretrain_lm.encoding import encoder
from fabriek_recipes.pretrain_lm.knobs import Knobs
from fabriek_recipes.pretrain_lm.making import Encode
from fabriek_recipes.pretrain_lm.shapes import SHAPES
from fabriek_recipes.pretrain_lm.tokenizer import dressed, heard
from fabriek_recipes.training import adapting, holding, lora, shards
from fabriek_recipes.training.base import Base, load_tokenizer
from fabriek_recipes.training.encoding import context_of
from fabriek_recipes.training.process import Job
from fabriek_recipes.words import _


@dataclass(frozen=True, slots=True, kw_only=True)
class Onward:
    """How a base model is changed."""

    method: Literal["lora", "full"]
    lora_rank: int
    lora_alpha: int
    lora_dropout: float
    weights_held: Holding


def base_for(
    job: Job[Knobs], found: Surveyed, device: torch.device, *, apart: Container[int]
) -> tuple[Base, lora.Lora | None]:
    """Load the base model with what is added to it, or make a new one with a tokenizer.

    `apart`: names of texts that a tokenizer is not learned from either.

    Raises:
        Failed: `bad_model`. Stopped: while the tokenizer is made.
    """
    if job.knobs.method == "new":
        return _new_base(job, found, device, apart), None
    job.events.stage(_("Loading the model"))
    knobs = job.knobs
    onward = Onward(
        method="lora" if knobs.method == "lora" else "full",
        lora_rank=knobs.lora_rank,
        lora_alpha=knobs.lora_alpha,
        lora_dropout=knobs.lora_dropout,
        weights_held=knobs.weights_held,
    )
    return adapting.prepared(job, onward, device, estimating.need)


def _new_base(
    job: Job[Knobs], found: Surveyed, device: torch.device, apart: Container[int]
) -> Base:
    tokenizer = _tokenizer(job, found, apart)
    # Here, so that the weights depend on nothing that was drawn before.
    torch.manual_seed(job.manifest.seed)
    model = new_model(job.knobs, tokenizer)
    if holding.is_divided(job, device, estimating.need, job.knobs.weights_held):
        shards.divide(model, device, job.group)
    else:
        model.to(device)
    return Base(model=model, tokenizer=tokenizer, dtype=torch.float32)


def width_of(job: Job[Knobs], base: Base) -> int:
    """Give how long a row is: as was asked for, and no longer than the model can look back."""
    return min(job.knobs.context_tokens, context_of(base))


def fertility(job: Job[Knobs], encode: Encode, made: Corpus) -> dict[str, Json]:
    """Say how many tokens a word takes; beside the base model's, on the same texts kept apart.

    A word is what stands between spaces.
    """
    found: dict[str, Json] = {
        "tokenizer": "own" if job.knobs.has_own_pieces else "base",
        "tokens_per_word": _a_word(made.made.tokens, made.made.words),
    }
    if not job.knobs.has_own_pieces or "model" not in job.manifest.inputs or not made.held_out:
        return found
    theirs = encoder(load_tokenizer(job.input("model")))
    words = sum(len(text.split()) for text in made.held_out)
    for name, cut in (("tokens_per_word", encode), ("tokens_per_word_base", theirs)):
        signs = len(cut([""])[0])
        tokens = sum(len(ids) - signs for ids in cut(made.held_out))
        found[name] = _a_word(tokens, words)
    return found


def _a_word(tokens: int, words: int) -> float:
    return round(tokens / max(1, words), 3)


def _tokenizer(
    job: Job[Knobs], found: Surveyed, apart: Container[int]
) -> PreTrainedTokenizerBase:
    if not job.knobs.has_own_pieces:
        return load_tokenizer(job.input("model"))
    job.events.stage(_("Making the tokenizer"))
    path = job.checkpoints / "tokenizer.json"

    def learn() -> None:
        texts = heard(found.sample(apart=apart), job.stop)
        pieces.make(path, texts, job.knobs.vocabulary)

    job.group.once(learn)
    made = dressed(Tokenizer.from_file(str(path)), job.knobs.context_tokens)
    job.stop.check()
    return made


def new_model(knobs: Knobs, tokenizer: PreTrainedTokenizerBase) -> LlamaForCausalLM:
    """Make a model of the size asked for, with weights drawn by lot."""
    shape = SHAPES[knobs.size]
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=shape.width,
        intermediate_size=shape.inner,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        head_dim=shape.width // shape.heads,
        max_position_embeddings=knobs.context_tokens,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        attn_implementation="sdpa",
    )
    model = LlamaForCausalLM(config)
    model.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return model
