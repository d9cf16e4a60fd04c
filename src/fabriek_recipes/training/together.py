"""A group of several processes, started by torchrun: what they tell and add up.

Tensors go by gloo or NCCL. Everything else (waiting, the wish to stop, how the run ends) goes
by a file that only the run's own account can write: a process that waits there sleeps, and can
be told to leave. Nothing that came from elsewhere is unpickled, and no port is opened but those
of gloo and NCCL.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TypeVar, cast

import torch
from torch import distributed
from torch.distributed import FileStore, PrefixStore, Store  # type: ignore[attr-defined]

from fabriek_recipes.training import ending, exchange
from fabriek_recipes.training.group import End, Ended, Pace, Seat
from fabriek_recipes.training.network import LOOPBACK, interface_to
from fabriek_recipes.training.stopping import Stop

# Reading torch from a cold shared disk takes minutes.
JOIN_WITHIN = timedelta(minutes=10)
# No step takes this long: who has waited so long for another's part of it waits for nothing.
STEP_WITHIN = timedelta(minutes=30)
FOR_EVER = timedelta(days=365)
LOOK_EVERY_S = 0.5
PAUSE_S_MIN, PAUSE_S_MAX = 0.005, 0.25
# Each look opens and locks the file, which on a shared disk is work for one server: many
# processes together look no oftener than this.
LOOKS_PER_S_MAX = 200
# How long a process may go on after the run has ended elsewhere, before it is cut off: it may
# be stuck for good in a sum that waits for one who left.
GRACE_S = 3.0
# How long one who ends the run stays for the others to hear of it.
LINGER_S = 5.0
COME, END, STOP, NOTED = "come", "end", "stop", "noted"

T = TypeVar("T")


def join(seat: Seat, stop: Stop, tell: Callable[[End], None]) -> Together:
    """Find the others; returns when all are there.

    Raises:
        RuntimeError: they did not come in time, or there is no file to meet in.
    """
    if (place := os.environ.get("FABRIEK_MEETING")) is None:
        raise RuntimeError("start several processes by fabriek_recipes.torchrun")
    _choose_interface(seat)
    ours, torchs = FileStore(place), FileStore(place)
    # A file that is gone, as when the one who made it was killed, is not waited for.
    ours.set_timeout(timedelta(seconds=GRACE_S))
    _meet_all(ours, seat.size)
    if torch.cuda.is_available():
        torch.cuda.set_device(seat.local % torch.cuda.device_count())
    distributed.init_process_group(
        "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo",
        store=PrefixStore("tensors", torchs),
        rank=seat.rank,
        world_size=seat.size,
        timeout=STEP_WITHIN,
    )
    return Together(seat, stop, tell, PrefixStore("fabriek", ours))


class Together:
    """One process's view of the group; threads beside the work hear what the others say."""

    def __init__(
        self,
        seat: Seat,
        stop: Stop,
        tell: Callable[[End], None],
        store: Store,
    ) -> None:
        """Begin to listen."""
        self.seat = seat
        self._stop, self._tell, self._store = stop, tell, store
        self._turn = 0
        self._apart_s = seat.size / LOOKS_PER_S_MAX
        self._end: End | None = None
        self._pace: Pace | None = None
        self._leaving = threading.Event()
        self._noted, self._told = threading.Lock(), threading.Lock()
        self._wire = distributed.new_group(backend="gloo", timeout=FOR_EVER)
        for listen in (self._follow, self._feel):
            threading.Thread(target=listen, daemon=True).start()

    def once(self, work: Callable[[], T]) -> T:
        """Let the first work, and the others wait."""
        self._turn += 1
        key = f"once/{self._turn}"
        if self.seat.leads:
            given = work()
            with self._reaching():
                self._store.set(key, json.dumps(given))
            return given
        with self._reaching():
            self._await(lambda: self._store.check([key]))
            return cast("T", json.loads(self._store.get(key)))

    def share(self, count: int, work: Callable[[int], T]) -> list[T]:
        """Deal out the numbers in turn."""
        size = self.seat.size
        numbers = range(self.seat.rank, count, size)
        mine = self.beside(lambda: [work(number) for number in numbers])
        with self._reaching():
            self._meet()
            parts = exchange.told_by_all(mine, size)
        return [parts[number % size][number // size] for number in range(count)]

    def beside(self, work: Callable[[], T]) -> T:
        """Do it, in step with the others where the model asks that."""
        return work() if self._pace is None else self._pace.beside(work)

    def keep_in_step(self, pace: Pace) -> None:
        """Keep who minds it."""
        self._pace = pace

    @contextmanager
    def reaching(self) -> Iterator[None]:
        """Turn what torch says when a process is gone into the end; faults stay faults."""
        with self._reaching(is_gone=_is_of_the_wire):
            yield

    def add_up(self, tensors: Sequence[torch.Tensor]) -> None:
        """Sum; all processes end with the same bits."""
        with self._reaching(), torch.no_grad():
            exchange.add_up(tensors)

    def spread(self, tensors: Sequence[torch.Tensor]) -> None:
        """Send what the first has."""
        with self._reaching():
            for tensor in tensors:
                distributed.broadcast(tensor.detach(), src=0)

    def part(self, end: End) -> int:
        """Agree on the end, tell it, and stay until the others know."""
        mine = self._agreed(end)
        self._leaving.set()
        self._note()
        self._tell_once(mine)
        if self.seat.leads or mine is end:
            self._linger(mine)
        return mine.code

    def _agreed(self, end: End) -> End:
        if end.code or self.seat.leads:
            return self._claim(end)
        try:
            with self._reaching():
                self._await(lambda: False)
        except Ended as ended:
            return ended.end
        raise AssertionError  # the wait above ends only so

    def _meet(self) -> None:
        """Wait asleep until all are here: a sum would wait too, but with a limit of time."""
        self._turn += 1
        key = f"meet/{self._turn}"
        self._store.add(key, 1)
        self._await(lambda: _number(self._store, key) == self.seat.size)

    def _await(self, come: Callable[[], bool]) -> None:
        pause = PAUSE_S_MIN
        while not come():
            if (end := self._look()) is not None:
                raise Ended(end)
            time.sleep(pause)
            pause = min(pause * 1.5, max(PAUSE_S_MAX, self._apart_s))

    @contextmanager
    def _reaching(
        self, is_gone: Callable[[RuntimeError], bool] = lambda _why: True
    ) -> Iterator[None]:
        """Turn what torch says when a process is gone into the end of the run."""
        try:
            yield
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as why:
            if not is_gone(why):
                raise
            raise Ended(self._why_gone()) from why

    def _why_gone(self) -> End:
        # One that fails says so before it closes its connections; one that died is noticed by
        # its neighbour.
        until = time.monotonic() + GRACE_S
        while time.monotonic() < until:
            with suppress(RuntimeError):
                if (end := self._look()) is not None:
                    return end
            time.sleep(PAUSE_S_MIN)
        return self._claim(ending.lost())

    def _look(self) -> End | None:
        """See whether the run has ended; remembered, since the store may go first."""
        if self._end is None and self._store.check([END]):
            self._end = ending.read(self._store.get(END))
        return self._end

    def _claim(self, end: End) -> End:
        """Say how the run ends; gives the end of who said it first."""
        if self._end is not None:
            return self._end
        text = ending.written(end)
        try:
            first = self._store.compare_set(END, "", text).decode()
        except RuntimeError:  # the store is gone, with it the machine of the first
            first = text
        self._end = end if first == text else ending.read(first.encode())
        return self._end

    def _note(self) -> None:
        if self._noted.acquire(blocking=False):
            with suppress(RuntimeError):
                self._store.add(NOTED, 1)

    def _linger(self, end: End) -> None:
        until = time.monotonic() + LINGER_S
        left = self.seat.size - (end.why is not None and end.why.code == ending.PROCESS_LOST)
        with suppress(RuntimeError):
            while _number(self._store, NOTED) < left and time.monotonic() < until:
                time.sleep(PAUSE_S_MIN)

    def _tell_once(self, end: End) -> None:
        if self.seat.leads and self._told.acquire(blocking=False):
            self._tell(end)

    def _follow(self) -> None:
        """Pass on the wish to stop, and leave when the run has ended, even if work is stuck."""
        with suppress(RuntimeError):
            every_s = max(LOOK_EVERY_S, self._apart_s)
            while self._look() is None and not self._leaving.wait(every_s):
                if self._store.check([STOP]):
                    self._stop.asked = True
                elif self._stop.asked:
                    self._store.set(STOP, "1")
        if self._end is not None:
            self._note()
        if not self._leaving.wait(GRACE_S):
            end = self._claim(ending.lost())
            self._tell_once(end)
            os._exit(end.code)

    def _feel(self) -> None:
        """Wait for a word of the neighbour that never comes; its death ends the wait."""
        with suppress(RuntimeError):
            word = torch.zeros(1)
            distributed.recv(word, src=(self.seat.rank + 1) % self.seat.size, group=self._wire)
        with suppress(RuntimeError):
            if not self._leaving.is_set() and self._look() is None:
                self._claim(ending.lost())


def _choose_interface(seat: Seat) -> None:
    """Let gloo and NCCL listen where the other processes are, and nowhere else."""
    if seat.size == seat.local_size:
        for who in ("GLOO", "NCCL"):
            os.environ.setdefault(f"{who}_SOCKET_IFNAME", LOOPBACK)
    elif name := interface_to(os.environ["FABRIEK_FIRST"]):
        os.environ.setdefault("GLOO_SOCKET_IFNAME", name)


def _meet_all(store: Store, size: int) -> None:
    """Wait for all to have come, which torch would do without saying who it waits for."""
    store.add(COME, 1)
    until = time.monotonic() + JOIN_WITHIN.total_seconds()
    while (come := _number(store, COME)) < size:
        if time.monotonic() > until:
            raise RuntimeError(f"only {come} of {size} processes came")
        time.sleep(max(PAUSE_S_MAX, size / LOOKS_PER_S_MAX))


def _is_of_the_wire(why: RuntimeError) -> bool:
    # NCCL has a kind of its own; gloo names itself, and the place in its source.
    return isinstance(why, distributed.DistError) or "gloo" in str(why).lower()


def _number(store: Store, key: str) -> int:
    """Read a number that was added to: adding nothing would read it too, but write a line."""
    return int(store.get(key))
