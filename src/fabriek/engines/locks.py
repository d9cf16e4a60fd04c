"""Locks that the system takes back from a process that is killed."""

import fcntl


def try_lock(handle: int) -> bool:
    """Hold the open file for us alone; False when somebody else holds it."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
