"""A folder for a program behind walls that somebody waits for, how many, and how long."""

import fcntl
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from fabriek.kernel.errors import Refused

ASK_AGAIN_S = 0.2
LEFT_S = 200  # none is waited for as long
FOLDER, SLOT = ".seen-", ".slot-"


@contextmanager
def room(*, patience_s: float = 0.0) -> Iterator[Path]:
    """Give a folder for one worker. Raises: Refused, where too many are at it for so long."""
    home = Path(settings.LOOKS_HOME)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    home.chmod(0o700)
    _clear_old(home)
    with (
        slot(home, patience_s=patience_s),
        TemporaryDirectory(prefix=FOLDER, dir=home) as place,
    ):
        yield Path(place)


@contextmanager
def slot(home: Path, *, patience_s: float = 0.0) -> Iterator[None]:
    """Let no more at it than may look at data at once: each has memory of its own."""
    until = time.monotonic() + patience_s
    while True:
        for number in range(max(1, settings.LOOK_WORKERS)):
            with (home / f"{SLOT}{number}").open("w") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                yield
                return
        if time.monotonic() >= until:
            break
        time.sleep(ASK_AGAIN_S)
    raise Refused(
        _("Rows of others are being counted at this moment. Try again in half a minute."),
        code="busy_counting",
    )


def ends_within(worker: "subprocess.Popen[Any]", seconds: float) -> bool:
    """Wait for a worker that leads a group of its own; then nothing of it runs any more."""
    try:
        worker.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return False
    else:
        return True
    finally:
        with suppress(OSError):
            os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()


def _clear_old(home: Path) -> None:
    """Clear what a killed process left: its links keep bytes that were removed."""
    before = time.time() - LEFT_S
    for left in home.glob(f"{FOLDER}*"):
        with suppress(OSError):
            if left.stat().st_mtime < before:
                shutil.rmtree(left, ignore_errors=True)
