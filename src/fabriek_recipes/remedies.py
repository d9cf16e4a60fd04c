"""What to change when a run failed: by its code, which setting to which value.

One change at a time, the one that changes the result least; nothing where none helps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pydantic import BaseModel, ValidationError

from fabriek_recipes.knobs import WIDTH_MIN
from fabriek_recipes.run_folder import Knob

RATE, PER_STEP, METHOD = "learning_rate", "tokens_per_step", "method"
# How long the rows are that a step is made of: shorter steps than one row do not exist.
WIDTHS = ("tokens_per_row_max", "context_tokens")
RATE_DIVISOR = 10

Changes = dict[str, Knob]


def changes(code: str, knobs: BaseModel) -> Changes:
    """Give the settings to start again with, after a failure with this code."""
    propose = PROPOSALS.get(code)
    found = propose(knobs.model_dump()) if propose else {}
    return found if found and _will_do(knobs, found) else {}


def _will_do(knobs: BaseModel, found: Mapping[str, Knob]) -> bool:
    try:
        type(knobs).model_validate({**knobs.model_dump(), **found})
    except ValidationError:
        return False
    return True


def _less_memory(set_to: Mapping[str, Knob]) -> Changes:
    tokens = int(set_to.get(PER_STEP, 0))
    width = next((name for name in WIDTHS if name in set_to), "")
    if tokens > WIDTH_MIN:
        found: Changes = {PER_STEP: tokens // 2}
        if width and int(set_to[width]) > tokens // 2:
            found[width] = tokens // 2
        return found
    return {METHOD: "lora"} if set_to.get(METHOD) == "full" else {}


def _lower_rate(set_to: Mapping[str, Knob]) -> Changes:
    rate = float(set_to.get(RATE, 0))
    return {RATE: float(f"{rate / RATE_DIVISOR:.6g}")} if rate else {}


PROPOSALS: dict[str, Callable[[Mapping[str, Knob]], Changes]] = {
    "out_of_memory": _less_memory,
    "nan_loss": _lower_rate,
    "diverged": _lower_rate,
}
