"""A program that says how fast one core multiplies: `python local_probe.py`.

It does what small models do most, in float32: two products, with what stands between them.
"""

import sys
import time

import numpy as np

ROWS, WIDTH, INNER = 512, 128, 352
# As long as the time that a quota is counted over, and longer than a turn that the kernel gives
# a process: a core of which we get a part looks as slow as it then is. The best of several:
# what disturbs for a moment does not count.
SAMPLE_S, SAMPLES = 0.1, 3


def flops() -> float:
    """Give operations a second; on more than one core if numpy is let to use them."""
    dice = np.random.default_rng(1)
    rows = dice.standard_normal((ROWS, WIDTH), dtype=np.float32)
    onward = dice.standard_normal((WIDTH, INNER), dtype=np.float32)
    back = dice.standard_normal((INNER, WIDTH), dtype=np.float32)

    def sample() -> float:
        began, times = time.perf_counter(), 0
        while (took := time.perf_counter() - began) < SAMPLE_S:
            inner = rows @ onward
            np.maximum(inner, 0, out=inner)
            np.add(inner @ back, rows)
            times += 1
        return 4 * ROWS * WIDTH * INNER * times / took

    sample()  # loads, and lets the core come up to its speed
    return max(sample() for _turn in range(SAMPLES))


if __name__ == "__main__":
    sys.stdout.write(f"{flops()}\n")
