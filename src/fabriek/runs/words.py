"""Sentences about runs in the reader's language: of recipes, of the engine, of pydantic."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fabriek.kernel.errors import Text
from fabriek_recipes.words import Sentence

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

# What the engine says about an end, and what to do about it.
REASONS: dict[str, Text] = {
    "exit": gettext_lazy(
        "The program stopped with a mistake. Read the end of the log, mend what it says and "
        "start again."
    ),
    "timeout": gettext_lazy(
        "The run took longer than the time it was given and was stopped. Continue it from its "
        "last checkpoint, or give it more time."
    ),
    "killed": gettext_lazy(
        "The machine ended the program from outside. Continue it from its last checkpoint; ask "
        "the factory when it happens again."
    ),
    "cancelled": gettext_lazy("Somebody stopped the run. It can be continued or started again."),
    "vanished": gettext_lazy(
        "The program disappeared, for instance because the machine was restarted. Continue it "
        "from its last checkpoint."
    ),
    "out_of_memory": gettext_lazy(
        "There was too little memory. Choose fewer tokens per step or a smaller model, and "
        "start again."
    ),
    "no_room": gettext_lazy(
        "The machine no longer has as many GPUs as this run asked for. Start it again with "
        "fewer GPUs."
    ),
    "rejected": gettext_lazy(
        "The machine refused this run. Ask the factory what to change, and start again."
    ),
    "account_closed": gettext_lazy(
        "The GPU-hours of this case are closed on the machine. Ask the factory to open them."
    ),
    "too_many_gpus": gettext_lazy(
        "This run asked for more GPUs than the machine has. Start it again with fewer GPUs."
    ),
    "not_ready": gettext_lazy(
        "The factory could not get the run ready: its disk may be full. Nothing was billed. "
        "Start it again later."
    ),
    "silent": gettext_lazy(
        "The machine has not mentioned this run for half an hour. If it still turns up, its "
        "state and bill are corrected by themselves."
    ),
}

STAGES: dict[str, Text] = {
    "load": gettext_lazy("loading the model and the data"),
    "train": gettext_lazy("training"),
    "save": gettext_lazy("saving the model"),
}


def reason(code: str) -> str:
    return str(REASONS.get(code, ""))


def told(sentence: Sentence) -> str:
    """Say a recipe's sentence in the reader's language."""
    return filled(sentence.msgid, sentence.values)


def filled(msgid: str, values: Mapping[str, object]) -> str:
    """Fill a translated template; one that does not fit its values is shown as it is."""
    try:
        return _(msgid) % values if msgid else ""
    except (KeyError, TypeError, ValueError):
        return msgid


def pydantic_sentence(error: "ErrorDetails") -> str:
    """Turn pydantic's terse message into a sentence that says what to fill in."""
    bounds = error.get("ctx", {})
    match error["type"]:
        case "greater_than_equal":
            return _("It must be at least %(bound)s.") % {"bound": bounds["ge"]}
        case "greater_than":
            return _("It must be more than %(bound)s.") % {"bound": bounds["gt"]}
        case "less_than_equal":
            return _("It must be at most %(bound)s.") % {"bound": bounds["le"]}
        case "less_than":
            return _("It must be less than %(bound)s.") % {"bound": bounds["lt"]}
        case "literal_error":
            return _("Choose one of: %(choices)s.") % {"choices": bounds["expected"]}
        case "extra_forbidden":
            return _("This recipe has no such setting.")
        case "int_parsing" | "int_type" | "int_from_float":
            return _("Give a whole number.")
        case "float_parsing" | "float_type" | "finite_number":
            return _("Give a number.")
        case _other:
            return error["msg"]
