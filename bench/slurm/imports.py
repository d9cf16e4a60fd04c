"""How fast old lines of sacct come in, and in how much memory; both databases."""

import os
import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dev.postgres import cluster, server_binaries

from bench.table import Table
from fabriek.engines import sacct

FEW, MANY = 10_000, 1_000_000
SEED = 7
TOOK = re.compile(r"(\d+) records, of which (\d+) were new, in ([\d.]+) s")
HEADER = ("database", "records", "seconds", "records a second", "memory MiB")


def measure(*, small: bool) -> Table:
    counts = (FEW // 10, MANY // 10) if small else (FEW, MANY)
    with tempfile.TemporaryDirectory(prefix="fabriek-imports-") as name:
        home = Path(name)
        files = [_written(home / f"sacct-{count}.txt", count) for count in counts]
        rows = [row for base in _databases() for row in _imported(base, files)]
    return Table(
        title="Old lines of sacct brought in",
        header=HEADER,
        rows=rows,
        note="A process of its own for each, which begins with an empty database; seconds "
        "without its start. Memory: the most that the process had, without the database's.",
    )


def _written(path: Path, count: int) -> Path:
    """Make a file as a machine of some hundred users leaves it in a few months."""
    chosen, at = random.Random(SEED), 1_700_000_000
    with path.open("w") as file:
        file.write("|".join(sacct.FIELDS) + "\n")
        for number in range(1, count + 1):
            at += chosen.randint(0, 30)
            start, took = at + chosen.randint(0, 5000), chosen.randint(1, 90_000)
            gpus = chosen.choice((1, 1, 1, 2, 4, 8))
            file.write(
                f"{number}|emulated|user{chosen.randint(1, 400)}|proj{chosen.randint(1, 300)}|"
                f"COMPLETED|{at}|{start}|{start + took}|{took}|1|billing={gpus * 18},"
                f"cpu={gpus * 18},gres/gpu:h200={gpus},gres/gpu={gpus},mem={gpus * 180}G|"
                f"{took * gpus * 500}|train-{number % 977}\n"
            )
    return path


def _databases() -> Iterator[tuple[str, str]]:
    yield "SQLite", ""
    if binaries := server_binaries():
        with cluster(binaries) as address:
            yield "PostgreSQL", address


def _imported(base: tuple[str, str], files: list[Path]) -> Iterator[tuple[object, ...]]:
    name, address = base
    for number, file in enumerate(files):
        with _empty(address, f"imports{number}") as environment:
            records, seconds, memory = _one(file, environment)
        yield name, records, seconds, round(records / seconds), memory


@contextmanager
def _empty(address: str, database: str) -> Iterator[dict[str, str]]:
    """Make a database with tables and nothing in them; gives what makes it the factory's."""
    with tempfile.TemporaryDirectory(prefix="fabriek-imports-") as home:
        if address:
            server = address.replace("/fabriek?", "/postgres?")
            words = ["psql", "-q", server, "-c", f"CREATE DATABASE {database}"]
            subprocess.run(words, check=True)
            address = address.replace("/fabriek?", f"/{database}?")
        environment = os.environ | {"FABRIEK_DATABASE": address, "FABRIEK_HOME": home}
        command = [sys.executable, "-m", "fabriek", "migrate", "--verbosity=0"]
        subprocess.run(command, env=environment, check=True)
        yield environment


def _one(file: Path, environment: dict[str, str]) -> tuple[int, float, float]:
    command = [sys.executable, "-m", "fabriek", "slurm_import", str(file)]
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(
            command, env=environment, stdout=out, stderr=subprocess.DEVNULL
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        told = out.read()
    took = TOOK.match(told)
    if process.returncode or took is None or took[1] != took[2]:
        raise RuntimeError(f"The import did not end well: {told}")
    return int(took[1]), float(took[3]), round(used.ru_maxrss / 1024, 0)
