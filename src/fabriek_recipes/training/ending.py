"""How the end of a run is told from one process to another: as JSON, never as an object."""

from __future__ import annotations

import json

from fabriek_recipes.training.group import LOST, End
from fabriek_recipes.words import Failed, _

PROCESS_LOST = "process_lost"


def lost() -> End:
    """Say that one of the processes is gone."""
    text = _(
        "A process of this run was lost, perhaps for lack of memory; start the run again, it "
        "goes on from where it was last saved."
    )
    return End(LOST, Failed(PROCESS_LOST, text))


def written(end: End) -> str:
    """Write it down for the other processes."""
    why = end.why
    told = why and {
        "code": why.code,
        "msgid": why.sentence.msgid,
        "values": dict(why.sentence.values),
    }
    return json.dumps({"code": end.code, "why": told})


def read(text: bytes) -> End:
    """Read what another process wrote."""
    raw = json.loads(text)
    why = raw["why"] and Failed(raw["why"]["code"], raw["why"]["msgid"], **raw["why"]["values"])
    return End(raw["code"], why)
