"""Small bar drawings: how values are spread, worked out here, drawn by `parts/_bars.html`."""

from collections.abc import Sequence
from dataclasses import dataclass

from fabriek.kernel.errors import Text

WIDTH, HEIGHT = 120, 32
GAP = 1
LOWEST = 1.0  # what is there at all is seen


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """Coordinates as text: a template in Dutch would write 12.5 as `12,5`."""

    x: str
    y: str
    width: str
    height: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Bars:
    """`said` tells in words what the drawing shows."""

    said: Text
    low: str
    high: str
    bars: tuple[Bar, ...]


def bars(shares: Sequence[float], *, said: Text, low: str, high: str) -> Bars:
    """Draw shares as bars of equal width; the highest fills the drawing."""
    top = max(shares, default=0.0) or 1.0
    step = WIDTH / max(1, len(shares))
    drawn = [
        _bar(at * step, step - GAP, share / top) for at, share in enumerate(shares) if share
    ]
    return Bars(said=said, low=low, high=high, bars=tuple(drawn))


def _bar(x: float, width: float, share: float) -> Bar:
    height = max(LOWEST, share * HEIGHT)
    return Bar(
        x=f"{x:.1f}", y=f"{HEIGHT - height:.1f}", width=f"{width:.1f}", height=f"{height:.1f}"
    )
