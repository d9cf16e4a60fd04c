"""How a score is written: one rule for pages, model cards and the command line; no Django."""

from collections.abc import Callable

SHARES = frozenset({"exact_match"})  # of 1; people read them in percent
SHARE_DECIMALS = 1
DECIMALS = 3
SMALLEST = 10**-DECIMALS

Number = Callable[[float, int], str]


def in_english(value: float, decimals: int) -> str:
    return f"{value:,.{decimals}f}"


def score(name: str, value: float, *, number: Number = in_english, percent: str = "%") -> str:
    """Write `0.524` of `exact_match_after` as `52.4%`, and other scores as `0.524`.

    `number` and `percent` are those of the reader's language.
    """
    if name.removesuffix("_before").removesuffix("_after") in SHARES:
        return f"{number(100 * value, SHARE_DECIMALS)}{percent}"
    if 0 < abs(value) < SMALLEST / 2:
        # “0.000” would say that nothing is left of it.
        return f"< {number(SMALLEST, DECIMALS)}"
    return number(value, DECIMALS)
