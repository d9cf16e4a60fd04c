"""The rounds in their order: the queue fills from one to the next, and nothing in it runs."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from bench import telling
from bench.slurm import budgets, imports, passes, submitting, ways
from bench.slurm.factory import Factory
from bench.table import Table
from fabriek.engines.base import Budget
from fabriek.runs.models import new_key

ACCOUNT = "fabriek-bench-own"
PARTITION = "bench"
BUDGET_GPU_S = 10**9


def main(words: list[str]) -> int:
    return telling.main(words, _rounds, kind="slurm", conditions=_conditions)


def _rounds(_wanted: list[str], small: bool) -> Iterator[Table]:
    factory = Factory()
    try:
        with _partition_where_all_wait():
            tables = _measured(factory, small=small)
    finally:
        factory.remove_account()
    yield from tables


def _measured(factory: Factory, *, small: bool) -> list[Table]:
    few, many, most = (10, 100, 500) if small else (10, 1000, 5000)
    factory.engine.tell_budgets([Budget(account=ACCOUNT, gpu_seconds=BUDGET_GPU_S)])
    submitted = submitting.measure(factory, ACCOUNT, PARTITION)
    factory.forget_runs()
    ways.empty()
    rates, rows = [], []
    for living in (few, many):
        rates.append(factory.fill(living))
        rows.append(passes.measured(factory, living))
    more = [new_key() for _ in range(most - many)]
    rates.append(ways.fill(factory.engine, ACCOUNT, more))
    factory.adopt(more)
    rows.append(passes.measured(factory, most))
    imported = imports.measure(small=small)
    ways.empty()  # the controller checks each waiting job against each new limit
    home, conf = settings.ENGINE_HOME, settings.SLURM_CONF
    told = budgets.measure(home / "budgets", conf, small=small)
    return [submitted, submitting.rates(*rates[1:]), passes.table(rows), imported, told]


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
