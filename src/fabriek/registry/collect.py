"""Register what successful runs made, as soon as the loop sees it."""

import logging

from fabriek.kernel.errors import Invalid, Refused, StorageFull, TooLarge
from fabriek.registry import actions, queries

log = logging.getLogger(__name__)

AT_ONCE = 20  # a pass stays short; the rest follows in the next one
LOOKED_AT = 200  # more, so that some that cannot be registered do not keep the others waiting


def tick() -> None:
    """Register what waits.

    What a run left never changes, so that the reasons that lie in it are final; with a full
    disk or a broken database it is tried again at the next pass.
    """
    registered = 0
    for run in queries.awaiting_registration()[:LOOKED_AT]:
        try:
            actions.register(run)
        except (Invalid, TooLarge) as refusal:
            actions.reject(run, refusal)
        except StorageFull:
            log.warning("%s is not registered yet: the store is full.", run)
            return  # the others would find it as full, after reading all they left
        except Refused as refusal:
            log.warning("%s is not registered yet: %s", run, refusal)
        except Exception:
            log.exception("%s could not be registered; the pass goes on.", run)
        else:
            registered += 1
        if registered == AT_ONCE:
            return
