"""What is new goes on its way while the next files are still read."""

import hashlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from threading import BoundedSemaphore

from blake3 import blake3

from fabriek.cli import data_bundle, data_patience, http
from fabriek.cli.data_bundle import Bundle, Piece
from fabriek.cli.data_index import Local
from fabriek.cli.data_local import Told
from fabriek.cli.data_progress import Stopping

SENDERS = 2  # while the portal notes one stream, the next is on its way
# Asking about all of a stream costs as much as taking in a quarter of it. So of so many, evenly
# spread, it is asked first: where none is known, the rest is new too, or nearly all of it.
SAMPLE = 64
# Where all of a stream was new and went this quickly, so many that follow are sent unasked:
# known bytes are kept once.
QUICK_S, UNASKED = 1.0, 3

Work = Callable[[], object]


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
    """Gathers small files as they are read, and sends those that the portal lacks.

    They are told apart by their BLAKE3, at a third of what SHA-256 costs. The portal makes both
    of all that arrives, and tells the one of whatever has the other.
    """

    def __init__(self, code: str, beside: SideBySide, told: Told) -> None:
        self.code = code
        self.beside = beside
        self.told = beside.stopping.watched(told)
        self.seen: set[str] = set()  # the portal has these, by SHA-256
        self._taken: dict[str, str] = {}  # the BLAKE3 of each name
        self._unknown: list[tuple[Local, str]] = []
        self._sha256s: dict[str, str] = {}  # by BLAKE3, of what the portal has
        self._begun: set[str] = set()
        self._bundle = Bundle()
        self._unasked = 0

    def take(self, name: str, file: Local, content: bytes) -> None:
        """Send each bytes once, however many names they have."""
        proof = blake3(content).hexdigest()
        self._taken[name] = proof
        self._unknown.append((file, proof))
        if proof in self._begun:
            self.told(file.size_bytes)
            return
        self._begun.add(proof)
        self._bundle.add(Piece(name, file, content=content, proof=proof))
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

    def settled(self) -> dict[str, str]:
        """Wait until the portal has all that was taken; give {name: SHA-256}."""
        self.beside.wait()
        self.seen.update(self._sha256s.values())
        return {name: self._sha256s[proof] for name, proof in self._taken.items()}

    def newly_known(self) -> Iterator[tuple[Local, str]]:
        """Give the SHA-256 of what was taken, each once, as far as it is known by now."""
        waiting, self._unknown = self._unknown, []
        for file, proof in waiting:
            if proof in self._sha256s:
                yield file, self._sha256s[proof]
            else:
                self._unknown.append((file, proof))

    def _ask_and_send(self, pieces: list[Piece]) -> None:
        lacking = self._lacking(pieces)
        size_bytes = sum(piece.file.size_bytes for piece in pieces)
        self.told(size_bytes - sum(piece.file.size_bytes for piece in lacking))
        if lacking:
            began = time.monotonic()
            self._send(lacking)
            is_quick = time.monotonic() - began < QUICK_S
            self._unasked = UNASKED if is_quick and len(lacking) == len(pieces) else 0

    def _lacking(self, pieces: list[Piece]) -> list[Piece]:
        """Ask for some of them, and for all where one of those is there already."""
        some = pieces[:: -(-len(pieces) // SAMPLE)]
        lacking = self._asked(some)
        if len(some) == len(pieces):
            return lacking
        return pieces if len(lacking) == len(some) else self._asked(pieces)

    def _asked(self, pieces: list[Piece]) -> list[Piece]:
        named = [
            piece._replace(sha256=hashlib.sha256(piece.content or b"").hexdigest())
            for piece in pieces
        ]
        missing = self._missing([piece.sha256 for piece in named])
        here = (piece for piece in named if piece.sha256 not in missing)
        self._sha256s.update((piece.proof, piece.sha256) for piece in here)
        return [piece for piece in named if piece.sha256 in missing]

    def _missing(self, sha256s: list[str]) -> set[str]:
        asked = {"json": {"sha256": sha256s}}
        answer = data_patience.repeated(
            lambda: http.send("POST", f"datasets/{self.code}/missing", **asked),
            self.beside.stopping.pause,
        )
        return set(answer["sha256"])

    def _send(self, pieces: list[Piece]) -> None:
        pause = self.beside.stopping.pause
        sha256s = data_bundle.send(self.code, pieces, self.told, pause)
        proofs = (piece.proof for piece in pieces)
        self._sha256s.update(zip(proofs, sha256s, strict=True))


def missing(code: str, sha256s: list[str]) -> set[str]:
    """Ask which bytes must be sent."""
    return set(http.post(f"datasets/{code}/missing", {"sha256": sha256s})["sha256"])
