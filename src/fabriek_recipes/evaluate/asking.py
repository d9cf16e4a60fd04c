"""Asks a model the questions, and notes what it said and how likely it found each choice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch

from fabriek_recipes.evaluate.measures import (
    chances,
    exact_match,
    rouge_l,
    token_f1,
)
from fabriek_recipes.evaluate.questions import Question
from fabriek_recipes.evaluate.tasks import Kind
from fabriek_recipes.training.answering import Writing, answered
from fabriek_recipes.training.base import Base
from fabriek_recipes.training.encoding import check_fits, encode, question, same_start
from fabriek_recipes.training.packing import Example
from fabriek_recipes.training.process import Job, K
from fabriek_recipes.training.weighing import Weighed, weigh


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How to ask, and what counts when an answer is compared."""

    kind: Kind
    tokens_max: int
    context: int
    until: tuple[str, ...] = ()
    ignores_case: bool = False
    ignores_punctuation: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a model said to one question, by measure how good that is, and one figure of all.

    `loss` and `tokens` are those of the expected answer; `said_chance` is how sure it was.
    """

    question: Question
    target: str
    said: str
    values: dict[str, float]
    rank: float
    loss: float = 0.0
    tokens: int = 0
    said_chance: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """All that a model was asked, and the questions that were too long for it."""

    answered: list[Answered] = field(default_factory=list)
    left_out: list[Question] = field(default_factory=list)


def ask(job: Job[K], base: Base, questions: Sequence[Question], manner: Manner) -> Asked:
    """Ask all that fits.

    Raises:
        Failed: `bad_template`, `bad_tokenizer`, `nan_loss`. Stopped: when asked to.
    """
    prompts = [_prompt(base, each) for each in questions]
    texts = [_texts(base, *each) for each in zip(questions, prompts, strict=True)]
    check_fits(base, [text.ids for each in texts for text in each])
    longest = [max(len(text.ids) for text in each) for each in texts]
    fits = [place for place, most in enumerate(longest) if most <= manner.context]
    chosen = [questions[place] for place in fits]
    weighed = iter(weigh(job, base, [text for place in fits for text in texts[place]]))
    told = [[next(weighed) for _text in texts[place]] for place in fits]
    kept = [texts[place] for place in fits]
    if manner.kind == "choose":
        found = [_chosen(*each) for each in zip(chosen, told, strict=True)]
    elif manner.kind == "weigh":
        found = [_weighed(*each) for each in zip(chosen, kept, told, strict=True)]
    else:
        said = _said(job, base, [prompts[place] for place in fits], manner)
        found = [
            _written(manner, _target(base, *each[:2]), *each)
            for each in zip(chosen, kept, told, said, strict=True)
        ]
    left = [each for place, each in enumerate(questions) if longest[place] > manner.context]
    return Asked(answered=found, left_out=left)


def _prompt(base: Base, asked: Question) -> list[int]:
    if asked.row is None:
        return _plain(base, asked.asked.rstrip())
    return question(replace(asked.row, messages=asked.row.messages[:-1]), base.tokenizer)


def _plain(base: Base, text: str) -> list[int]:
    """Turn text into tokens as the tokenizer does by itself, without a sign of the end."""
    ids = list(base.tokenizer(text)["input_ids"])
    while ids and ids[-1] == base.tokenizer.eos_token_id:
        ids.pop()
    return ids or [base.fill]


def _texts(base: Base, asked: Question, prompt: list[int]) -> list[Example]:
    """Give what is weighed: every choice, or the expected answer, each after the question."""
    if asked.row is not None and not asked.choices:
        (encoded,) = encode([asked.row], base.tokenizer, every=False)
        return [encoded.example]
    return [
        _followed(base, asked, prompt, choice) for choice in asked.choices or (asked.target,)
    ]


def _followed(base: Base, asked: Question, prompt: list[int], answer: str) -> Example:
    if asked.row is not None:
        ids = [*prompt, *base.tokenizer(answer, add_special_tokens=False)["input_ids"]]
        return _example(ids, len(prompt))
    # Space at the end of a question belongs to the answer: there the model learned to write it.
    space = asked.asked[len(asked.asked.rstrip()) :]
    whole = _plain(base, f"{asked.asked.rstrip()}{space}{asked.before_target}{answer}")
    return _example(whole, same_start(prompt, whole))


def _example(ids: list[int], learn_from: int) -> Example:
    return Example(torch.tensor(ids, dtype=torch.int32), max(1, learn_from))


def _said(job: Job[K], base: Base, prompts: list[list[int]], manner: Manner) -> list[str]:
    writing = Writing(tokens_max=manner.tokens_max, until=manner.until)
    return [text.strip() for text, _ids, _cut in answered(job, base, prompts, writing)]


def _chosen(asked: Question, told: Sequence[Weighed]) -> Answered:
    totals = [each.total for each in told]
    # As in lm-eval: by the number of characters, so that long choices are not blamed.
    by_length = [
        total / max(1, len(choice)) for total, choice in zip(totals, asked.choices, strict=True)
    ]
    best, best_by_length = (each.index(max(each)) for each in (totals, by_length))
    said = chances(totals)
    return Answered(
        question=asked,
        target=asked.target,
        said=asked.choices[best],
        values={
            "accuracy": float(best == asked.right),
            "accuracy_by_length": float(best_by_length == asked.right),
        },
        rank=said[asked.right],
        said_chance=max(said),
    )


def _weighed(asked: Question, texts: Sequence[Example], told: Sequence[Weighed]) -> Answered:
    (text,), (each,) = texts, told
    return Answered(
        question=asked,
        target=asked.target,
        said=asked.target if each.is_likeliest else "",
        values={"accuracy": float(each.is_likeliest)},
        rank=each.total / max(1, text.learned),
        loss=-each.total,
        tokens=text.learned,
    )


def _target(base: Base, asked: Question, texts: Sequence[Example]) -> str:
    """Give what is expected as the template writes it: a call of a tool is no text before."""
    if asked.row is None:
        return asked.target
    (text,) = texts
    answer = text.ids[text.learn_from :].tolist()
    return str(base.tokenizer.decode(answer, skip_special_tokens=True))


def _written(
    manner: Manner,
    target: str,
    asked: Question,
    texts: Sequence[Example],
    told: Sequence[Weighed],
    said: str,
) -> Answered:
    (text,), (each,) = texts, told
    overlap = token_f1(said, target)
    right = exact_match(
        said,
        target,
        case=not manner.ignores_case,
        punctuation=not manner.ignores_punctuation,
    )
    return Answered(
        question=asked,
        target=target,
        said=said,
        values={
            "exact_match": right,
            "token_f1": overlap,
            "rouge_l": rouge_l(said, target),
        },
        rank=(right + overlap) / 2,
        loss=-each.total,
        tokens=text.learned,
    )
