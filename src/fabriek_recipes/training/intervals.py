"""Between which bounds a score lies with 95 % certainty, from the rows it is made of."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

# The 97.5th percentile of the normal distribution.
Z = 1.959964
DRAWS = 1_000
NUMBERS_AT_ONCE = 2**24


def of_share(right: int, count: int) -> tuple[float, float]:
    """Bound a share of rows (Wilson, 1927): honest for few rows and for all or none right."""
    if not count:
        return 0.0, 1.0
    share = right / count
    scale = 1 + Z * Z / count
    middle = (share + Z * Z / (2 * count)) / scale
    around = Z * math.sqrt(share * (1 - share) / count + Z * Z / (4 * count * count)) / scale
    return max(0.0, middle - around), min(1.0, middle + around)


def of_mean(values: Sequence[float], *, seed: int) -> tuple[float, float]:
    """Bound a mean by drawing the rows again and again (bootstrap; Efron, 1979)."""
    return of_ratio(values, [1.0] * len(values), seed=seed)


def of_ratio(
    above: Sequence[float], below: Sequence[float], *, seed: int
) -> tuple[float, float]:
    """Bound the sum of one over the sum of the other, as of a loss per token."""
    if not above:
        return 0.0, 0.0
    above_N = torch.tensor(above, dtype=torch.float64)
    below_N = torch.tensor(below, dtype=torch.float64)
    lot = torch.Generator().manual_seed(seed)
    found: list[float] = []
    at_once = max(1, NUMBERS_AT_ONCE // len(above))
    for start in range(0, DRAWS, at_once):
        shape = (min(at_once, DRAWS - start), len(above))
        drawn_DN = torch.randint(len(above), shape, generator=lot)
        found += (above_N[drawn_DN].sum(-1) / below_N[drawn_DN].sum(-1)).tolist()
    bounds = torch.tensor([0.025, 0.975], dtype=torch.float64)
    low, high = torch.tensor(found, dtype=torch.float64).quantile(bounds).tolist()
    return low, high
