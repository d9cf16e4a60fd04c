"""Why a search stands where it stands, and why a trial has no score, in words."""

from typing import cast

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fabriek.kernel.errors import Text
from fabriek.runs import reasons as runs
from fabriek.runs import words
from fabriek.sweeps.models import Part, Sweep

WHY: dict[str, Text] = {
    "balance": gettext_lazy(
        "The GPU-hours of the case are used up or held, so the search stands still. Ask for "
        "more, or wait for runs to end; then let it go on."
    ),
    "refused": gettext_lazy(
        "The next run of this search was refused, so it stands still. Mend that, and let it "
        "go on. What was said:"
    ),
    "left": gettext_lazy(
        "Who started this search can no longer sign in, so it stands still. Somebody else of "
        "the case can let it go on."
    ),
    "stopped": gettext_lazy("The search was stopped. What it found is kept."),
    "budget": gettext_lazy(
        "The budget is used up, so that not every round was done. The winner is the best of "
        "those that were trained as far."
    ),
    "cut": gettext_lazy(
        "Fewer trials were done than planned: the budget, or what there is to try, was used up."
    ),
    "no_score": gettext_lazy(
        "No trial has a score, so there is no winner. The pages of the runs say why."
    ),
}
# What was too much for a trial is told whole: nothing of the data stands in it.
PLAIN = frozenset({"diverged", "nan_loss", "out_of_memory", "disk_full", "not_installed"})
TROUBLES: dict[str, Text] = {
    "no_score": gettext_lazy("It ended without this score: were rows kept apart?"),
    "stopped": gettext_lazy("Stopped with the search."),
    "unfit": gettext_lazy("These settings do not go together:"),
}


def why(sweep: Sweep) -> str:
    """Say why it ended or stands still; nothing when all went as planned."""
    if sweep.reason == "same_trouble":
        code, failure = str(sweep.told.get("code", "")), sweep.told.get("failure") or {}
        text = (
            _("A trial ended well but without a score, so the search was stopped: %(why)s")
            if failure.get("never")
            else _("The first trials fail in the same way, so the search was stopped: %(why)s")
        )
        return text % {"why": _said(code, failure)}
    said = str(WHY.get(sweep.reason, ""))
    text = str(sweep.told.get("text", ""))
    return f"{said} {text}".strip() if sweep.reason == "refused" else said


def trouble(part: Part) -> str:
    """Say why a trial has no score."""
    if not part.trouble:
        return ""
    return _said(part.trouble, part.told)


def _said(code: str, told: dict[str, object]) -> str:
    if code == "no_score" and (others := told.get("scores")):
        names = ", ".join(f"“{words.score_name(name)}”" for name in cast("list[str]", others))
        return _(
            "Data like this has no such score. Begin a search that chooses by: %(names)s."
        ) % {"names": names}
    if code in TROUBLES:
        return f"{TROUBLES[code]} {told.get('text', '')}".strip()
    if code in PLAIN and (said := words.event_told(told)):
        return said
    if code in runs.ENDINGS:
        return runs.ending(code)
    return _("The run failed; its page says why.")
