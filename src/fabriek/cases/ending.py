"""What must be over before a case ends: rooms after this one say what of theirs goes on."""

from collections.abc import Callable

from fabriek.cases.models import Case
from fabriek.kernel.errors import Text, WrongState

# Gives a sentence that says what goes on and what to do about it; an empty one for nothing.
GoesOn = Callable[[Case], Text]
_asked: list[GoesOn] = []


def ask_first(goes_on: GoesOn) -> GoesOn:
    """Have this asked before a case ends; a decorator."""
    _asked.append(goes_on)
    return goes_on


def obstacles(case: Case) -> list[str]:
    return [str(sentence) for goes_on in _asked if (sentence := goes_on(case))]


def require_over(case: Case) -> None:
    """Raise: WrongState, where something of the case still goes on."""
    for sentence in obstacles(case):
        raise WrongState(sentence, code="goes_on")
