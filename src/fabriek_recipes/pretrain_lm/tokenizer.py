"""Dresses a tokenizer for use: the signs and the template of a conversation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from fabriek_recipes.pretrain_lm.pieces import END, FILL, ROLES
from fabriek_recipes.training.stopping import Stop

# One sign per turn keeps short rows short; an answer ends as a text does, so that the end is
# known before fine-tuning.
TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ '<|end|>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def heard(texts: Iterable[str], stop: Stop) -> Iterator[str]:
    """Pass texts on, and hear who asks to stop. Raises: Stopped."""
    for text in texts:
        stop.check()
        yield text


def dressed(tokenizer: Tokenizer, context_tokens: int) -> PreTrainedTokenizerFast:
    """Add what transformers keeps beside the pieces: the end, the filling, the template."""
    dressed = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=FILL,
        additional_special_tokens=list(ROLES),
        model_max_length=context_tokens,
        clean_up_tokenization_spaces=False,
    )
    dressed.chat_template = TEMPLATE
    return dressed
