"""The worker of the web server, which waits a moment for the next call of whom it answered.

Programs call one time after another. A connection that goes back to the thread that watches
them all, and out again, wakes two threads: that takes as long as a small answer itself.

What it loads to begin with stays for good. Python looks through all of it once in some ten
thousands of new objects, which took a third of the time in which 20,000 files are saved.
"""

import gc
import select
import threading
from importlib import import_module
from typing import Any

from django.conf import settings
from gunicorn.workers.gthread import TConn, ThreadWorker

from fabriek.serve import outflow

A_MOMENT_MS = 1


class Worker(ThreadWorker):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  gunicorn's own
        super().__init__(*args, **kwargs)
        # The other half of the threads is for everybody else, however often one client calls.
        self._following = threading.Semaphore(self.cfg.threads // 2)

    def load_wsgi(self) -> None:
        """Load every page before the first call, and let nothing of that be looked through."""
        super().load_wsgi()
        import_module(settings.ROOT_URLCONF)
        gc.collect()
        gc.freeze()

    def handle(self, conn: TConn) -> object:
        """Answer a call, and those that follow it at once. True: the connection is kept."""
        if not conn.initialized and not self.cfg.is_ssl:
            conn.sock = outflow.Socket.of(conn.sock)
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
