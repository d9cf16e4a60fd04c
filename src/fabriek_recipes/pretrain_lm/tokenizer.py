"""Makes a byte-level tokenizer from a corpus, with the signs and template of a conversation."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

END, FILL = "<|end|>", "<|fill|>"
ROLES = ("<|system|>", "<|user|>", "<|assistant|>")
# One sign per turn keeps short rows short; an answer ends as a text does, so that the end is
# known before fine-tuning.
TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ '<|end|>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def train(texts: Iterable[str], vocabulary: int) -> Tokenizer:
    """Learn up to `vocabulary` pieces; any bytes can be written with them."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[END, FILL, *ROLES],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def make(path: Path, texts: Iterable[str], vocabulary: int) -> None:
    """Make the tokenizer at `path` unless it is there: a resumed run needs the same."""
    if not path.is_file():
        temporary = path.with_suffix(".part")
        train(texts, vocabulary).save(str(temporary))
        temporary.replace(path)


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
