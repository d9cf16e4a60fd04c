"""How quick this machine is at this moment: a fixed piece of Python, in CPU milliseconds."""

import time

ADDITIONS = 1_000_000
TIMES = 5


def milliseconds() -> float:
    """Take the middle of a few: on a machine that others use it is far from the best."""
    return sorted(_once() for _ in range(TIMES))[TIMES // 2]


def _once() -> float:
    start, total = time.process_time(), 0
    for number in range(ADDITIONS):
        total += number
    return 1000 * (time.process_time() - start)
