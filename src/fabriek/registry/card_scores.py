"""What a card tells of the scores: one sentence, a table, and what each score is."""

from collections.abc import Mapping, Sequence

from django.utils import translation

from fabriek.kernel import words
from fabriek.registry.card_marks import line
from fabriek.registry.scores import Figure, Score, pairs

LANGUAGE = "en"

# What people understand best of each kind of model: in Dutch and English, with its place.
BEST_UNDERSTOOD: dict[str, tuple[str, str]] = {
    "exact_match": (
        "Van de voorbeelden die het nooit zag, beantwoordt het {} precies goed",
        "On rows it never saw it answers {} exactly right",
    ),
    "accuracy": (
        "Van de rijen die het nooit zag, geeft het {} het juiste label",
        "On rows it never saw it gives {} the right label",
    ),
    "mae": (
        "Op rijen die het nooit zag, zit het er gemiddeld {} naast",
        "On rows it never saw it is {} off on average",
    ),
    "mase": (
        "Op tijd die het nooit zag, is de fout {} keer die van gisteren herhalen (MASE)",
        "On time it never saw its error is {} times that of repeating the past (MASE)",
    ),
    "text_perplexity": (
        "Op tekst die het nooit zag, aarzelt het gemiddeld tussen {} stukjes van woorden "
        "(perplexiteit)",
        "On text it never saw it hesitates among {} pieces of words on average (perplexity)",
    ),
}


def measured(scores: Mapping[str, Figure]) -> tuple[str, str]:
    """Say the score people understand best, in Dutch and in English."""
    found = {one.name: one for one in pairs(scores) if one.after is not None}
    name = next((name for name in BEST_UNDERSTOOD if name in found), "")
    if not name:
        return "", ""
    one = found[name]
    gezegd, told = BEST_UNDERSTOOD[name]
    vooraf = f" (vooraf: {said(name, one.before, language='nl')})"
    earlier = f" (before training: {said(name, one.before)})"
    if one.yardstick is not None:
        vooraf = f" (een eenvoudig model: {said(name, one.yardstick, language='nl')})"
        earlier = f" (a plain model: {said(name, one.yardstick)})"
    elif one.before is None:
        vooraf = earlier = ""
    na, later = said(name, one.after, language="nl"), said(name, one.after)
    return f" {gezegd.format(na)}{vooraf}.", f" {told.format(later)}{earlier}."


def section(
    scores: Mapping[str, Figure],
    rows_apart: object,
    *,
    have_chosen: bool = False,
    others_chose: object = None,
    is_by_own_code: bool = False,
    bounds: Mapping[str, tuple[float, float]] | None = None,
) -> str:
    """Write the table of scores, and what each of them is.

    `bounds`: between which figures a score of this model lies with 95 % certainty.
    """
    found = pairs(scores)
    if not found:
        return "## Scores\n\nNothing was measured."
    columns = _columns(scores)
    heads = ["score", *columns.values(), *([SURE] if bounds else [])]
    rows = [
        _cells(
            line(score.name.replace("_", " ")),
            *(said(score.name, getattr(score, field)) for field in columns),
            *([_between(score.name, bounds)] if bounds else []),
        )
        for score in found
    ]
    rule = "|".join(["", "---", *(["---:"] * (len(heads) - 1)), ""])
    on = f"{rows_apart:,} rows" if isinstance(rows_apart, int) else "rows"
    table = "\n".join([_cells(*heads), rule, *rows])
    explained = " ".join(text for name, text in EXPLAINED.items() if name in _names(found))
    chose = f" {CHOSEN_SAID}" if have_chosen else ""
    if isinstance(others_chose, int) and not have_chosen and others_chose > 0:
        chose = f" {OTHERS_CHOSE.format(others_chose)}"
    if is_by_own_code:
        return f"## Scores\n\n{table}\n\n{BY_OWN_CODE}"
    return (
        f"## Scores\n\n{table}\n\nMeasured on {on} that were kept apart and never "
        f"learned from.{chose} {explained}"
    ).rstrip()


SURE = "95% sure between"
# A fact of a model: the rows kept apart could also stop its run and choose its weights.
CHOSEN = "rows_held_out_chose"
# Or others did, and so many.
CHOSE_APART = "rows_chose"
OTHERS_CHOSE = (
    "{:,} other rows kept apart decided when learning stopped and which weights were kept."
)
CHOSEN_SAID = (
    "The same rows decided when learning stopped and which weights were kept, so that these "
    "scores are a little too good."
)
BY_OWN_CODE = (
    "As its own code says. The factory did not measure them, and does not know on which rows."
)
EXPLAINED = {
    "exact_match": "Exact match: the share of answers that are right to the letter.",
    "macro_f1": "Macro F1: the mean over the labels of their F1; higher is better.",
    "accuracy": "Accuracy: the share of rows with the right label; higher is better.",
    "auc": "AUC: how well the chances order the rows; 0.5 is luck, 1 is perfect.",
    "log_loss": "Log loss: surprise at the right label; lower is better.",
    "brier": "Brier: mean squared error of the chances; lower is better.",
    "mae": "MAE: how far off on average; lower is better.",
    "rmse": "RMSE: how far off, large errors counted more; lower is better.",
    "r2": "R2: the share of the differences that is explained; higher is better.",
    "mase": "MASE: error as against repeating the last season; below 1 is better than that.",
    "smape": "sMAPE: error in percent; lower is better.",
    "coverage": "Coverage: what fell between the bounds that were given with the forecast.",
    "text_perplexity": "Perplexity: among how many pieces of words it hesitates, on average; "
    "lower is better, and it compares models with the same tokenizer only.",
    "general_perplexity": "General perplexity: the same on general text; higher after than "
    "before means that it forgot.",
    "bits_per_byte": "Bits per byte: what it needs for a byte of text; lower is better, and it "
    "compares any two models.",
    "loss": "Loss: how surprised the model is by the right answer; lower is better.",
}


def _columns(scores: Mapping[str, Figure]) -> dict[str, str]:
    """Give what there is of each score, and how that is called beside the others."""
    is_compared = any(name.endswith("_yardstick") for name in scores)
    has_before = any(name.endswith("_before") for name in scores)
    before = {"before": "without looking" if is_compared else "before"}
    named = {"yardstick": "plain model", "after": "this model"} if is_compared else {}
    return (before if has_before else {}) | (named or {"after": "after"})


def _between(name: str, bounds: Mapping[str, tuple[float, float]]) -> str:
    if name not in bounds:
        return "–"
    return " and ".join(said(name, one) for one in bounds[name])


def _names(found: Sequence[Score]) -> set[str]:
    return {score.name for score in found}


def _cells(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def said(name: str, value: Figure, *, language: str = LANGUAGE) -> str:
    """Write a score in the language of the card."""
    with translation.override(language):
        return words.score(name, value)
