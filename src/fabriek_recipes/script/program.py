"""One program of the user: started without a shell, told when to stop, and wholly ended.

Linux only, like the engines: what a program leaves behind becomes a child of this process, and
goes when the program does.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType

from fabriek_recipes.script.command import is_of_shell
from fabriek_recipes.training.stopping import STOP_AFTER_SIGNAL

# prctl(2), Linux: /usr/include/linux/prctl.h
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
LOOK_EVERY_S = 0.2
END_WITHIN_S = 5.0
PROC = Path("/proc")


class Program:
    """A program and all that it starts."""

    def __init__(self) -> None:
        """Listen from now on: what is asked before the program is there counts too."""
        self.is_asked_to_stop = False
        self._child: subprocess.Popen[bytes] | None = None
        self._is_shell = False
        self._libc = ctypes.CDLL(None)
        self._libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        ends = os.environ.get(STOP_AFTER_SIGNAL) == "1"
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGUSR1, self._stop if ends else self._save)

    def run(
        self,
        words: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        meanwhile: Callable[[], None],
    ) -> int:
        """Start it and wait for its end; give its code, or minus the signal that ended it.

        Raises:
            OSError: it cannot be started.
        """
        self._is_shell = is_of_shell(list(words))
        if self.is_asked_to_stop:
            return -signal.SIGTERM
        self._child = subprocess.Popen(
            _found(words, folder, environment),
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=self._as_ours,  # noqa: PLW1509  one thread, and two calls of the system
        )
        if self.is_asked_to_stop:  # while it was being started
            self._tell(signal.SIGTERM)
        try:
            while (code := self._child.poll()) is None:
                meanwhile()
                self._wait()
            return code
        finally:
            self.end_all()

    def end_all(self) -> None:
        """End what is left of it: nothing of a run goes on after the run."""
        until = time.monotonic() + END_WITHIN_S
        while time.monotonic() < until and (left := _descendants(os.getpid())):
            for pid in left:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            with suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            time.sleep(0.01)

    def _wait(self) -> None:
        with suppress(subprocess.TimeoutExpired):
            if self._child:
                self._child.wait(LOOK_EVERY_S)

    def _as_ours(self) -> None:
        # SIGUSR1 only asks to save: what does not listen must not die of it.
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        self._libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self.is_asked_to_stop = True
        self._tell(signal.SIGTERM)

    def _save(self, _number: int, _frame: FrameType | None) -> None:
        self._tell(signal.SIGUSR1)

    def _tell(self, number: signal.Signals) -> None:
        """Tell the program alone; a shell passes nothing on, so then what it started as well.

        Not all of them always: processes that load data would die, and their program with them,
        before it has saved.
        """
        child = self._child
        if child is None or child.returncode is not None:
            return
        with suppress(ProcessLookupError, PermissionError):
            if self._is_shell:
                os.killpg(child.pid, number)
            else:
                os.kill(child.pid, number)


def _found(words: Sequence[str], folder: Path, environment: Mapping[str, str]) -> list[str]:
    """Name the program by its whole path: what is looked for by Python is by our own PATH.

    Raises: FileNotFoundError.
    """
    first = words[0]
    if "/" in first:
        return [str(folder / first), *words[1:]]
    for place in environment.get("PATH", os.defpath).split(":"):
        path = Path(place) / first
        if place and path.is_file() and os.access(path, os.X_OK):
            return [str(path), *words[1:]]
    raise FileNotFoundError(first)


def _descendants(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for name in os.listdir(PROC):  # noqa: PTH208  names only
        if name.isdigit() and (parent := _parent(int(name))):
            children.setdefault(parent, []).append(int(name))
    found = list(children.get(pid, ()))
    for one in found:  # grows while it is walked
        found.extend(children.get(one, ()))
    return found


def _parent(pid: int) -> int:
    """Read who started it; the name before it may hold any sign."""
    try:
        fields = (PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2]
        return int(fields.split()[1])
    except (OSError, ValueError, IndexError):
        return 0
