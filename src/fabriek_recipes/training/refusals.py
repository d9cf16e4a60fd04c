"""What recipes of language models say of rows and models that will not do."""

from __future__ import annotations

from collections.abc import Sequence

from fabriek_recipes.conversations import Row
from fabriek_recipes.words import Failed, Sentence, _, counted

LINES_NAMED = 5


def all_too_long(most: int, *, asked: int) -> Failed:
    """Say that nothing is left to work on; `asked`: what the setting would have let in."""
    if most < asked:
        return beyond_context(most)
    return Failed(
        "rows_too_long",
        _("Every row is longer than %(most)s tokens; shorten them or raise “Longest row”."),
        most=most,
    )


def beyond_context(most: int) -> Failed:
    """Say that a model cannot look at any of the rows."""
    return Failed(
        "rows_too_long",
        _(
            "Every row is longer than the %(most)s tokens that this model can look at; shorten "
            "them or choose another model."
        ),
        most=most,
    )


def too_long(rows: Sequence[int], most: int) -> Sentence:
    """Say on which lines the rows stand that are left out for their length."""
    lines = ", ".join(str(line) for line in rows[:LINES_NAMED])
    if len(rows) > LINES_NAMED:
        lines += ", …"
    return counted(
        _("%(count)s row is longer than %(most)s tokens and was left out (line %(lines)s)."),
        _(
            "%(count)s rows are longer than %(most)s tokens and were left out (lines "
            "%(lines)s)."
        ),
        count=len(rows),
        most=most,
        lines=lines,
    )


def none_held_out() -> Sentence:
    """Say that there is nothing to score on."""
    return Sentence(
        _("No rows were kept apart, so this run has no score; add rows or a held-out file.")
    )


def no_number() -> Failed:
    """Say that a model's weights are no longer numbers."""
    return Failed(
        "nan_loss",
        _("The model's loss is not a number; choose another base model or a lower rate."),
    )


def bad_template(row: Row, why: str) -> Failed:
    """Say that the template and a row do not go together."""
    return Failed(
        "bad_template",
        _("The base model's template cannot render line %(line)s (%(why)s); choose another."),
        line=row.line,
        why=why[:200],
    )


def only_last(row: Row) -> Failed:
    """Say that a template can be learned with, but not from every answer."""
    return Failed(
        "bad_template",
        _(
            "The base model's template changes earlier answers of line %(line)s once a later "
            "one follows; choose to learn from the last answer only."
        ),
        line=row.line,
    )


def bad_tokenizer(*, known: int, highest: int) -> Failed:
    """Say that a model does not know all pieces of words of its tokenizer."""
    return Failed(
        "bad_tokenizer",
        _(
            "The base model knows %(known)s pieces of words and its tokenizer uses number "
            "%(highest)s: they do not belong together. Take the tokenizer that came with the "
            "model."
        ),
        known=known,
        highest=highest,
    )
