"""Lets a model write one answer, token by token, for whoever wants to see it grow.

Shapes: B texts (one), T tokens, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

import torch
from transformers import DynamicCache, PreTrainedModel, PreTrainedTokenizerBase

from fabriek_recipes.conversations import Message, Row
from fabriek_recipes.training.base import Base
from fabriek_recipes.training.device import precision
from fabriek_recipes.training.drawing import Lots
from fabriek_recipes.training.encoding import check_fits, dress, question

# How a tokenizer shows bytes of which the rest is still to come.
NOT_WHOLE = "\ufffd"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How to write. `temperature` 0: the likeliest token each time; else drawn by the seed."""

    temperature: float = 0.0
    tokens_max: int = 256
    seed: int = 1


def asked(base: Base, messages: Sequence[Message]) -> list[int]:
    """Give the tokens by which a model is asked: those that training puts before an answer.

    Raises:
        Failed: `bad_template`, `bad_tokenizer`.
    """
    dress(base.tokenizer)
    ids = question(Row(line=1, messages=tuple(messages)), base.tokenizer)
    check_fits(base, [torch.tensor(ids)])
    return ids


def written(
    model: PreTrainedModel, prompt: Sequence[int], *, stops: set[int], manner: Manner
) -> Iterator[int]:
    """Give the tokens of an answer one by one, without the sign of its end.

    What happens between two tokens is the caller's: another answer may be written in turn.
    """
    pick = Lots([manner.seed], temperature=manner.temperature) if manner.temperature else None
    cache = DynamicCache(config=model.config)
    ids_BT = torch.tensor([list(prompt)], device=model.device)
    positions_BT = torch.arange(len(prompt), device=model.device)[None]
    for _step in range(manner.tokens_max):
        with torch.no_grad(), precision(model.device):
            logits_B1V = model(
                input_ids=ids_BT,
                attention_mask=ids_BT.new_ones((1, int(positions_BT[0, -1]) + 1)),
                position_ids=positions_BT,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            ).logits
        logits_BV = logits_B1V[:, -1]
        next_B = pick(logits_BV, [0]) if pick else logits_BV.argmax(-1)
        token = int(next_B)
        if token in stops:
            return
        yield token
        ids_BT, positions_BT = next_B[:, None], positions_BT[:, -1:] + 1


@dataclass(slots=True)
class Growing:
    """The text of an answer as it grows; a sign of which bytes lack is held back."""

    tokenizer: PreTrainedTokenizerBase
    ids: list[int] = field(default_factory=list)
    text: str = ""

    def news(self, *, is_whole: bool = False) -> tuple[int, str]:
        """Give how many characters of what was told before stand, and what comes after them."""
        text = str(self.tokenizer.decode(self.ids, skip_special_tokens=True)).lstrip()
        text = text.rstrip() if is_whole else text.rstrip(NOT_WHOLE)
        pairs = zip(self.text, text, strict=False)
        kept = sum(1 for _pair in takewhile(lambda pair: pair[0] == pair[1], pairs))
        self.text = text
        return kept, text[kept:]
