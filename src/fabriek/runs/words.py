"""Sentences about runs in the reader's language: of recipes, of pydantic."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from fabriek import figures
from fabriek.kernel.errors import Text
from fabriek.kernel.words import number
from fabriek_recipes.words import IN_FILE, Sentence

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

SCORES: dict[str, Text] = {
    "exact_match": gettext_lazy("Answers right to the letter"),
    "macro_f1": gettext_lazy("F1, the mean over the labels: higher is better"),
    "accuracy": gettext_lazy("Rows with the right label: higher is better"),
    "auc": gettext_lazy("Order of the chances (AUC): 0.5 is luck, 1 is perfect"),
    "log_loss": gettext_lazy("Surprise at the right label (log loss): lower is better"),
    "brier": gettext_lazy("Error of the chances (Brier): lower is better"),
    "mae": gettext_lazy("How far off on average: lower is better"),
    "rmse": gettext_lazy("How far off, large errors counted more (RMSE): lower is better"),
    "r2": gettext_lazy("Share of the differences it explains (R²): higher is better"),
    "mase": gettext_lazy("Error as against repeating the last season (MASE): lower is better"),
    "smape": gettext_lazy("Error in percent (sMAPE): lower is better"),
    "coverage": gettext_lazy("What fell between the bounds: best near what they promise"),
    "preference": gettext_lazy("Finds the better answer likelier"),
    "moved_right": gettext_lazy("Moved towards the better answer"),
    "margin": gettext_lazy("How far it moved towards the better answer: above 0 is right"),
    "token_f1": gettext_lazy("Words in common with the expected answer (F1)"),
    "rouge_l": gettext_lazy("Words in the same order as expected (ROUGE-L)"),
    "accuracy_by_length": gettext_lazy("Right choices, long ones not blamed"),
    "calibration_error": gettext_lazy("Wrong about how sure it is (ECE): lower is better"),
    "perplexity": gettext_lazy("Perplexity of the expected answers: lower is better"),
    "text_perplexity": gettext_lazy("Perplexity of text it never saw: lower is better"),
    "general_perplexity": gettext_lazy("Perplexity of general text: higher is forgetting"),
    "bits_per_byte": gettext_lazy("Bits it needs for a byte of text: lower is better"),
    "row_perplexity": gettext_lazy("Perplexity of a row, as lm-eval counts: lower is better"),
    "loss": gettext_lazy("Loss: how surprised it is by the right answer, lower is better"),
}
METRICS: dict[str, Text] = {
    "loss": gettext_lazy("Loss while learning"),
    "held_out_loss": gettext_lazy("Loss on rows kept apart"),
    "loss_held_out": gettext_lazy("Loss on rows kept apart"),
    "learning_rate": gettext_lazy("Learning rate"),
    "gradient_norm": gettext_lazy("Size of the gradient"),
    "tokens_per_s": gettext_lazy("Tokens (or pictures) per second"),
    "memory_bytes": gettext_lazy("Most memory in use, in bytes"),
    "share_of_peak": gettext_lazy("Share of the chip's peak, of 1"),
}
UNITS: dict[str, Text] = {
    "looks": gettext_lazy("looks"),
    "minutes": gettext_lazy("minutes"),
    "passes": gettext_lazy("passes"),
    "pieces": gettext_lazy("pieces"),
    "rows": gettext_lazy("rows"),
    "steps": gettext_lazy("steps"),
    "megabytes": gettext_lazy("megabytes"),
    "texts": gettext_lazy("texts"),
    "tokens": gettext_lazy("tokens"),
    "trees": gettext_lazy("trees"),
    "periods": gettext_lazy("periods"),
    "pictures": gettext_lazy("pictures"),
}
# Templates come out of run folders: only plain places, or `%(x)999999999s` would fill memory.
PLAIN_PLACES = re.compile(r"(?:[^%]|%%|%\(\w+\)s)*")
MINUTE_S = 60


def stage(name: str) -> str:
    """Say what a run is doing; recipes name their stages in English msgids."""
    return _(name) if name else ""


def score_name(name: str) -> str:
    """Say what was measured; of several tasks and of two models also of which."""
    task, sign, _last = name.rpartition(": ")
    bare = figures.measure(name)
    said = str(SCORES.get(bare) or bare.replace("_", " ") or "?")
    if name.endswith(figures.SECOND):
        said = _("%(score)s, of the second model") % {"score": said}
    elif name.endswith(figures.DIFFERENCE):
        said = _("%(score)s, first model less the second") % {"score": said}
    return f"{task}{sign}{said}"


def unit(name: str) -> str:
    return str(UNITS.get(name, name))


def metric_name(name: str) -> str:
    return str(METRICS.get(name, name.replace("_", " ")))


def duration(seconds: int) -> str:
    """Write seconds as people say them: `45 seconds`, `12 minutes`, `3 hours 20 minutes`."""
    if seconds < MINUTE_S:
        return ngettext("%(n)d second", "%(n)d seconds", seconds) % {"n": seconds}
    minutes = round(seconds / MINUTE_S)
    if minutes < MINUTE_S:
        return ngettext("%(n)d minute", "%(n)d minutes", minutes) % {"n": minutes}
    hours, rest = divmod(minutes, MINUTE_S)
    said = ngettext("%(n)d hour", "%(n)d hours", hours) % {"n": hours}
    if not rest:
        return said
    return f"{said} " + ngettext("%(n)d minute", "%(n)d minutes", rest) % {"n": rest}


def event_told(event: Mapping[str, Any]) -> str:
    """Say a warning or failure of a recipe; its own text when the template will not do."""
    said = filled(str(event.get("msgid", "")), event.get("values") or {})
    return said or str(event.get("text", ""))


def told(sentence: Sentence) -> str:
    """Say a recipe's sentence in the reader's language."""
    return filled(sentence.msgid, sentence.values) or str(sentence)


def filled(msgid: str, values: Mapping[str, object]) -> str:
    """Fill a translated template; nothing when it will not fit its values."""
    bare = msgid.removeprefix(IN_FILE)
    template = msgid[: -len(bare)] + _(bare) if bare else ""
    if not PLAIN_PLACES.fullmatch(template):
        return ""
    try:
        return template % {name: _shown(value) for name, value in values.items()}
    except (KeyError, TypeError, ValueError):
        return ""


def _shown(value: object) -> object:
    """Write whole numbers as the reader does, and a figure that lost its kind in JSON whole."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return amount(value) if isinstance(value, int | float) else value


