"""What to change when a run failed: by its code, which setting to which value.

One change at a time, the one that changes the result least; nothing where none helps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

from pydantic import BaseModel, ValidationError

from fabriek_recipes.knobs import WIDTH_MIN
from fabriek_recipes.pretrain_lm.shapes import SHAPES, Method, usual_rate
from fabriek_recipes.run_folder import Knob

RATE, PER_STEP, METHOD = "learning_rate", "tokens_per_step", "method"
# What is opened in the midst of steps, and may be read once and kept instead.
KEPT, KEPT_TIMES = "pictures_kept_gib", 4
# How long the rows are that a step is made of: shorter steps than one row do not exist.
WIDTHS = ("tokens_per_row_max", "context_tokens")
RATE_DIVISOR = 10
# Of recipes whose steps are so many texts or pictures.
PIECES_PER_STEP = ("rows_per_step", "pictures_per_step")

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
    for name in PIECES_PER_STEP:
        if int(set_to.get(name, 0)) > 1:
            return {name: int(set_to[name]) // 2}
    return {METHOD: "lora"} if set_to.get(METHOD) == "full" else {}


def _lower_rate(set_to: Mapping[str, Knob]) -> Changes:
    rate = float(set_to.get(RATE, 0)) or _usual_rate(set_to)
    return {RATE: float(f"{rate / RATE_DIVISOR:.6g}")} if rate else {}


def _usual_rate(set_to: Mapping[str, Knob]) -> float:
    """Give the rate of a run that left it to its recipe: that of a large base, to be safe."""
    method, size = (str(set_to.get(name, "")) for name in (METHOD, "size"))
    if RATE not in set_to or size not in SHAPES:
        return 0
    return usual_rate(cast("Method", method), size, base_parameters=10**9)


def _keep_more(set_to: Mapping[str, Knob]) -> Changes:
    return {KEPT: int(set_to[KEPT]) * KEPT_TIMES} if KEPT in set_to else {}


PROPOSALS: dict[str, Callable[[Mapping[str, Knob]], Changes]] = {
    "out_of_memory": _less_memory,
    "nan_loss": _lower_rate,
    "diverged": _lower_rate,
    "stalled": _keep_more,
}
