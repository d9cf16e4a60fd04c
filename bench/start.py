"""How soon the command line answers."""

import statistics
import subprocess
import sys
import time
from pathlib import Path

from bench.table import Table

TIMES = 15
GOAL_S = 0.15
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "fabriek --help": [str(Path(sys.executable).with_name("fabriek")), "--help"],
}


def measure() -> Table:
    took: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(TIMES):
        for name, command in COMMANDS.items():
            start = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=30)
            took[name].append(time.perf_counter() - start)
    rows = []
    for name, seconds in took.items():
        middle = statistics.median(seconds)
        is_ours = name.startswith("fabriek")
        goal, met = (GOAL_S, "yes" if middle <= GOAL_S else "NO") if is_ours else (None, None)
        rows.append((name, min(seconds), middle, goal, met))
    return Table(
        title="Start of the command line",
        header=("command", "best s", "median s", "goal s", "met"),
        rows=rows,
        note=f"{TIMES} times each, in turn. Peer: in SkyPilot `import sky` alone cost about a "
        "second for every command (its issue 4678).",
    )
