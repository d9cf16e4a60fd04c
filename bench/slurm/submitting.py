"""How long until a job stands in the queue, and how many come to stand there in a second."""

import statistics

from bench.slurm import ways
from bench.slurm.factory import Factory
from bench.table import Table

TIMES = 50
FEW = 10
PEERS = (
    "Peers, measured by this project in November 2026 on a like cluster (Slurm 22.05.8): "
    "`sbatch` from Python 3.6 ms; submitit 206 ms, of which 200 are a pause of its own; psij "
    "5.5 ms, but it knew the last end 92 s later; FirecREST v2 11 ms."
)
NO_SUBMITIT = "submitit could not be installed here, so it was not measured. "


def measure(factory: Factory, account: str, partition: str) -> Table:
    factory.ask_and_send()  # the first request of a process reads all of the portal's code
    theirs = ways.submitit(account, partition, times=FEW)
    rows = [
        _row("sbatch from Python", ways.sbatch(account, partition, times=TIMES), "3.6"),
        _row("Engine.submit", ways.engine(factory.engine, account, times=TIMES), None),
        _row("API call, then the loop sends it", ways.timed(factory.ask_and_send, FEW), "11"),
        *([_row("submitit", theirs, "206")] if theirs else []),
    ]
    note = "" if theirs else NO_SUBMITIT
    return Table(
        title="Until a job stands in the queue",
        header=("way", "times", "best ms", "median ms", "worst ms", "peer ms"),
        rows=rows,
        note=f"{note}The API call waits for the loop too: up to one second more. Its peer is "
        f"FirecREST. {PEERS}",
    )


def rates(runs_a_second: float, jobs_a_second: float) -> Table:
    return Table(
        title="Submitted in a second, one after the other",
        header=("what", "a second"),
        rows=[
            ("runs: asked for, held, laid out, sent", runs_a_second),
            ("jobs: Engine.submit alone", jobs_a_second),
        ],
        note="Peer: `sbatch` from Python alone 255.",
    )


def _row(way: str, took: list[float], peer: str | None) -> tuple[object, ...]:
    ms = [1000 * seconds for seconds in took]
    return (way, len(ms), min(ms), statistics.median(ms), max(ms), peer)
