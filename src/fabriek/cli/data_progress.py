"""How far long work is, and how its threads end when somebody presses Ctrl-C."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from fabriek.cli import show

# Thousands of small files would spend their time on drawing.
DRAWN_EVERY_BYTES = 2**20


class Stopped(Exception):
    """Somebody pressed Ctrl-C, or another of those that go on side by side failed."""


class Stopping:
    """Ends what other threads do at their next step; Ctrl-C reaches the first one only."""

    def __init__(self) -> None:
        self._is_asked = threading.Event()

    def ask(self) -> None:
        self._is_asked.set()

    def watched(self, told: Callable[[int], None]) -> Callable[[int], None]:
        """Give a `told` that ends whoever calls it. Raises: Stopped."""

        def stops(moved_bytes: int) -> None:
            if self._is_asked.is_set():
                raise Stopped
            told(moved_bytes)

        return stops

    def pause(self, seconds: float) -> None:
        """Wait so long. Raises: Stopped."""
        if self._is_asked.wait(seconds):
            raise Stopped


class Screen:
    """A line for each thing that goes on: what, how far, how fast, how long still."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress

    def task(self, what: str, total_bytes: int) -> Callable[[int], None]:
        task = self.progress.add_task(what, total=total_bytes)
        lock = threading.Lock()
        held = 0

        def told(moved_bytes: int) -> None:
            nonlocal held
            with lock:
                held += moved_bytes
                if abs(held) < DRAWN_EVERY_BYTES:
                    return
                drawn, held = held, 0
            self.progress.advance(task, drawn)

        return told


@contextmanager
def watched() -> Iterator[Screen]:
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=show.out,
        transient=True,
        disable=not show.out.is_terminal,
    )
    with progress:
        yield Screen(progress)
