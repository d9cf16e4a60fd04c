"""How fast a core of this machine is: measured while no job runs, kept in the engine's home.

A reading that something disturbed is too low, and none is too high: the best of a day counts.
"""

import json
import logging
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from fabriek.engines.local_home import Home, write_whole
from fabriek.engines.local_proc import boot_id

log = logging.getLogger(__name__)

KEPT = "pace.json"
PROBE = Path(__file__).with_name("local_probe.py")
PROBE_PATIENCE_S = 30
AGAIN_AFTER_S = 3600
# Machines may be moved and their neighbours change: so much older than the last counts no more.
COUNTS_FOR_S = 24 * 3600
NOT_MEASURED = 0.0
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

Reading = tuple[float, float]  # when, since 1970; and operations a second


def probe() -> float:
    """Measure one core for a third of a second, in a process that imports what that takes.

    Raises: OSError, SubprocessError, ValueError.
    """
    done = subprocess.run(
        [sys.executable, "-I", str(PROBE)],
        env={"PATH": os.defpath, **ONE_THREAD},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        timeout=PROBE_PATIENCE_S,
    )
    found = float(done.stdout)
    if not math.isfinite(found) or found <= 0:
        raise ValueError(f"{found} is no pace")
    return found


def measure(root: Path, probed: Callable[[], float] = probe) -> None:
    """Measure if it is time again and no job runs here, and keep it in the home `root`.

    A machine that cannot be measured is asked again when it is time again. Raises: OSError.
    """
    home = Home(root)
    home.make()
    now, before = time.time(), _readings(root)
    if (before and abs(now - before[-1][0]) < AGAIN_AFTER_S) or home.entries("live"):
        return
    flops = NOT_MEASURED
    try:
        flops = probed()
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        log.warning("The machine's pace was not measured: %s", error)
    near = [one for one in before if abs(now - one[0]) < COUNTS_FOR_S]
    write_whole(root / KEPT, {"boot": boot_id(), "readings": [*near, (now, flops)]})


def kept(root: Path) -> float | None:
    """Tell the best of the readings that count; None where there is none since the start."""
    return max((flops for _at, flops in _readings(root)), default=NOT_MEASURED) or None


def _readings(root: Path) -> list[Reading]:
    """Read them, the last one last; another start may be that of another machine."""
    try:
        said = json.loads((root / KEPT).read_bytes())
        readings = [(float(at), float(flops)) for at, flops in said["readings"]]
        is_ours = said["boot"] == boot_id()
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return []
    return [one for one in readings if is_ours and _can_be(*one)]


def _can_be(at: float, flops: float) -> bool:
    return math.isfinite(at) and math.isfinite(flops) and flops >= NOT_MEASURED
