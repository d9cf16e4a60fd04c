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


def main(words: list[str], rounds: Rounds, *, kind: str = "") -> int:
    """Give the exit status: 0 only if every round met what it holds itself to."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--only", default="")
    asked = parser.parse_args(words)
    logging.disable(logging.WARNING)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return _all(rounds, asked.only.split(","), small=asked.small, kind=kind)
    except KeyboardInterrupt:
        return 130


def _all(rounds: Rounds, wanted: list[str], *, small: bool, kind: str) -> int:
    load, began, paces = os.getloadavg(), time.perf_counter(), [pace.milliseconds()]
    tables = []
    for table in rounds(wanted, small):
        print(table.plain(), flush=True)
        tables.append(table)
        paces.append(pace.milliseconds())
    took_s = time.perf_counter() - began
    told = f"load before the start {load[0]:.1f}, pace {min(paces):.0f} to {max(paces):.0f} ms"
    print(f"All of it took {took_s:.0f} seconds; {told}.")
    if not small:
        moment = result.Moment(load=load, paces=paces, took_s=took_s)
        kept = result.keep(tables, moment, conditions=result.portal(), kind=kind)
        print(f"Kept in {kept.name}.")
    return 0 if all(table.ok for table in tables) else 1
