"""What is trained on: rows of instructions, and a small model with a tokenizer of its own."""

from __future__ import annotations

import json
import random
from pathlib import Path

import torch
from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as Decoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer
from transformers import PreTrainedTokenizerFast

from bench.train.shapes import SHAPES, Shape, made

# Real rows of other people, where the checkout lies beside them; they are not ours to spread.
REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "alpaca_en_demo.json"
ROWS, TOKENS_MAX, VOCABULARY = 2_000, 256, 2_048
END = "<|end|>"


def make(home: Path, rows: int = ROWS) -> str:
    """Write `base/` and `data/rows.jsonl` below `home`; give what the rows are, in words."""
    pairs, told = _pairs(rows)
    tokenizer = _tokenizer([f"{asked}\n{answer}" for asked, answer in pairs])
    tokenizer.save_pretrained(home / "base")
    torch.manual_seed(1)
    model = made(_tiny(len(tokenizer)), "cpu", torch.float32, **_ends(tokenizer))
    model.save_pretrained(home / "base")
    fitting = [pair for pair in pairs if _fits(tokenizer, *pair)]
    (home / "data").mkdir()
    lines = [json.dumps({"prompt": asked, "completion": answer}) for asked, answer in fitting]
    (home / "data" / "rows.jsonl").write_text("\n".join(lines) + "\n")
    tokens = sum(len(tokenizer(f"{a}\n{b}")["input_ids"]) + 1 for a, b in fitting)
    return f"{len(fitting):,} rows of at most {TOKENS_MAX} tokens, {tokens:,} in all, {told}"


def _pairs(rows: int) -> tuple[list[tuple[str, str]], str]:
    if REAL.is_file():
        found = json.loads(REAL.read_text())
        pairs = [
            (" ".join(filter(None, (one["instruction"], one["input"]))), one["output"])
            for one in found
        ]
        return [pairs[n % len(pairs)] for n in range(rows)], "alpaca_en_demo"
    dice = random.Random(1)  # the same rows each time
    words = ["".join(dice.choices("abcdefghij", k=dice.randint(2, 8))) for _n in range(500)]

    def text(most: int) -> str:
        return " ".join(dice.choices(words, k=dice.randint(3, most)))

    return [(text(20), text(60)) for _n in range(rows)], "made words"


def _tokenizer(texts: list[str]) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.decoder = Decoder()
    trainer = BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[END],
        initial_alphabet=ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END, pad_token=END)


def _tiny(vocabulary: int) -> Shape:
    like = SHAPES["tiny"]
    return Shape(
        kind=like.kind,
        width=like.width,
        inner=like.inner,
        layers=like.layers,
        heads=like.heads,
        key_heads=like.key_heads,
        vocabulary=vocabulary,
        is_tied=True,
    )


def _ends(tokenizer: PreTrainedTokenizerFast) -> dict[str, object]:
    end = tokenizer.eos_token_id
    return {"eos_token_id": end, "pad_token_id": end, "bos_token_id": None}


def _fits(tokenizer: PreTrainedTokenizerFast, asked: str, answer: str) -> bool:
    return len(tokenizer(f"{asked}\n{answer}")["input_ids"]) + 4 <= TOKENS_MAX
