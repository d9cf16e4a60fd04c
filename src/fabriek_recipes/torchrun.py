"""Torchrun that opens no door: `python -m fabriek_recipes.torchrun --nproc-per-node=2 -m …`.

Torchrun itself keeps a store to which anybody who reaches its port may write, and unpickles
what it finds there. Here it minds the processes of one machine only, in its own memory. They
and those of other machines meet in a file (FABRIEK_MEETING), made here on one machine and named
by the engine on several, which also says how many they are (FABRIEK_NODES) and which this is
(FABRIEK_NODE).

It also passes signals and exit codes on: torchrun itself dies of SIGUSR1, kills its processes
half a minute after a SIGTERM whether they have saved or not, and at once at the second one, and
ends with 1 whatever they ended with. A process that broke in the middle of a library's work, as
gloo and NCCL break when a connection does, is lost like any other: the run may go on.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path

from torch.distributed import HashStore  # type: ignore[attr-defined]
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.elastic.rendezvous import (
    RendezvousHandler,
    RendezvousInfo,
    RendezvousParameters,
    RendezvousStoreInfo,
    rendezvous_handler_registry,
)
from torch.distributed.run import parse_args, run

from fabriek_recipes.training.group import LOST

# Writing a large checkpoint to a busy disk takes minutes. The engine kills when its own time
# for stopping is up.
SAVE_WITHIN_S = 3600
PASSED_ON = {signal.SIGUSR1, signal.SIGTERM}
ALONE = "alone"
# What a process does to itself; others it gets from elsewhere.
BROKE = {signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV}


def main(words: list[str]) -> int:
    """Start the processes and give the code of the one that ended the run."""
    # Held back, also from the processes until they listen: a signal that comes before would
    # kill. A thread takes ours.
    signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)
    threading.Thread(target=_pass_on, daemon=True).start()
    os.environ.setdefault("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", str(SAVE_WITHIN_S))
    os.environ.setdefault("FABRIEK_MEETING", _place_in_memory())
    rendezvous_handler_registry.register(ALONE, Alone)
    given = parse_args(words)  # type: ignore[no-untyped-call]
    # Whatever else was asked for, as `--standalone`, would open a port.
    given.standalone, given.nnodes, given.rdzv_backend = False, "1", ALONE
    del given.master_addr  # of which torchrun would say in each log that it is not used
    try:
        run(given)  # type: ignore[no-untyped-call]
    except ChildFailedError as why:
        _rank, failure = why.get_first_failure()
        return _status(failure.exitcode)
    except SignalException as why:
        return 128 + int(why.sigval)
    return 0


class Alone(RendezvousHandler):
    """What torchrun takes for the meeting of all machines: it finds itself alone."""

    def __init__(self, given: RendezvousParameters) -> None:
        """Keep its name."""
        self._run_id = given.run_id

    def get_backend(self) -> str:
        """Give the name by which torchrun asks for this."""
        return ALONE

    def next_rendezvous(self) -> RendezvousInfo:
        """Give a store that lies in this process alone, and no address."""
        return RendezvousInfo(HashStore(), 0, 1, RendezvousStoreInfo("", 0))

    def is_closed(self) -> bool:
        """Nobody else could close it."""
        return False

    def set_closed(self) -> None:
        """Nobody else needs to hear."""

    def num_nodes_waiting(self) -> int:
        """Nobody comes later."""
        return 0

    def get_run_id(self) -> str:
        """Give its name back."""
        return self._run_id

    def shutdown(self) -> bool:
        """Nothing is open."""
        return True


def _place_in_memory() -> str:
    """Make a file that only this account can open and that goes when this process does."""
    return f"/proc/{os.getpid()}/fd/{os.memfd_create('meeting')}"


def _status(code: int) -> int:
    if -code in BROKE:
        return LOST
    return code if code >= 0 else 128 - code


def _pass_on() -> None:
    while True:
        number = signal.sigwait(PASSED_ON)
        started = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        if number == signal.SIGTERM and not started:
            os._exit(128 + number)
        for process in started:
            with suppress(ProcessLookupError):
                os.kill(int(process), number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
