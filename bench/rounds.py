"""The rounds in their order, and what is told of them."""

import time
from collections.abc import Iterator

from bench import accounts, export, loop, pages, push, start, telling
from bench.server import running
from bench.table import Table
from bench.world.fill import World, fill
from bench.world.size import FULL, SMALL


def main(words: list[str]) -> int:
    return telling.main(words, _tables)


def _tables(wanted: list[str], small: bool) -> Iterator[Table]:
    began = time.perf_counter()
    world = fill(SMALL if small else FULL)
    yield _told(world, time.perf_counter() - began)
    yield from _rounds(world, wanted, small=small)


def _rounds(world: World, wanted: list[str], *, small: bool) -> Iterator[Table]:
    """Those that only look come first; the loop changes most, so it is last."""
    if "start" in wanted:
        yield start.measure()
    with running() as server:
        if "pages" in wanted:
            yield pages.measure(server, world.people)
        if "export" in wanted:
            yield export.measure(server, world.people)
        if "push" in wanted:
            yield push.measure(server, world.people, small=small)
    if "ledger" in wanted:
        yield accounts.measure()
    if "loop" in wanted:
        yield loop.measure()


def _told(world: World, filled_s: float) -> Table:
    rows = list(world.counts.items())
    note = f"Filled in {filled_s:.0f} seconds."
    return Table(title="The factory measured", header=("what", "rows"), rows=rows, note=note)
