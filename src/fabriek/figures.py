"""How a score is written: one rule for pages, model cards and the command line; no Django."""

from collections.abc import Callable

SHARES = frozenset(  # of 1; people read them in percent
    {"exact_match", "accuracy", "macro_f1", "coverage", "smape"}
    | {"accuracy_by_length", "calibration_error", "rouge_l", "token_f1"}
    | {"moved_right", "preference"}
)
SHARE_DECIMALS = 1
DECIMALS = 3
SMALLEST = 10**-DECIMALS

Number = Callable[[float, int], str]


def in_english(value: float, decimals: int) -> str:
    return f"{value:,.{decimals}f}"


WHEN = ("_before", "_yardstick", "_after")
# Where two models are compared: the other one, and how much better the first is.
SECOND, DIFFERENCE = "_second", "_difference"


def bare(name: str) -> str:
    """Give what is measured, without when: `loss` of `loss_before`."""
    for when in WHEN:
        name = name.removesuffix(when)
    return name


def measure(name: str) -> str:
    """Give what is measured, of whichever task and model: `f1` of `sums: f1_second`."""
    _asked, _sign, last = bare(name).rpartition(": ")
    return last.removesuffix(SECOND).removesuffix(DIFFERENCE)


def score(name: str, value: float, *, number: Number = in_english, percent: str = "%") -> str:
    """Write `0.524` of `exact_match_after` as `52.4%`, and other scores as `0.524`.

    `number` and `percent` are those of the reader's language.
    """
    if measure(name) in SHARES:
        return f"{number(100 * value, SHARE_DECIMALS)}{percent}"
    if 0 < abs(value) < SMALLEST / 2:
        # “0.000” would say that nothing is left of it.
        return f"< {number(SMALLEST, DECIMALS)}"
    return number(value, DECIMALS)
