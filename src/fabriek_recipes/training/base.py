"""Loads a base model from a folder: safetensors only, no code of others, nothing missing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from fabriek_recipes.facts import model_problems
from fabriek_recipes.words import Failed, _


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


def load(folder: Path, device: torch.device, *, frozen: bool) -> Base:
    """Load a model to train; `frozen` weights may stay in half precision on a GPU.

    Raises:
        Failed: `bad_model`, with what is wrong with it.
    """
    for problem in model_problems(folder):
        raise Failed("bad_model", problem.msgid, **dict(problem.values))
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model, found = AutoModelForCausalLM.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            dtype="auto",
            attn_implementation="sdpa",
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, ImportError) as why:
        raise _bad(str(why)) from why
    if found["missing_keys"]:
        raise _bad("missing weights: " + ", ".join(sorted(found["missing_keys"])[:3]))
    if tokenizer.eos_token is None:
        raise _bad("its tokenizer has no sign for the end of a text")
    dtype = model.dtype
    if not (frozen and device.type == "cuda"):
        model = model.float()
    return Base(model=model.to(device).eval(), tokenizer=tokenizer, dtype=dtype)


def _bad(why: str) -> Failed:
    return Failed(
        "bad_model",
        _("The base model cannot be loaded (%(why)s); choose another or fetch it again."),
        why=why[:300],
    )
