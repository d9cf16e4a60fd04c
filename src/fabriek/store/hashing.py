"""Both names of bytes in one pass: SHA-256 for the world, BLAKE3 to look quickly later."""

import hashlib
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from blake3 import blake3

# Below this, handing a chunk to the other thread costs more than hashing it here.
WORTH_A_THREAD_BYTES = 2**18


def both(content: bytes) -> tuple[str, str]:
    """Return SHA-256 and BLAKE3 of bytes in memory."""
    return hashlib.sha256(content).hexdigest(), blake3(content).hexdigest()


class Digests:
    """SHA-256 and BLAKE3 of a stream, each made in a thread of its own while the first goes on.

    Both hashes let go of the interpreter. At most one chunk waits, so that memory is bounded.
    """

    def __init__(self) -> None:
        self.sha256 = hashlib.sha256()
        self.blake3 = blake3()
        self.size_bytes = 0
        self._pending: list[Future[object]] = []
        self._threads = ThreadPoolExecutor(2)  # starts none before the first big chunk

    def __enter__(self) -> "Digests":
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._threads.shutdown()

    def update(self, chunk: bytes) -> None:
        """Take a chunk that the caller will not change any more."""
        self.settle()
        self.size_bytes += len(chunk)
        if len(chunk) < WORTH_A_THREAD_BYTES:
            self.sha256.update(chunk)
            self.blake3.update(chunk)
        else:
            hashes = (self.sha256, self.blake3)
            self._pending = [self._threads.submit(each.update, chunk) for each in hashes]

    def settle(self) -> None:
        """Wait until all is hashed that was handed over."""
        for each in self._pending:
            each.result()
        self._pending = []


def of(chunks: Iterable[bytes]) -> Digests:
    with Digests() as digests:
        for chunk in chunks:
            digests.update(chunk)
        digests.settle()
    return digests
