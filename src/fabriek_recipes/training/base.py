"""Loads a base model from a folder: safetensors only, no code of others, nothing missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.initialization import no_init_weights
from transformers.utils import GENERATION_CONFIG_NAME

from fabriek_recipes.facts import model_problems
from fabriek_recipes.training import attention
from fabriek_recipes.words import Failed, _

# What the library raises on files of strangers that will not do.
WRONG = (OSError, ValueError, KeyError, TypeError, RuntimeError, ImportError)
# How it says that attention of a model is more than torch's kernel can do, as of Gemma 2.
NO_KERNEL = "does not support an attention implementation"

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Base:
    """A model with its tokenizer, and the precision it was kept in."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    dtype: torch.dtype

    @property
    def stops(self) -> set[int]:
        """The tokens that end an answer."""
        configured = self.model.generation_config.eos_token_id
        more = configured if isinstance(configured, list) else [configured]
        return {
            int(token) for token in [self.tokenizer.eos_token_id, *more] if token is not None
        }

    @property
    def fill(self) -> int:
        """A token for filling; never looked at."""
        return int(self.tokenizer.pad_token_id or 0)


def load(folder: Path, device: torch.device, *, frozen: bool, aside: bool = False) -> Base:
    """Load a model to train; `frozen` weights may stay in half precision on a GPU.

    `aside`: leave it in the memory of the processor for now.

    Raises:
        Failed: `bad_model`, with what is wrong with it.
    """
    for problem in model_problems(folder):
        raise Failed("bad_model", problem.msgid, **dict(problem.values))
    tokenizer = load_tokenizer(folder)
    try:
        model, found = _attending(
            lambda way: AutoModelForCausalLM.from_pretrained(
                folder,
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                dtype="auto",
                attn_implementation=way,
                output_loading_info=True,
            )
        )
    except WRONG as why:
        raise _bad(str(why)) from why
    if attention.is_step_by_step(model) and not attention.takes_masks(model):
        raise _bad("its attention cannot be told where packed texts begin")
    if found["missing_keys"]:
        raise _bad("missing weights: " + ", ".join(sorted(found["missing_keys"])[:3]))
    dtype = model.dtype
    if not (frozen and device.type == "cuda"):
        model = model.float()
    model = model if aside else model.to(device)
    return Base(model=model.eval(), tokenizer=tokenizer, dtype=dtype)


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a model alone. Raises: Failed: `bad_model`."""
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            folder, local_files_only=True
        )
    except WRONG as why:
        raise _bad(str(why)) from why
    if tokenizer.eos_token is None:
        raise _bad("its tokenizer has no sign for the end of a text")
    return tokenizer


def hollow(folder: Path, kinds: Mapping[str, str]) -> Base:
    """Make a model of the shape of one that another process loaded, without its weights.

    They take no memory until something is written there. `kinds`: the kind of number of each.
    """
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    with no_init_weights():
        model = _attending(
            lambda way: AutoModelForCausalLM.from_config(config, attn_implementation=way)
        )
    model.tie_weights()
    if (folder / GENERATION_CONFIG_NAME).is_file():
        model.generation_config = GenerationConfig.from_pretrained(
            folder, local_files_only=True
        )
    for name, weight in model.named_parameters():
        weight.data = torch.empty_like(weight, dtype=getattr(torch, kinds[name]))
    return Base(model=model.eval(), tokenizer=tokenizer, dtype=model.dtype)


def kinds_of(base: Base) -> dict[str, str]:
    """Say of each weight of what kind of number it is."""
    return {
        name: str(weight.dtype).removeprefix("torch.")
        for name, weight in base.model.named_parameters()
    }


def _attending(made: Callable[[str], T]) -> T:
    """Make a model that attends by torch's own kernel, or step by step where it must."""
    try:
        return made("sdpa")
    except ValueError as why:
        if NO_KERNEL not in str(why):
            raise
    return made(attention.STEP_BY_STEP)


def _bad(why: str) -> Failed:
    return Failed(
        "bad_model",
        _("The base model cannot be loaded (%(why)s); choose another or fetch it again."),
        why=why[:300],
    )
