"""The processes that do one run together: their seats, their end, and the case of just one."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from fabriek_recipes.words import Failed

if TYPE_CHECKING:  # a wrong setting must be told before torch is read from disk
    import torch

GOOD, BROKEN, FAILED, BUSY, STOPPED = 0, 1, 2, 3, 128 + signal.SIGTERM
# Nothing is wrong with the run itself: an engine that can may start it again.
LOST = os.EX_TEMPFAIL

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """Which of the processes this one is, in all and on its own machine."""

    rank: int = 0
    size: int = 1
    local: int = 0
    local_size: int = 1

    @property
    def leads(self) -> bool:
        """The first alone writes in the run folder."""
        return self.rank == 0


def seat_given() -> Seat:
    """Read what our torchrun says of this machine, and the engine of several machines.

    Without them, one process alone.
    """
    local, local_size, node, nodes = (
        int(os.environ.get(name, default))
        for name, default in (
            ("LOCAL_RANK", 0),
            ("LOCAL_WORLD_SIZE", 1),
            ("FABRIEK_NODE", 0),
            ("FABRIEK_NODES", 1),
        )
    )
    return Seat(
        rank=node * local_size + local,
        size=nodes * local_size,
        local=local,
        local_size=local_size,
    )


@dataclass(frozen=True, slots=True)
class End:
    """How a run ends: the exit code of every process, and for people why, if it failed."""

    code: int
    why: Failed | None = None


class Ended(BaseException):
    """Another process has ended the run; only the guard of the process may catch this."""

    def __init__(self, end: End) -> None:
        """Keep how it ended."""
        super().__init__(end)
        self.end = end


class Pace(Protocol):
    """Keeps processes in step that can only ask their model together."""

    def beside(self, work: Callable[[], T]) -> T:
        """Do work that may ask the model, and ask with the others until all are done."""


class Group(Protocol):
    """What the processes of a run do together; each must call the same in the same order.

    Every call but `part` raises `Ended` when another process has ended the run or is lost.
    """

    @property
    def seat(self) -> Seat:
        """Where this process sits."""

    def once(self, work: Callable[[], T]) -> T:
        """Let the first do `work` and give all what came of it, which JSON must be able to say.

        The others wait asleep, however long it takes.
        """

    def share(self, count: int, work: Callable[[int], T]) -> list[T]:
        """Give `work(0)` to `work(count - 1)`, each done by one process and told to all."""

    def beside(self, work: Callable[[], T]) -> T:
        """Do work that may ask the model, beside the others, who have other work or none.

        What `share` deals out is such work already.
        """

    def reaching(self) -> AbstractContextManager[None]:
        """Mind that the model itself talks to the others, of whom one may be gone."""

    def keep_in_step(self, pace: Pace) -> None:
        """From here on the model can be asked by all at the same time only."""

    def add_up(self, tensors: Sequence[torch.Tensor]) -> None:
        """Replace each tensor by its sum over the processes."""

    def spread(self, tensors: Sequence[torch.Tensor]) -> None:
        """Replace each tensor by that of the first process."""

    def part(self, end: End) -> int:
        """End the run; the first end of any process is that of all, and told once.

        Gives the exit code. A good end waits for the first process to have finished.
        """


class Alone:
    """A group of one: does everything itself, at once."""

    def __init__(self, tell: Callable[[End], None]) -> None:
        """Keep what tells people how it ended."""
        self.seat = Seat()
        self._tell = tell

    def once(self, work: Callable[[], T]) -> T:
        """Do it."""
        return work()

    def share(self, count: int, work: Callable[[int], T]) -> list[T]:
        """Do all of it."""
        return [work(number) for number in range(count)]

    def beside(self, work: Callable[[], T]) -> T:
        """Do it."""
        return work()

    def reaching(self) -> AbstractContextManager[None]:
        """Mind nothing: there is nobody."""
        return nullcontext()

    def keep_in_step(self, pace: Pace) -> None:
        """Do nothing: who is alone is in step."""

    def add_up(self, tensors: Sequence[torch.Tensor]) -> None:
        """Leave them: a sum of one."""

    def spread(self, tensors: Sequence[torch.Tensor]) -> None:
        """Leave them."""

    def part(self, end: End) -> int:
        """Tell it."""
        self._tell(end)
        return end.code


ALONE = Alone(lambda _end: None)
