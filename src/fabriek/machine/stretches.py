"""Keep what the machine's accounting tells: each line once, whoever tells it and how often."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection, transaction

from fabriek.allocations.models import Allocation
from fabriek.engines.base import UsageRecord
from fabriek.machine import energy
from fabriek.machine.models import Stretch
from fabriek.runs.models import Run
from fabriek.runs.states import RunState

Value = str | int | datetime | None

BATCH = 2_000
RUN_KEY = re.compile(r"fabriek-[0-9a-f]{32}", re.ASCII)
COLUMNS = (
    "key", "number", "name", "user", "account", "allocation_id", "run_id", "state", "nodes",
    "gpus", "tres", "submitted_at", "started_at", "ended_at", "elapsed_s", "energy_j",
    "energy_method", "is_history", "awaits_charge",
)  # fmt: skip
NAMES = ", ".join(f'"{name}"' for name in COLUMNS)
# `bulk_create` does the same three times slower, and a file may have a million lines.
INSERT = f"""
    INSERT INTO machine_stretch ({NAMES}) VALUES ({", ".join(["%s"] * len(COLUMNS))})
    ON CONFLICT (key) DO
"""  # noqa: S608  its parts are ours
# To PostgreSQL a row at a time is a journey each.
TOLD = f"""
    CREATE TEMPORARY TABLE IF NOT EXISTS told ON COMMIT DELETE ROWS
    AS SELECT {NAMES} FROM machine_stretch WITH NO DATA
"""  # noqa: S608
COPY = f"COPY told ({NAMES}) FROM STDIN"
TAKE = f"""
    INSERT INTO machine_stretch ({NAMES}) SELECT {NAMES} FROM told ON CONFLICT (key) DO
"""  # noqa: S608
# What was brought in as history, and the machine tells now: billed as if it were new.
NO_LONGER_HISTORY = """
    UPDATE SET is_history = excluded.is_history, awaits_charge = excluded.awaits_charge,
        allocation_id = excluded.allocation_id, run_id = excluded.run_id
    WHERE machine_stretch.is_history
"""


# Clocks of portal and machine may differ, and what we thought had ended may go on for a while.
# What is linked within it is billed all the same: by night, as part of its run.
MARGIN = timedelta(days=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Life:
    """Of which moments a job can be that is of this run; `until` None: it may go on."""

    run: int
    since: datetime
    until: datetime | None

    def holds(self, record: UsageRecord) -> bool:
        """Whoever submits a job may give it the name of a run that was over long ago."""
        moment = record.submitted_at or record.started_at
        if moment < (self.since - MARGIN).timestamp():
            return False
        return self.until is None or moment <= (self.until + MARGIN).timestamp()


class Links:
    """To which allocation and run each record belongs: asked once for each account."""

    def __init__(self) -> None:
        self._allocations: dict[str, int | None] = {}

    def allocations(self, accounts: Iterable[str]) -> dict[str, int | None]:
        if unknown := set(accounts) - self._allocations.keys():
            self._allocations |= dict.fromkeys(unknown)
            rows = Allocation.objects.filter(account__in=unknown)
            self._allocations |= dict(rows.values_list("account", "pk"))
        return self._allocations

    def runs(self, names: Iterable[str]) -> dict[tuple[str, int], Life]:
        """Give runs by key and allocation: a job under another account is none of theirs."""
        keys = [name for name in names if RUN_KEY.fullmatch(name)]
        if not keys:
            return {}
        columns = ("key", "allocation_id", "pk", "asked_at", "ended_at", "state")
        rows = Run.objects.filter(key__in=keys).values_list(*columns)
        return {
            (key, allocation): Life(
                run=pk, since=asked_at, until=None if state == RunState.LOST else ended_at
            )
            for key, allocation, pk, asked_at, ended_at, state in rows
        }


def keep(records: Sequence[UsageRecord], links: Links, *, is_history: bool = False) -> int:
    """Write down what is new, and say how much that was. History is never to be charged."""
    allocations = links.allocations(record.account for record in records)
    runs = links.runs(record.key for record in records)
    stored = connection.ops.adapt_datetimefield_value  # looked up once: it is much of the work
    rows = []
    for record in records:
        allocation = allocations[record.account]
        life = runs.get((record.key, allocation)) if allocation else None
        run = life.run if life and life.holds(record) else None
        moments: list[Value] = [
            None if at is None else stored(datetime.fromtimestamp(at, UTC))
            for at in (record.submitted_at, record.started_at, record.ended_at)
        ]
        is_around = allocation is not None and run is None and record.gpu_seconds > 0
        awaits_charge = is_around and not is_history
        links_of = (allocation, run)
        rows.append((*_row(record, links_of, moments), is_history, awaits_charge))
    return _insert(rows, "NOTHING" if is_history else NO_LONGER_HISTORY)


def link_late() -> int:
    """Link what came before its allocation was known here, and let it be charged."""
    late = Stretch.objects.filter(allocation=None, is_history=False)
    found = 0
    for account in late.order_by("account").values_list("account", flat=True).distinct():
        if allocation := Allocation.objects.filter(account=account).first():
            ours = late.filter(account=account)
            found += ours.update(allocation=allocation, awaits_charge=True)
    return found


def _insert(rows: Sequence[tuple[Value, ...]], upon_conflict: str) -> int:
    """Add rows in the quickest way each database has, and say how many were new."""
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(TOLD)
            cursor.execute("TRUNCATE told")
            with cursor.copy(COPY) as copy:
                for row in rows:
                    copy.write_row(row)
            cursor.execute(TAKE + upon_conflict)
        else:
            cursor.executemany(INSERT + upon_conflict, rows)
        return int(cursor.rowcount)


def _row(
    record: UsageRecord, links: tuple[int | None, int | None], moments: list[Value]
) -> tuple[Value, ...]:
    return (
        record.identity[:140],
        record.number[:40],
        record.key[:200],
        record.user[:64],
        record.account[:64],
        *links,
        record.state[:40],
        record.nodes,
        record.gpus,
        record.tres[:200],
        *moments,
        record.elapsed_s,
        *energy.of(record),
    )
