"""Register what successful runs made, as soon as the loop sees it."""

import logging

from fabriek.kernel.errors import Refused, StorageFull
from fabriek.registry import actions, queries

log = logging.getLogger(__name__)

AT_ONCE = 20  # a pass stays short; the rest follows in the next one


def tick() -> None:
    for run in queries.awaiting_registration()[:AT_ONCE]:
        try:
            actions.register(run)
        except StorageFull:
            log.warning("%s is not registered yet: the store is full.", run)
        except Refused as refusal:
            actions.reject(run, refusal)
        except Exception:
            log.exception("%s could not be registered; the pass goes on.", run)
