"""Leave what could not be done alone for a while, longer each time: others have their turn."""

import time
from dataclasses import dataclass

REST_S_MAX = 600
RESTING_MAX = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Rest:
    """Something that was tried in vain `tries` times."""

    tries: int
    until: float  # by time.monotonic


class Rests(dict[str, Rest]):
    """By its key. A loop that is started again knows of none, and tries all of them again."""

    def resting(self, now: float) -> list[str]:
        """Name what is not to be tried yet."""
        return [key for key, rest in self.items() if rest.until > now]

    def rest(self, key: str) -> None:
        """Leave it alone for 0, 1, 3, 7, ... seconds; the longest known is forgotten first."""
        before = self.pop(key, None)
        tries = before.tries + 1 if before else 1
        rest_s = min(2 ** min(tries - 1, 20) - 1, REST_S_MAX)
        self[key] = Rest(tries=tries, until=time.monotonic() + rest_s)
        if len(self) > RESTING_MAX:
            del self[next(iter(self))]

    def forget(self, key: str) -> None:
        """Count anew from now on, as it was done."""
        self.pop(key, None)
