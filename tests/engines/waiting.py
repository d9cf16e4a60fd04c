"""How these tests wait for other processes: until it is so, but not for ever."""

import time


def eventually(ask, *, within_s=8.0):
    """Ask until the answer is true, and give that answer."""
    until = time.monotonic() + within_s
    while not (answer := ask()):
        assert time.monotonic() < until, f"not so within {within_s} s"
        time.sleep(0.01)
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
