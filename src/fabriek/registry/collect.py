"""Register what successful runs made, as soon as the loop sees it."""

import logging
import time

from fabriek.kernel.errors import Invalid, Refused, StorageFull, TooLarge
from fabriek.kernel.resting import Rests
from fabriek.registry import actions, queries

log = logging.getLogger(__name__)

AT_ONCE = 20  # a pass stays short; the rest follows in the next one
LOOKED_AT = 200  # more, so that some that cannot be registered do not keep the others waiting

# By the key of the run.
at_rest = Rests()


def tick() -> None:
    """Register what waits.

    What a run left never changes, so that the reasons that lie in it are final; with a full
    disk or a broken database it is tried again: at the next pass, and then after a longer and
    longer rest, so that the others have their turn.
    """
    registered = 0
    resting = at_rest.resting(time.monotonic())
    for run in queries.awaiting_registration().exclude(key__in=resting)[:LOOKED_AT]:
        try:
            actions.take_in(run)
        except (Invalid, TooLarge) as refusal:
            actions.reject(run, refusal)
        except StorageFull:
            log.warning("%s is not registered yet: the store has no room for it.", run)
            at_rest.rest(run.key)
        except Refused as refusal:
            log.warning("%s is not registered yet: %s", run, refusal)
            at_rest.rest(run.key)
        except Exception:
            log.exception("%s could not be registered; the pass goes on.", run)
            at_rest.rest(run.key)
        else:
            registered += 1
            at_rest.forget(run.key)
        if registered == AT_ONCE:
            return
