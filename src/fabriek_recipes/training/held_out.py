"""Which rows are kept from learning: chosen by what they say alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import ceil

# Fewer rows than this tell nothing when some are kept apart, and each is needed.
ROWS_TO_SPLIT = 10


def apart(hashes: Sequence[str], *, percent: int, most: int) -> set[str]:
    """Choose the lowest hashes until enough rows are apart; of rows that are all alike, none.

    Equal rows fall on the same side, and adding rows moves few others.
    """
    if len(hashes) < ROWS_TO_SPLIT:
        return set()
    wanted = min(most, ceil(len(hashes) * percent / 100))
    counts = Counter(hashes)
    chosen: set[str] = set()
    for name in sorted(counts)[:-1]:
        if wanted <= 0:
            break
        chosen.add(name)
        wanted -= counts[name]
    return chosen
