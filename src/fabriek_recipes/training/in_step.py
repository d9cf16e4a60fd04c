"""Lets who asks a model use its weights, also where these are divided over the processes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from torch import nn

T = TypeVar("T")


class Whole(Protocol):
    """Brings the weights of a model together for a piece of work."""

    def __call__(self, work: Callable[[], T]) -> T:
        """Do it."""


# A model that is divided stays so for as long as its process lives.
_DIVIDED: dict[nn.Module, Whole] = {}


def asked(model: nn.Module, work: Callable[[], T]) -> T:
    """Do work that asks a model once, or its parts, each process at the same time as all."""
    whole = _DIVIDED.get(model)
    return work() if whole is None else whole(work)


def is_divided(model: nn.Module) -> bool:
    """Whether each process keeps a part of every weight only."""
    return model in _DIVIDED


def note(model: nn.Module, whole: Whole) -> None:
    """Remember that a model is divided."""
    _DIVIDED[model] = whole
