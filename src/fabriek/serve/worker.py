"""The worker of the web server, which waits a moment for the next call of whom it answered.

Programs call one time after another. A connection that goes back to the thread that watches
them all, and out again, wakes two threads: that takes as long as a small answer itself.
"""

import select
import threading
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

A_MOMENT_MS = 1


class Worker(ThreadWorker):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  gunicorn's own
        super().__init__(*args, **kwargs)
        # The other half of the threads is for everybody else, however often one client calls.
        self._following = threading.Semaphore(self.cfg.threads // 2)

    def handle(self, conn: TConn) -> object:
        """Answer a call, and those that follow it at once. True: the connection is kept."""
        kept = super().handle(conn)
        if kept is not True or not self._following.acquire(blocking=False):
            return kept
        try:
            while kept is True and self.alive and _says_more(conn):
                kept = super().handle(conn)
        finally:
            self._following.release()
        return kept


def _says_more(conn: TConn) -> bool:
    if conn.parser.unreader.buf.getvalue():
        return False  # read along with the last one: gunicorn looks after that
    said = select.poll()
    said.register(conn.sock, select.POLLIN)
    return bool(said.poll(A_MOMENT_MS))
