"""How much WebSockets may hold of the gateway's memory, so that one run leaves room for all."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

# A page of a lab has one, and one for each notebook and terminal that is open.
SOCKETS_OF_A_RUN_MAX, SOCKETS_MAX = 64, 512
# Of whole messages that wait until the other side takes them in.
BYTES_OF_A_RUN_MAX, BYTES_MAX = 96 * 2**20, 512 * 2**20


class NoRoom(Exception):
    """So much is held already by one run, or by all together."""


@dataclass(kw_only=True, slots=True)
class Share:
    """What may be held of one thing, by each run and by all."""

    of_a_run_max: int
    all_max: int
    held: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def holding(self, key: str, amount: int = 1) -> Iterator[None]:
        """Hold so much for the run of this key.

        Raises:
            NoRoom: it is too much.
        """
        of_all = self.held.total() + amount
        if self.held[key] + amount > self.of_a_run_max or of_all > self.all_max:
            raise NoRoom("too much at once")
        self.held[key] += amount
        try:
            yield
        finally:
            self.held[key] -= amount
            if not self.held[key]:
                del self.held[key]


class Room:
    def __init__(self) -> None:
        self.sockets = Share(of_a_run_max=SOCKETS_OF_A_RUN_MAX, all_max=SOCKETS_MAX)
        self.waiting = Share(of_a_run_max=BYTES_OF_A_RUN_MAX, all_max=BYTES_MAX)
