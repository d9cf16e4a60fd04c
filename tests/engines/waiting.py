"""How these tests wait for other processes: until it is so, but not for ever.

To ask a cluster starts a process, so who waits long asks seldom: others beside it go on sooner.
"""

import time

SHORTEST_S, LONGEST_S = 0.01, 0.5
# A machine may be slow, and do much else. Only a test that fails waits to the end.
SLOWER = 5


def eventually(ask, *, within_s=8.0):
    """Ask until the answer is true, and give that answer; each pause is a tenth of the wait.

    `within_s` is for a quick machine with nothing else to do; any other gets more.
    """
    most_s = within_s * SLOWER
    began = time.monotonic()
    while not (answer := ask()):
        waited_s = time.monotonic() - began
        assert waited_s < most_s, f"not so within {most_s} s"
        time.sleep(min(max(waited_s / 10, SHORTEST_S), LONGEST_S))
    return answer


def ended(engine, key):
    """Wait until `key` has come to its end, and give that sighting."""

    def final():
        seen = engine.look([key])[key]
        return seen if seen.phase.is_final else None

    return eventually(final)


def is_alive(pid):
    """Whether `pid` runs; one that only waits to be reaped does not."""
    try:
        with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123
            return stat.read().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except FileNotFoundError:
        return False
