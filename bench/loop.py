"""One pass of the loop over all living runs, on an engine that is a dictionary."""

import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import replace

from django.db import connection

from bench.table import Table
from fabriek.engines.base import Budget, Job, Phase, Reason, Sighting
from fabriek.engines.fake import Fake
from fabriek.registry import collect
from fabriek.runs import reconcile
from fabriek.runs.models import Run
from fabriek_recipes.run_folder import EVENTS

EVENTFUL = 10  # one in ten has new figures, one in a hundred ends
ENDING = 100
EVENT = '{"at": %d, "kind": "metrics", "step": %d, "values": {"loss": 0.5}}\n'
LINES = 10


class Counted(Fake):
    """Counts how often it is asked, as each time would be a process or a request."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Counter[str] = Counter()

    def look(self, keys: Collection[str]) -> dict[str, Sighting]:
        self.asked["look"] += 1
        return super().look(keys)

    def submit(self, job: Job) -> None:
        self.asked["submit"] += 1
        super().submit(job)

    def cancel(self, key: str) -> None:
        self.asked["cancel"] += 1
        super().cancel(key)

    def tell_budgets(self, budgets: Collection[Budget]) -> None:
        self.asked["budgets"] += 1
        super().tell_budgets(budgets)


def measure() -> Table:
    engine = Counted()
    living = list(Run.objects.filter(state__in=("queued", "running")).order_by("pk"))
    for run in living:
        engine.seen[run.key] = Sighting(Phase(run.state), elapsed_s=run.elapsed_s)
    rows = [_pass("first, after a start", engine)]
    rows.append(_pass("nothing new", engine))
    _grow(engine)
    rows.append(_pass("all ran on a minute", engine))
    _let_happen(engine, living)
    rows.append(_pass("1 in 10 has new figures, 1 in 100 ended", engine))
    rows.append(_row("registering what ended: nothing to do", collect.tick, engine))
    return Table(
        title=f"One pass of the loop over {len(living):,} living runs",
        header=("pass", "seconds", "queries", "engine calls"),
        rows=rows,
        note="Fake engine: its own answer takes no time. BEGIN and COMMIT are not counted. "
        "A pass looks for new events of each run, and bills each run that ended.",
    )


def _pass(name: str, engine: Counted) -> tuple[object, ...]:
    return _row(name, lambda: reconcile.tick(engine), engine)


def _row(name: str, work: Callable[[], None], engine: Counted) -> tuple[object, ...]:
    engine.asked.clear()
    queries: list[str] = []

    def count(execute, sql, *rest):
        queries.append(sql)
        return execute(sql, *rest)

    start = time.perf_counter()
    with connection.execute_wrapper(count):
        work()
    return (name, time.perf_counter() - start, len(queries), engine.asked.total())


def _grow(engine: Counted) -> None:
    for key, seen in engine.seen.items():
        if seen.phase == Phase.RUNNING:
            engine.move(key, replace(seen, elapsed_s=seen.elapsed_s + 60))


def _let_happen(engine: Counted, living: list[Run]) -> None:
    for run in living[::EVENTFUL]:
        run.folder.mkdir(parents=True)
        lines = (EVENT % (1_790_000_000 + step, 1000 + step) for step in range(LINES))
        (run.folder / EVENTS).write_text("".join(lines))
    for run in living[1::ENDING]:
        ended = replace(
            engine.seen[run.key], phase=Phase.FAILED, reason=Reason.EXIT, exit_code=1
        )
        engine.move(run.key, ended)
