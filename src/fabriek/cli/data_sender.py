"""What is new goes on its way while the next files are still read."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from threading import BoundedSemaphore

from fabriek.cli import data_bundle, data_patience, http
from fabriek.cli.data_bundle import Bundle, Piece
from fabriek.cli.data_index import Local
from fabriek.cli.data_local import Told
from fabriek.cli.data_progress import Stopping

SENDERS = 2  # while the portal notes one stream, the next is on its way
# Asking costs the portal as much as taking in a hundred files. Where all of a stream was new
# and went this quickly, so many that follow are sent unasked: known bytes are kept once.
QUICK_S, UNASKED = 1.0, 3

Work = Callable[[], None]


class SideBySide:
    """Does several things at once; with one sender, one after the other, each at once."""

    def __init__(self) -> None:
        self.stopping = Stopping()
        self._pool = ThreadPoolExecutor(SENDERS)
        self._room = BoundedSemaphore(SENDERS)
        self._begun: list[Future[None]] = []

    def begin(self, work: Work) -> None:
        """Do it when its turn comes; waits while enough others do. Raises: as one of them."""
        if SENDERS == 1:
            work()
            return
        http.client()  # made before, so that all share it
        self._room.acquire()
        self._begun.append(self._pool.submit(self._do, work))
        for each in self._begun:
            if each.done():
                each.result()
        self._begun = [each for each in self._begun if not each.done()]

    def wait(self) -> None:
        """Wait for all, or for the first that fails. Raises: as that one."""
        ended, _others = wait(self._begun, return_when=FIRST_EXCEPTION)
        for each in ended:
            each.result()

    def give_up(self) -> None:
        self.stopping.ask()
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self._begun:
            http.client().close()

    def close(self) -> None:
        self._pool.shutdown()

    def _do(self, work: Work) -> None:
        try:
            work()
        finally:
            self._room.release()


@contextmanager
def side_by_side() -> Iterator[SideBySide]:
    """Wait for all that was begun; the first that fails ends it, also what has not begun."""
    beside = SideBySide()
    try:
        yield beside
        beside.wait()
    except BaseException:
        beside.give_up()
        raise
    finally:
        beside.close()


class Sender:
    """Gathers small files as they are read, and sends those that the portal lacks."""

    def __init__(self, code: str, beside: SideBySide, told: Told) -> None:
        self.code = code
        self.beside = beside
        self.told = beside.stopping.watched(told)
        self.seen: set[str] = set()  # the portal has these, or is being sent them
        self._bundle = Bundle()
        self._unasked = 0

    def take(self, name: str, file: Local, sha256: str, content: bytes) -> None:
        """Send each bytes once, however many names they have."""
        if sha256 in self.seen:
            self.told(file.size_bytes)
            return
        self.seen.add(sha256)
        self._bundle.add(Piece(name, file, sha256, content))
        if self._bundle.is_full:
            self.flush()

    def flush(self) -> None:
        """Let what was gathered go, also where it is little."""
        pieces, self._bundle = self._bundle.pieces, Bundle()
        if self._unasked and pieces:
            self._unasked -= 1
            self.beside.begin(lambda: self._send(pieces))
        elif pieces:
            self.beside.begin(lambda: self._ask_and_send(pieces))

    def _ask_and_send(self, pieces: list[Piece]) -> None:
        needed = self._missing([piece.sha256 for piece in pieces])
        lacking = [piece for piece in pieces if piece.sha256 in needed]
        self.told(sum(each.file.size_bytes for each in pieces if each.sha256 not in needed))
        if lacking:
            began = time.monotonic()
            self._send(lacking)
            is_quick = time.monotonic() - began < QUICK_S
            self._unasked = UNASKED if is_quick and len(lacking) == len(pieces) else 0

    def _missing(self, sha256s: list[str]) -> set[str]:
        asked = {"json": {"sha256": sha256s}}
        answer = data_patience.repeated(
            lambda: http.send("POST", f"datasets/{self.code}/missing", **asked),
            self.beside.stopping.pause,
        )
        return set(answer["sha256"])

    def _send(self, pieces: list[Piece]) -> None:
        data_bundle.send(self.code, pieces, self.told, self.beside.stopping.pause)


def missing(code: str, sha256s: list[str]) -> set[str]:
    """Ask which bytes must be sent."""
    return set(http.post(f"datasets/{code}/missing", {"sha256": sha256s})["sha256"])
