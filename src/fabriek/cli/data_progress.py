"""How far long work is, and how it ends when somebody presses Ctrl-C."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import NoReturn, ParamSpec

import typer
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from fabriek.cli import show

INTERRUPTED = 130
# Thousands of small files would spend their time on drawing.
DRAWN_EVERY_BYTES = 2**20

Given = ParamSpec("Given")


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


def interruptible(
    how_to_go_on: str,
) -> Callable[[Callable[Given, None]], Callable[Given, None]]:
    """Let Ctrl-C end a command with a sentence that says how to go on."""

    def decorate(command: Callable[Given, None]) -> Callable[Given, None]:
        @wraps(command)
        def run(*args: Given.args, **kwargs: Given.kwargs) -> None:
            try:
                command(*args, **kwargs)
            except KeyboardInterrupt:
                _stop(how_to_go_on)

        return run

    return decorate


def _stop(how_to_go_on: str) -> NoReturn:
    typer.echo(f"Stopped. {how_to_go_on}", err=True)
    raise typer.Exit(INTERRUPTED)
