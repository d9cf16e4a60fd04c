"""Rows and a base model small enough to turn into tokens in a blink."""

import functools
import json

import numpy as np
from safetensors.numpy import save
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from fabriek.store import actions as store

END = "<|end|>"
TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ '<|end|>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
ASKED, ANSWERED = "Waar ligt het plein?", "Bij de brug."


@functools.cache
def tokenizer():
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=[END, "<|user|>", "<|assistant|>", "<|system|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator([f"{ASKED} {ANSWERED}"] * 20, trainer)
    return made.to_str()


def model_files(**changes):
    """Give the files of a base model; `changes` by name, dots as underscores."""
    settings = {"eos_token": END, "chat_template": changes.pop("template", TEMPLATE)}
    files = {
        "config.json": json.dumps({"model_type": "llama", "max_position_embeddings": 512}),
        "tokenizer.json": tokenizer(),
        "tokenizer_config.json": json.dumps(settings),
        "model.safetensors": save({"w": np.zeros((100, 10), dtype=np.float32)}),
    }
    return files | {name.replace("__", "."): text for name, text in changes.items()}


def pushed(repository, files, person):
    blobs = {
        name: store.store_bytes(
            repository, [held if isinstance(held, bytes) else held.encode()], by=person
        )
        for name, held in files.items()
    }
    return store.commit(repository, blobs, message="files", by=person)


def row(asked=ASKED, answered=ANSWERED):
    return json.dumps({"prompt": asked, "completion": answered}, ensure_ascii=False) + "\n"


def some_rows(count):
    return "".join(row(f"{ASKED} {number}", f"{ANSWERED} {number}") for number in range(count))
