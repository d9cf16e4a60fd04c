"""Register what successful runs made, as soon as the loop sees it."""

import logging
import time
from dataclasses import dataclass

from fabriek.kernel.errors import Invalid, Refused, StorageFull, TooLarge
from fabriek.registry import actions, queries
from fabriek.runs.models import Run

log = logging.getLogger(__name__)

AT_ONCE = 20  # a pass stays short; the rest follows in the next one
LOOKED_AT = 200  # more, so that some that cannot be registered do not keep the others waiting
REST_S_MAX = 600
RESTING_MAX = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Rest:
    """A run that could not be registered `tries` times, and is left alone for a while."""

    tries: int
    until: float  # by time.monotonic


# By the key of the run. A loop that is started again tries all of them again.
at_rest: dict[str, Rest] = {}


def tick() -> None:
    """Register what waits.

    What a run left never changes, so that the reasons that lie in it are final; with a full
    disk or a broken database it is tried again: at the next pass, and then after a longer and
    longer rest, so that the others have their turn.
    """
    registered = 0
    now = time.monotonic()
    resting = [key for key, rest in at_rest.items() if rest.until > now]
    for run in queries.awaiting_registration().exclude(key__in=resting)[:LOOKED_AT]:
        try:
            actions.register(run)
        except (Invalid, TooLarge) as refusal:
            actions.reject(run, refusal)
        except StorageFull:
            log.warning("%s is not registered yet: the store has no room for it.", run)
            _rest(run)
        except Refused as refusal:
            log.warning("%s is not registered yet: %s", run, refusal)
            _rest(run)
        except Exception:
            log.exception("%s could not be registered; the pass goes on.", run)
            _rest(run)
        else:
            registered += 1
            at_rest.pop(run.key, None)
        if registered == AT_ONCE:
            return


def _rest(run: Run) -> None:
    """Leave it alone for 0, 1, 3, 7, ... seconds; the longest known is forgotten first."""
    before = at_rest.pop(run.key, None)
    tries = before.tries + 1 if before else 1
    rest_s = min(2 ** min(tries - 1, 20) - 1, REST_S_MAX)
    at_rest[run.key] = Rest(tries=tries, until=time.monotonic() + rest_s)
    if len(at_rest) > RESTING_MAX:
        del at_rest[next(iter(at_rest))]
