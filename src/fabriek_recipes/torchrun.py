"""Torchrun that passes signals and exit codes on: `python -m fabriek_recipes.torchrun …`.

Takes torchrun's own words; started on several nodes by an engine, it finds the others by what
that engine says (FABRIEK_NODES, FABRIEK_NODE and FABRIEK_FIRST). Torchrun itself dies of
SIGUSR1, kills its processes half a minute after a SIGTERM whether they have saved or not, and
at once at the second one, and ends with 1 whatever they ended with.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path

from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import main as torchrun

# Writing a large checkpoint to a busy disk takes minutes. The engine kills when its own time
# for stopping is up.
SAVE_WITHIN_S = 3600
PASSED_ON = {signal.SIGUSR1, signal.SIGTERM}


def main(words: list[str]) -> int:
    """Start the processes and give the code of the one that ended the run."""
    # Held back, also from the processes until they listen: a signal that comes before would
    # kill. A thread takes ours.
    signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)
    threading.Thread(target=_pass_on, daemon=True).start()
    os.environ.setdefault("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", str(SAVE_WITHIN_S))
    try:
        torchrun([*placed(), *words])
    except ChildFailedError as why:
        _rank, failure = why.get_first_failure()
        code = failure.exitcode
        return code if code >= 0 else 128 - code
    except SignalException as why:
        return 128 + int(why.sigval)
    return 0


def placed() -> list[str]:
    """Tell torchrun which of several nodes this is; nothing on one alone."""
    nodes = os.environ.get("FABRIEK_NODES", "1")
    if nodes == "1":
        return []
    host, _, port = os.environ["FABRIEK_FIRST"].rpartition(":")
    return [
        f"--nnodes={nodes}",
        f"--node-rank={os.environ['FABRIEK_NODE']}",
        f"--master-addr={host}",
        f"--master-port={port}",
    ]


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
