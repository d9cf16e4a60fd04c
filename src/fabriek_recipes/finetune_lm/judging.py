"""What the scores of a tuned model are worth: their intervals, and the rows it got wrong."""

from __future__ import annotations

from collections.abc import Sequence

from fabriek_recipes import evaluation
from fabriek_recipes.evaluation import Evaluation, Score, Worst, cut
from fabriek_recipes.finetune_lm.scoring import Scores
from fabriek_recipes.training.encoding import Encoded
from fabriek_recipes.training.intervals import of_ratio, of_share

WORST_KEPT = 20


def judged(rows: Sequence[Encoded], before: Scores, after: Scores, *, seed: int) -> Evaluation:
    """Put the scores on these rows beside those of before, each with where it surely lies."""
    learned = [float(each.example.learned) for each in rows]
    right = sum(_is_right(after))
    bounds = {
        "exact_match": of_share(right, len(rows)),
        "loss": of_ratio(after.losses, learned, seed=seed),
    }
    scores = [
        Score(
            name=name,
            value=round(getattr(after, name), 6),
            before=round(getattr(before, name), 6),
            low=round(low, 6),
            high=round(high, 6),
        )
        for name, (low, high) in bounds.items()
    ]
    return Evaluation(rows=len(rows), scores=scores, worst=_worst(rows, after))


def _is_right(told: Scores) -> list[bool]:
    found = zip(told.answers, told.expected, strict=True)
    return [answer == expected for answer, expected in found]


def _worst(rows: Sequence[Encoded], told: Scores) -> list[Worst]:
    """Show the rows that were answered wrongly, the most surprising right answer first."""
    per_token = [
        loss / max(1, each.example.learned)
        for loss, each in zip(told.losses, rows, strict=True)
    ]
    wrong = [place for place, is_right in enumerate(_is_right(told)) if not is_right]
    ranked = sorted(wrong, key=lambda place: -per_token[place])
    return [
        Worst(
            row=str(rows[place].row.line),
            truth=cut(told.expected[place]),
            said=cut(told.answers[place]),
            distance=round(per_token[place], 6),
            shown=cut(rows[place].row.prompt, evaluation.SHOWN_CELLS_MAX),
        )
        for place in ranked[:WORST_KEPT]
    ]
