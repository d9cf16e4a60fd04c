"""What every bench of several rounds does: run them, print and keep what they tell."""

import argparse
import logging
import os
import signal
import time
from collections.abc import Callable, Iterator

from bench import pace, result
from bench.table import Table

Rounds = Callable[[list[str], bool], Iterator[Table]]  # those that are wanted; whether small
Conditions = Callable[[], str]


def main(
    words: list[str],
    rounds: Rounds,
    *,
    kind: str = "",
    conditions: Conditions = result.portal,
) -> int:
    """Give the exit status: 0 only if every round met what it holds itself to."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--only", default="")
    asked = parser.parse_args(words)
    logging.disable(logging.WARNING)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        tables, moment = _measured(rounds, asked.only.split(","), small=asked.small)
        if not asked.small:
            kept = result.keep(tables, moment, conditions=conditions(), kind=kind)
            print(f"Kept in {kept.name}.")
    except KeyboardInterrupt:
        return 130
    return 0 if all(table.ok for table in tables) else 1


def _measured(
    rounds: Rounds, wanted: list[str], *, small: bool
) -> tuple[list[Table], result.Moment]:
    load, began, paces = os.getloadavg(), time.perf_counter(), [pace.milliseconds()]
    tables = []
    for table in rounds(wanted, small):
        print(table.plain(), flush=True)
        tables.append(table)
        paces.append(pace.milliseconds())
    took_s = time.perf_counter() - began
    told = f"load before the start {load[0]:.1f}, pace {min(paces):.0f} to {max(paces):.0f} ms"
    print(f"All of it took {took_s:.0f} seconds; {told}.")
    return tables, result.Moment(load=load, paces=paces, took_s=took_s)
