"""Questions and answers between a page and the job, as lines in the folder of the run.

The file of questions is ours: it lies there before a job's account is let in, which cannot put
another in its place. What a job answers is read as all it leaves: no link is followed, and
nothing in it is believed.
"""

import fcntl
import json
import os
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import BufferedRandom
from typing import BinaryIO

from django.utils.translation import gettext as _

from fabriek.kernel import strange
from fabriek.kernel.errors import WrongState
from fabriek.runs import folders, sweep
from fabriek.runs.models import Run
from fabriek_recipes.events import LINE_BYTES_MAX, Event, Json, events_in
from fabriek_recipes.try_model.lines import (
    ANSWERS,
    QUESTIONS,
    Asked,
    Question,
    Said,
    Side,
    said_in,
)

# A session of an hour takes some hundred KiB; a job may write without end.
BYTES_MAX = 16 * 2**20
PIECE_BYTES = 2**20
HOW = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, kw_only=True, slots=True)
class Talk:
    """All that was asked and said in a session so far. `asked_at`: seconds since 1970."""

    questions: Sequence[Question] = ()
    asked_at: Sequence[float] = ()
    stopped: frozenset[int] = frozenset()
    said: dict[int, dict[Side, Said]] = field(default_factory=dict)

    def is_over(self, number: int, sides: set[str]) -> bool:
        """Tell whether all sides have said what they say to a question."""
        said = self.said.get(number, {})
        return all(side in said and said[side].is_over for side in sides)

    def unanswered(self, sides: set[str]) -> Question | None:
        """Give the question that is being answered, if there is one: never more than one."""
        last = self.questions[-1] if self.questions else None
        return last if last and not self.is_over(last.number, sides) else None


def read(run: Run) -> Talk:
    """Read what was asked and said; nothing of what is not there any more."""
    try:
        with _ours(run) as file:
            return _talk(run, file)
    except OSError:
        return Talk()


class Turn:
    """One person's turn to write: while it lasts nobody else's line comes between."""

    def __init__(self, run: Run, file: BinaryIO) -> None:
        self.talk = _talk(run, file)
        self._file = file

    def ask(self, question: Question) -> None:
        self._write("ask", question.told())

    def stop(self, number: int) -> None:
        self._write("stop", {"number": number})

    def _write(self, kind: str, fields: dict[str, Json]) -> None:
        told = {"at": round(time.time(), 3), "kind": kind, **fields}
        line = json.dumps(told, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")
        if len(line) >= LINE_BYTES_MAX:
            raise ValueError(f"a question of {len(line)} bytes")
        descriptor = self._file.fileno()
        size = os.fstat(descriptor).st_size
        # A line that was torn by the death of its writer is closed first.
        torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        os.write(descriptor, (b"\n" if torn else b"") + line + b"\n")
        os.fsync(descriptor)


@contextmanager
def turn(run: Run) -> Iterator[Turn]:
    """Write in a session, alone.

    Raises: WrongState, when its folder cannot be reached or is not as we left it.
    """
    try:
        with _ours(run) as file:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX)
            yield Turn(run, file)
    except OSError as error:
        raise WrongState(
            _("%(run)s cannot be reached now. Try again, or end it and begin anew.")
            % {"run": run},
            code="try_not_reached",
        ) from error


def forget(run: Run) -> None:
    """Remove what was asked and answered. Raises: OSError, when something is left."""
    for name in (QUESTIONS, ANSWERS):
        sweep.remove(run.folder, name)


@contextmanager
def _ours(run: Run) -> Iterator[BufferedRandom]:
    """Open the file of questions. Raises: OSError, also when it is not ours any more."""
    place = os.open(run.folder, strange.FOLDER)
    try:
        found = os.open(QUESTIONS, HOW, dir_fd=place)
    finally:
        os.close(place)
    with os.fdopen(found, "r+b", buffering=0) as file:
        seen = os.fstat(found)
        if not stat.S_ISREG(seen.st_mode) or seen.st_uid != os.geteuid():
            raise strange.Untrusted(f"{QUESTIONS} of {run} is not ours")
        yield file  # type: ignore[misc]  # without a buffer


def _talk(run: Run, file: BinaryIO) -> Talk:
    events = list(_events(file))
    asked = Asked()
    asked.take(events)
    said: dict[int, dict[Side, Said]] = {}
    with suppress(OSError), strange.opened(folders.place(run), ANSWERS) as answers:
        said = said_in(_events(answers))
    return Talk(
        questions=asked.questions,
        asked_at=[event.at for event in events if event.kind == "ask"],
        stopped=frozenset(asked.stopped),
        said=said,
    )


def _events(file: BinaryIO) -> Iterator[Event]:
    offset = 0
    while offset < BYTES_MAX:
        events, after = events_in(file, offset, max_bytes=PIECE_BYTES)
        if after == offset:
            return
        yield from events
        offset = after
