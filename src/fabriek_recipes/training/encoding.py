"""Turns conversations into tokens: those a server would make, and which of them are learned."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, takewhile

import torch
from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase
from transformers.utils.chat_template_utils import render_jinja_template

from fabriek_recipes.chat import (
    PLAIN_TEMPLATE,
    BadTemplate,
    Messages,
    Part,
    Render,
    check_tools,
    learned_marks,
    parts,
)
from fabriek_recipes.conversations import Row
from fabriek_recipes.training import refusals
from fabriek_recipes.training.base import Base
from fabriek_recipes.training.packing import Example

MARKED = re.compile(r"\{%-?\s*generation\s*-?%\}")
ONE_TURN = 2  # a question and its answer
UNFIT = (TemplateError, ValueError, TypeError, KeyError, BadTemplate)


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """A row and its tokens; those of its question are what a server would make of it."""

    row: Row
    example: Example
    answer_at: int
    """Where the last answer begins."""

    @property
    def prompt_ids(self) -> list[int]:
        """The tokens up to the last answer."""
        return self.example.ids[: self.answer_at].tolist()

    @property
    def answer_ids(self) -> list[int]:
        """The tokens of the last answer, with the sign of its end."""
        return self.example.ids[self.answer_at :].tolist()


def dress(tokenizer: PreTrainedTokenizerBase) -> str:
    """Give a tokenizer without a template the plain one; returns what names the template.

    It is saved with the tokenizer, so that whoever serves the model asks as it was taught.
    """
    if not tokenizer.chat_template:
        tokenizer.chat_template = PLAIN_TEMPLATE
    template = tokenizer.get_chat_template()
    return hashlib.sha256(str(template).encode()).hexdigest()


def encode(
    rows: Sequence[Row], tokenizer: PreTrainedTokenizerBase, *, every: bool = True
) -> list[Encoded]:
    """Turn rows into tokens with the model's own template; `every` answer is learned, or one.

    Raises:
        Failed: `bad_template`, when the template cannot render a row or hides where an answer
            begins.
    """
    dress(tokenizer)
    split = [_parts(row, tokenizer, every=every) for row in rows]
    asked = ["".join(each.text for each in part[:-1]) for part in split if len(part) > ONE_TURN]
    prompts = iter(_ids(tokenizer, asked))
    pieces = iter(_ids(tokenizer, [each.text for part in split for each in part]))
    found = []
    for row, part in zip(rows, split, strict=True):
        ids = [next(pieces) for _piece in part]
        prompt = ids[0] if len(part) == ONE_TURN else next(prompts)
        ends = _ends(tokenizer, part, prompt, ids)
        found.append(Encoded(row, _example(prompt + ids[-1], part, ends), len(prompt)))
    return found


def question(row: Row, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Give the tokens by which a server asks for the answer to `row`.

    Raises:
        Failed: `bad_template`.
    """
    try:
        messages: Messages = [dict(message.told()) for message in row.messages]
        asked = _render(row, tokenizer)(messages, True)
        check_tools(row, asked)
        return _ids(tokenizer, [asked])[0]
    except UNFIT as why:
        raise refusals.bad_template(row, str(why)) from why


def check_fits(base: Base, tokens: Iterable[torch.Tensor]) -> None:
    """Look whether the model knows every token of its tokenizer that is used.

    Raises:
        Failed: `bad_tokenizer`.
    """
    known = int(base.model.get_input_embeddings().weight.shape[0])
    highest = max((int(each.max()) for each in tokens if len(each)), default=0)
    if highest >= known:
        raise refusals.bad_tokenizer(known=known, highest=highest)


def context_of(base: Base) -> int:
    """Give how many tokens the model can look at together."""
    return int(getattr(base.model.config, "max_position_embeddings", 0) or 1 << 30)


def _parts(row: Row, tokenizer: PreTrainedTokenizerBase, *, every: bool) -> tuple[Part, ...]:
    render = _render(row, tokenizer)
    try:
        return parts(row, render, str(tokenizer.eos_token), every=every)
    except UNFIT as why:
        if isinstance(why, BadTemplate) and every:
            # Many templates drop what a model thought once its answer is no longer the last.
            if (found := _marked(row, tokenizer, render)) is not None:
                return found
            if _is_stable(row, render, str(tokenizer.eos_token)):
                raise refusals.only_last(row) from why
        raise refusals.bad_template(row, str(why)) from why


def _render(row: Row, tokenizer: PreTrainedTokenizerBase) -> Render:
    tools = json.loads(row.tools) if row.tools else None

    def render(messages: Messages, begins_answer: bool) -> str:
        return str(
            tokenizer.apply_chat_template(
                messages, tools=tools, tokenize=False, add_generation_prompt=begins_answer
            )
        )

    return render


def _marked(
    row: Row, tokenizer: PreTrainedTokenizerBase, render: Render
) -> tuple[Part, ...] | None:
    """Split where the template itself marks what the assistant says, if it does."""
    template, end = str(tokenizer.get_chat_template()), str(tokenizer.eos_token)
    if not MARKED.search(template):
        return None
    messages: Messages = [dict(message.told()) for message in row.messages]
    texts, places = render_jinja_template(
        conversations=[messages],
        tools=json.loads(row.tools) if row.tools else None,
        chat_template=template,
        return_assistant_tokens_mask=True,
        **tokenizer.special_tokens_map,
    )
    whole, at = texts[0].rstrip(), 0
    asked = render(messages[:-1], True)
    if not places[0] or not whole.startswith(asked):
        return None
    marks = learned_marks(row, places[0])
    found: list[Part] = []
    for start, stop in marks[:-1]:
        ends = stop + len(end) if whole.startswith(end, stop) else stop
        found += [Part(whole[at:start], learned=False), Part(whole[start:ends], learned=True)]
        at = ends
    answer = whole[len(asked) :]
    last = answer if answer.endswith(end) else answer + end
    found += [Part(whole[at : len(asked)], learned=False), Part(last, learned=True)]
    return tuple(found) if marks and at <= len(asked) else None


def _is_stable(row: Row, render: Render, end: str) -> bool:
    try:
        parts(row, render, end, every=False)
    except UNFIT:
        return False
    return True


def _ends(
    tokenizer: PreTrainedTokenizerBase,
    part: Sequence[Part],
    prompt: list[int],
    pieces: Sequence[list[int]],
) -> list[int]:
    """Give where each piece but the last ends in the tokens of the whole question."""
    if [token for piece in pieces[:-1] for token in piece] == prompt:
        return list(accumulate(len(piece) for piece in pieces[:-1]))
    # Where pieces meet, a token may hold the end of one and the beginning of the next: then it
    # belongs to what is asked, as a server would never let the model write half of it.
    texts = list(accumulate(each.text for each in part[:-1]))
    ends = [same_start(ids, prompt) for ids in _ids(tokenizer, texts)]
    return [*ends[:-1], len(prompt)]


def same_start(one: Sequence[int], other: Sequence[int]) -> int:
    """Count the tokens with which both begin."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _pair in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _example(ids: list[int], part: Sequence[Part], ends: Sequence[int]) -> Example:
    """Skip what stands between answers: every other piece after the first that is learned."""
    skipped: list[tuple[int, int]] = []
    for place in range(2, len(part) - 1, 2):
        start, end = ends[place - 1], ends[place]
        skipped.append((start, end))
    return Example(torch.tensor(ids, dtype=torch.int32), ends[0], tuple(skipped))


def _ids(tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> list[list[int]]:
    return list(tokenizer(texts, add_special_tokens=False)["input_ids"]) if texts else []
