"""How the machine stands, kept by the loop in one row, so that no page asks an engine."""

import logging
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from fabriek.engines.base import Engine, EngineDown, Machine, Node, NodeState
from fabriek.machine.models import Standing

log = logging.getLogger(__name__)

EVERY = timedelta(seconds=15)
# Nobody has looked for so long: the loop itself stands still.
UNWATCHED = timedelta(minutes=3)
ROW = 1
SHAPE = 1  # of the facts; what another version of the portal wrote is not read


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What is known of the machine.

    `seen_at`: when it last answered. `asked_at`: when it was last asked. `silent_since`: since
    when it gives no answer; None while it does. `machine`: None until it first answered.
    """

    seen_at: datetime
    asked_at: datetime
    silent_since: datetime | None
    machine: Machine | None

    @property
    def is_unwatched(self) -> bool:
        return timezone.now() - self.asked_at > UNWATCHED


def keep(engine: Engine) -> None:
    """Ask the engine how the machine stands and write it down, if it is time again.

    A machine that does not answer keeps the standing that was last seen.
    """
    now = timezone.now()
    before = last()
    if before and abs(now - before.asked_at) < EVERY:
        return
    try:
        seen = Seen(seen_at=now, asked_at=now, silent_since=None, machine=engine.machine())
    except EngineDown as silence:
        log.warning("The machine does not say how it stands. %s", silence)
        seen = Seen(
            seen_at=before.seen_at if before else now,
            asked_at=timezone.now(),
            silent_since=(before and before.silent_since) or now,
            machine=before.machine if before else None,
        )
    Standing(pk=ROW, seen_at=seen.seen_at, facts=_facts(seen)).save()


def last() -> Seen | None:
    """Read what was written last; None when nobody looked yet."""
    row = Standing.objects.filter(pk=ROW).first()
    if row is None or row.facts.get("shape") != SHAPE:
        return None
    told = row.facts["machine"]
    return Seen(
        seen_at=row.seen_at,
        asked_at=_moment(row.facts["asked_at"]) or row.seen_at,
        silent_since=_moment(row.facts["silent_since"]),
        machine=_machine(told) if told else None,
    )


def _facts(seen: Seen) -> dict[str, Any]:
    return {
        "shape": SHAPE,
        "asked_at": seen.asked_at.isoformat(),
        "silent_since": seen.silent_since.isoformat() if seen.silent_since else "",
        "machine": asdict(seen.machine) if seen.machine else None,
    }


def _machine(told: dict[str, Any]) -> Machine:
    nodes = tuple(Node(**node | {"state": NodeState(node["state"])}) for node in told["nodes"])
    return Machine(**told | {"nodes": nodes})


def _moment(text: str) -> datetime | None:
    return parse_datetime(text) if text else None
