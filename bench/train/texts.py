"""How long the texts are that are learned from: like those of a real set, or all full."""

from __future__ import annotations

import random

# Tokens of 999 rows of instructions, in tenths: the shape of `alpaca_en_demo.json`.
TENTHS = (8, 27, 39, 54, 86, 128, 174, 244, 315, 390, 597)


def lengths(kind: str, width: int, rows: int) -> list[int]:
    """Give lengths that fill `rows` rows of `width` tokens, or a little more."""
    if kind == "full":
        return [width] * rows
    dice = random.Random(1)
    found: list[int] = []
    while sum(found) < rows * width * 1.02:
        tenth = dice.randrange(10)
        found.append(dice.randint(TENTHS[tenth], TENTHS[tenth + 1]))
    return found
