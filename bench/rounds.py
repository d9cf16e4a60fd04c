"""The rounds in their order, and what is told of them."""

import argparse
import logging
import os
import signal
import time
from collections.abc import Iterator

from bench import accounts, export, loop, pace, pages, push, result, start
from bench.server import running
from bench.table import Table
from bench.world.fill import World, fill
from bench.world.size import FULL, SMALL


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--only", default="")
    asked = parser.parse_args(words)
    logging.disable(logging.WARNING)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return _all(asked.only.split(","), small=asked.small)
    except KeyboardInterrupt:
        return 130


def _all(wanted: list[str], *, small: bool) -> int:
    load, began, paces = os.getloadavg(), time.perf_counter(), [pace.milliseconds()]
    world = fill(SMALL if small else FULL)
    tables = [_told(world, time.perf_counter() - began)]
    print(tables[0].plain(), flush=True)
    for table in _rounds(world, wanted, small=small):
        print(table.plain(), flush=True)
        tables.append(table)
        paces.append(pace.milliseconds())
    took_s = time.perf_counter() - began
    told = f"load before the start {load[0]:.1f}, pace {min(paces):.0f} to {max(paces):.0f} ms"
    print(f"All of it took {took_s:.0f} seconds; {told}.")
    if not small:
        moment = result.Moment(load=load, paces=paces, took_s=took_s)
        print(f"Kept in {result.keep(tables, moment, conditions=result.portal()).name}.")
    return 0 if all(table.ok for table in tables) else 1


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
