"""What one look at all living jobs costs, and one whole pass of the loop."""

import resource
import statistics
from collections.abc import Callable, Sequence

from bench.slurm.factory import Factory
from bench.slurm.ways import timed
from bench.table import Table
from fabriek.runs import reconcile

TIMES = 5
HEADER = ("living", "look s", "of it CPU s", "commands", "pass of the loop s", "commands")


def measured(factory: Factory, living: int) -> tuple[object, ...]:
    keys = factory.living()
    look = _told(factory, lambda: _all_seen(factory, keys))
    _told(factory, lambda: reconcile.tick(factory.engine))  # the first one writes what is new
    whole_s, _cpu_s, commands = _told(factory, lambda: reconcile.tick(factory.engine))
    return (living, *look, whole_s, commands)


def table(rows: Sequence[Sequence[object]]) -> Table:
    return Table(
        title="One pass of the loop over all living runs, which wait in the queue",
        header=HEADER,
        rows=rows,
        note=f"Median of {TIMES}; CPU with that of the commands; commands of Slurm in one "
        "pass. Runs beyond the second row were written into the database beside their jobs. "
        "Peers ask for each job or each user: batchspawner runs one squeue a user.",
    )


def _all_seen(factory: Factory, keys: Sequence[str]) -> None:
    seen = factory.engine.look(keys)
    if len(seen) != len(keys):
        raise RuntimeError(f"{len(seen)} of {len(keys)} jobs were seen.")


def _told(factory: Factory, work: Callable[[], None]) -> tuple[float, float, int]:
    factory.commands.clear()
    before_s = _cpu_s()
    took = timed(work, TIMES)
    cpu_s = (_cpu_s() - before_s) / TIMES
    return statistics.median(took), cpu_s, factory.commands.total() // TIMES


def _cpu_s() -> float:
    both = [
        resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    ]
    return sum(one.ru_utime + one.ru_stime for one in both)