# By pydantic's word for what is wrong: our sentence, and which of its values fills it.
REFUSED_KNOBS: dict[str, tuple[Text, str]] = {
    "greater_than_equal": (gettext_lazy("It must be at least %(value)s."), "ge"),
    "greater_than": (gettext_lazy("It must be more than %(value)s."), "gt"),
    "less_than_equal": (gettext_lazy("It must be at most %(value)s."), "le"),
    "less_than": (gettext_lazy("It must be less than %(value)s."), "lt"),
    "literal_error": (gettext_lazy("Choose one of: %(value)s."), "expected"),
    "extra_forbidden": (gettext_lazy("This recipe has no such setting."), ""),
    "int_parsing": (gettext_lazy("Give a whole number."), ""),
    "int_type": (gettext_lazy("Give a whole number."), ""),
    "int_from_float": (gettext_lazy("Give a whole number."), ""),
    "float_parsing": (gettext_lazy("Give a number."), ""),
    "float_type": (gettext_lazy("Give a number."), ""),
    "finite_number": (gettext_lazy("Give a number."), ""),
}


def pydantic_sentence(error: "ErrorDetails") -> str:
    """Turn pydantic's terse message into a sentence that says what to fill in."""
    sentence, name = REFUSED_KNOBS.get(error["type"], ("", ""))
    if not sentence:
        return error["msg"]
    bound = error.get("ctx", {}).get(name, "")
    return str(sentence) % {"value": amount(bound)} if name else str(sentence)


def amount(value: object) -> str:
    """Write a setting's value as the reader does: 0,00002 and 4.096 in Dutch, yes and no."""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, int):
        return number(value)
    if isinstance(value, float):
        return number(value, len(f"{value:.10f}".rstrip("0").partition(".")[2]))
    return str(value)
