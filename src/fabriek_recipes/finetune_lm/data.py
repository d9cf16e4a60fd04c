"""Reads the rows of a run, keeps some apart for scoring, and turns them into tokens."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path

import torch
from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from fabriek_recipes.finetune_lm.knobs import Knobs
from fabriek_recipes.rows import Row, RowProblem, files_of, read
from fabriek_recipes.training.packing import Example
from fabriek_recipes.training.run import refuse
from fabriek_recipes.words import Failed, _

# Fewer rows than this tell nothing when some are kept apart, and each is needed.
ROWS_TO_SPLIT = 10
# For a base model without a template: question, new line, answer.
PLAIN_TEMPLATE = (
    "{% if bos_token %}{{ bos_token }}{% endif %}{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}{{ message['content'] + eos_token }}"
    "{% else %}{{ message['content'] + '\\n' }}{% endif %}{% endfor %}"
)


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """A row and its tokens; the prompt's are those a server would make of the same question."""

    row: Row
    example: Example

    @property
    def prompt_ids(self) -> list[int]:
        """The tokens up to the answer."""
        return self.example.ids[: self.example.learn_from].tolist()


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Rows to learn from and rows to score on."""

    train: tuple[Row, ...]
    held_out: tuple[Row, ...]


def split(dataset: Path, knobs: Knobs) -> Split:
    """Read every row; keep apart the dataset's own held-out file, or the rows with lowest hash.

    The choice depends on a row's text alone: equal rows fall on the same side, and adding rows
    moves few others.

    Raises:
        Failed: `bad_row` with the line of the first bad row; `no_rows`.
    """
    contents = files_of(dataset)
    if not contents.train:
        raise Failed("no_rows", _("The dataset has no .jsonl file; add one with your rows."))
    train = _rows(contents.train)
    if contents.held_out:
        return Split(train=train, held_out=_rows(contents.held_out)[: knobs.held_out_rows_max])
    wanted = ceil(len(train) * knobs.held_out_percent / 100)
    wanted = min(wanted, knobs.held_out_rows_max) if len(train) >= ROWS_TO_SPLIT else 0
    hashes = [_hash(row) for row in train]
    apart = set(sorted(set(hashes))[:wanted])
    return Split(
        train=tuple(row for row, name in zip(train, hashes, strict=True) if name not in apart),
        held_out=tuple(row for row, name in zip(train, hashes, strict=True) if name in apart),
    )


def encode(
    rows: Sequence[Row], tokenizer: PreTrainedTokenizerBase, tokens_max: int
) -> list[Encoded]:
    """Turn rows into tokens with the model's own template, leaving out those too long.

    Raises:
        Failed: `bad_template`, when the template cannot render a row or hides where the answer
            begins.
    """
    if not tokenizer.chat_template:
        tokenizer.chat_template = PLAIN_TEMPLATE
    texts = [_texts(row, tokenizer) for row in rows]
    prompts = _ids(tokenizer, [prompt for prompt, _answer in texts])
    answers = _ids(tokenizer, [answer for _prompt, answer in texts])
    return [
        Encoded(row, Example(torch.tensor(prompt + answer, dtype=torch.int32), len(prompt)))
        for row, prompt, answer in zip(rows, prompts, answers, strict=True)
        if len(prompt) + len(answer) <= tokens_max
    ]


def _rows(files: Sequence[Path]) -> tuple[Row, ...]:
    rows = []
    for path in files:
        for item in read(path):
            if isinstance(item, RowProblem):
                raise refuse(item, path.name)
            rows.append(item)
    return tuple(rows)


def _hash(row: Row) -> str:
    text = json.dumps([asdict(message) for message in row.messages], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _texts(row: Row, tokenizer: PreTrainedTokenizerBase) -> tuple[str, str]:
    messages = [asdict(message) for message in row.messages]
    end = str(tokenizer.eos_token)
    try:
        prompt = tokenizer.apply_chat_template(
            messages[:-1], tokenize=False, add_generation_prompt=True
        )
        whole = tokenizer.apply_chat_template(messages, tokenize=False)
    except (TemplateError, ValueError, TypeError) as why:
        raise _bad_template(row, str(why)) from why
    if not whole.startswith(prompt):
        raise _bad_template(row, "the answer does not follow the question")
    answer = whole[len(prompt) :].rstrip()
    return prompt, answer if answer.endswith(end) else answer + end


def _ids(tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> list[list[int]]:
    return list(tokenizer(texts, add_special_tokens=False)["input_ids"]) if texts else []


def _bad_template(row: Row, why: str) -> Failed:
    return Failed(
        "bad_template",
        _("The base model's template cannot render line %(line)s (%(why)s); choose another."),
        line=row.line,
        why=why[:200],
    )
