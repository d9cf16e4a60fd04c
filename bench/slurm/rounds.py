"""The rounds in their order: the queue fills from one to the next, and nothing in it runs."""

import logging
import os
import signal
import time
from contextlib import contextmanager

from bench import pace, result
from bench.slurm import passes, submitting, ways
from bench.slurm.factory import Factory
from bench.table import Table

ACCOUNT = "fabriek-bench-own"
PARTITION = "bench"
BUDGET_GPU_S = 10**9


def main(words: list[str]) -> int:
    logging.disable(logging.WARNING)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return _all(small="--small" in words)
    except KeyboardInterrupt:
        return 130


def _all(*, small: bool) -> int:
    load, began, paces = os.getloadavg(), time.perf_counter(), [pace.milliseconds()]
    with _partition_where_all_wait():
        tables = _measured(small=small)
    paces.append(pace.milliseconds())
    took_s = time.perf_counter() - began
    for table in tables:
        print(table.plain(), flush=True)
    print(f"All of it took {took_s:.0f} seconds; load before the start {load[0]:.1f}.")
    if not small:
        moment = result.Moment(load=load, paces=paces, took_s=took_s)
        path = result.keep(tables, moment, conditions=_conditions(), kind="slurm")
        print(f"Kept in {path.name}.")
    return 0


def _measured(*, small: bool) -> list[Table]:
    few, many, most = (10, 100, 500) if small else (10, 1000, 5000)
    factory = Factory()
    factory.engine.open_budget(ACCOUNT, BUDGET_GPU_S)
    submitted = submitting.measure(factory, ACCOUNT, PARTITION)
    factory.forget_runs()
    ways.empty()
    rates, rows = [], []
    for living in (few, many):
        rates.append(factory.fill(living))
        rows.append(passes.measured(factory, living))
    more = [f"bench-more-{number}" for number in range(most - many)]
    rates.append(ways.fill(factory.engine, ACCOUNT, more))
    rows.append(passes.looked(factory, more))
    return [submitted, submitting.rates(*rates[1:]), passes.table(rows)]


@contextmanager
def _partition_where_all_wait():
    """Real jobs in the real queue, without five thousand of them on these few cores."""
    named = f"PartitionName={PARTITION}"
    ways.said("scontrol", "create", named, "Nodes=ALL", "MaxTime=7-0", "State=DOWN")
    try:
        yield
    finally:
        ways.empty()
        ways.said("scontrol", "delete", named)


def _conditions() -> str:
    version = ways.said("sinfo", "--version").strip().capitalize()
    return f"SQLite, {version}: all of it, with its four emulated nodes, on this machine"
