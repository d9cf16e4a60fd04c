"""Objects of a bucket on their way: a few at once, the others wait; failures are remembered."""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future

AT_ONCE = 4

Job = Callable[[], None]


class Works:
    """What is under way, by name. Twenty thousand may wait: each with a thread is too many."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[tuple[str, Job, Future[None]]] = deque()
        self._at_work = 0
        self._known: dict[str, Future[None]] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._known

    def __len__(self) -> int:
        return len(self._known)

    def begin(self, name: str, job: Job) -> Future[None]:
        """Let it be done, or find it where it waits or goes on."""
        with self._lock:
            work = self._known.get(name)
            if work is None or work.done():
                work = Future()
                self._see_that_somebody_works()
                self._known[name] = work
                self._waiting.append((name, job, work))
            return work

    def tell_failure(self, name: str) -> None:
        """Raise what went wrong with one that was under way, once: then it is tried anew."""
        with self._lock:
            work = self._known.get(name)
            if work is None or not work.done():
                return
            del self._known[name]
        work.result()

    def _see_that_somebody_works(self) -> None:
        """Under the lock.

        Daemons: what they brought is gone on from, so that who ends the process need not wait.
        """
        if self._at_work < AT_ONCE:
            threading.Thread(target=self._work, name="bringing", daemon=True).start()
            self._at_work += 1

    def _work(self) -> None:
        """Do one after the other until none waits; what went well is forgotten."""
        while (found := self._next()) is not None:
            name, job, work = found
            try:
                job()
            except Exception as error:  # noqa: BLE001  raised again by whoever waits or asks
                work.set_exception(error)
            else:
                with self._lock:
                    self._known.pop(name, None)
                    work.set_result(None)

    def _next(self) -> tuple[str, Job, Future[None]] | None:
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self._at_work -= 1
            return None
