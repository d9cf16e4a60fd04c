"""`python -m bench.train`: our recipe beside TRL; on a GPU, our loop beside it.

Contestants run one after the other, round after round, each in a process of its own.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch

from bench.table import Table
from bench.train import gpu, kept, processor

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))


def main() -> int:
    """Print the tables, and keep them unless it was only tried."""
    parser = argparse.ArgumentParser(prog="python -m bench.train", description=__doc__)
    parser.add_argument("--small", action="store_true", help="a tenth: to try it out")
    parser.add_argument("--only", default="processor,gpu", help="some of: %(default)s")
    asked = parser.parse_args()
    tables = []
    with tempfile.TemporaryDirectory(prefix="fabriek-bench-") as home:
        for table in _tables(asked.only.split(","), Path(home), small=asked.small):
            print(table.plain(), flush=True)
            tables.append(table)
    if tables and not asked.small:
        print(f"Kept in {kept.keep(tables).name}.")
    return 0 if all(table.ok for table in tables) else 1


def _tables(wanted: list[str], home: Path, *, small: bool) -> Iterator[Table]:
    if "processor" in wanted:
        yield processor.measured(home, rounds=1 if small else ROUNDS, small=small)
    if "gpu" in wanted and torch.cuda.is_available():
        yield gpu.measured(home)


if __name__ == "__main__":
    sys.exit(main())
