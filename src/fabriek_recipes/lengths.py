"""What was counted of rows, as an estimate needs it: those that are not left out."""

from __future__ import annotations

from dataclasses import dataclass

from fabriek_recipes.kinds import Facts
from fabriek_recipes.words import Sentence, _


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """The rows of at most so many tokens."""

    share: float
    """Of all rows."""
    row_tokens: float
    longest: int
    tokens: int


def counted(facts: Facts, tokens_per_row_max: int) -> Lengths | None:
    """Give what is known of the rows that fit, when they were counted at all."""
    fit = [(size, rows) for size, rows in facts.token_lengths if size <= tokens_per_row_max]
    count = sum(rows for _size, rows in fit)
    if not count:
        return None
    tokens = sum(size * rows for size, rows in fit)
    every = sum(rows for _size, rows in facts.token_lengths)
    longest = max(size for size, _rows in fit)
    return Lengths(
        share=count / every, row_tokens=tokens / count, longest=longest, tokens=tokens
    )


def told(found: Lengths | None) -> Sentence:
    """Say where the number of tokens comes from."""
    if found is None:
        text = _(
            "The tokens are guessed from the size of the files. Look at what the model will "
            "see and they are counted."
        )
        return Sentence(text)
    text = _(
        "The tokens were counted with the model's own tokenizer: %(mean)s in a row on average, "
        "%(longest)s in the longest row that is used."
    )
    return Sentence(text, mean=round(found.row_tokens), longest=found.longest)
