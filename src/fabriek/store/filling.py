"""A pack that is written by a thread of its own, while whoever fills it reads and asks on."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future
from enum import Enum
from pathlib import Path
from queue import Queue

from django.conf import settings

from fabriek.kernel.words import in_this_language
from fabriek.store import incoming, queries

# So many batches wait for the disk at most: what is in memory stays bounded.
WAITING = 1


class _Sign(Enum):
    END = "all was given"
    LEAVE = "nothing of it is wanted"


class _Left(Exception):
    """The pack is left: what was written of it goes."""


class Filling:
    """One pack on its way to the disk.

    Whoever fills it says `end` or `leave`, whatever happens. The thread knows the language of
    who fills, as its refusals are read by people; it never asks the database.
    """

    def __init__(self, organisation_id: int, threads: Executor) -> None:
        self._given: Queue[Sequence[bytes] | _Sign] = Queue(WAITING)
        self._is_closed = self._has_seen_end = False
        keep = in_this_language(self._keep)
        try:
            self._kept: Future[str] = threads.submit(keep, organisation_id)
        except BaseException:
            # No thread could be started; another may find the work all the same.
            self._given.put(_Sign.LEAVE)
            raise

    def add(self, pieces: Sequence[bytes]) -> None:
        """Hand pieces over; waits while others are before them. Raises: as `keep_pack`."""
        if self._kept.done():
            self._kept.result()
        self._given.put(pieces)

    def end(self) -> None:
        self._close(_Sign.END)

    def key(self) -> str:
        """Wait until it is on the disk; give its key. Raises: as `keep_pack`."""
        return self._kept.result()

    def leave(self) -> None:
        """Wait until nothing of it is there any more, unless it had ended."""
        self._close(_Sign.LEAVE)
        self._kept.exception()

    def _close(self, sign: _Sign) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._given.put(sign)

    # --- in the thread -------------------------------------------------------------------
    def _keep(self, organisation_id: int) -> str:
        pieces = self._pieces()
        try:
            incoming.require_room(Path(settings.STORE_HOME))
            return queries.the_store().keep_pack(organisation_id, pieces)
        except _Left:
            return ""
        finally:
            self._pass_over()

    def _pieces(self) -> Iterator[bytes]:
        while not isinstance(given := self._given.get(), _Sign):
            yield from given
        self._has_seen_end = True
        if given is _Sign.LEAVE:
            raise _Left

    def _pass_over(self) -> None:
        """Take what still comes: whoever fills must not wait for a writer that gave up."""
        while not self._has_seen_end:
            self._has_seen_end = isinstance(self._given.get(), _Sign)
