"""Learns a byte-level tokenizer from texts; light, so that a portal can show what it makes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

END, FILL = "<|end|>", "<|fill|>"
ROLES = ("<|system|>", "<|user|>", "<|assistant|>")


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
