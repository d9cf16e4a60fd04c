"""Turns texts into tokens as a model reads whole documents: its signs around each text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerBase

from fabriek_recipes.pretrain_lm.making import Encode, Tokens

# Any text: what a tokenizer puts before it stands before every text.
ANY = "a"


def encoder(tokenizer: PreTrainedTokenizerBase) -> Encode:
    """Give what turns texts into tokens: what the model begins a text with, and its end.

    A text that holds the letters of a sign, such as that of an end, is text.
    """
    begin, end = begins_with(tokenizer), int(str(tokenizer.eos_token_id))
    backend = getattr(tokenizer, "backend_tokenizer", None)
    fast = _plain(backend) if isinstance(backend, Tokenizer) else None

    def encode(texts: Sequence[str]) -> list[Tokens]:
        given = list(texts)
        if fast:
            encoded = fast.encode_batch_fast(given, add_special_tokens=False)
            found = [one.ids for one in encoded]
        else:
            found = tokenizer(given, add_special_tokens=False)["input_ids"]
        return [np.array([*begin, *ids, end], dtype=np.int32) for ids in found]

    return encode


def begins_with(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Give the signs a tokenizer puts before any text; some models were taught with them."""
    bare = list(tokenizer(ANY, add_special_tokens=False)["input_ids"])
    dressed = list(tokenizer(ANY)["input_ids"])
    for at in range(len(dressed) - len(bare) + 1):
        if dressed[at : at + len(bare)] == bare:
            return dressed[:at]
    return []


def _plain(backend: Tokenizer) -> Tokenizer:
    """Copy it, so that what is set here is not saved with the model."""
    copy = Tokenizer.from_str(backend.to_str())
    copy.no_truncation()
    copy.no_padding()
    copy.encode_special_tokens = True
    return copy
