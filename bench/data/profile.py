"""A look at 1 GiB of CSV beside pandas and DuckDB, each in a process of its own."""

import os
import random
import subprocess
import sys
from functools import partial
from pathlib import Path

from bench.data.rounds import Scene
from bench.data.turns import ROUNDS, in_turn
from bench.table import Table

FULL_BYTES, SMALL_BYTES = 2**30, 2**26
NEAR_BYTES, NEAR_SMALL_BYTES = 25 * 10**6, 4 * 10**6
TIMES = 5  # what we hold ourselves to, beside pandas describing the same columns
LINES_AT_ONCE = 20_000
TOWNS = ("utrecht", "breda", "delft", "zwolle")
# Peers, as this project measured them in November 2026, 2 cores, one process: 100,000 documents
# of which a quarter is double; 95 % of its time goes into telling words apart.
DATATROVE_MB_S = 0.58

OURS = """
import sys
from pathlib import Path
from fabriek.quality.worker import columns, engine, tables
from fabriek.quality.worker.job import Given, Job
at, folder = Path(sys.argv[1]), Path(sys.argv[2])
given = Given(path=at.name, at=at, size_bytes=at.stat().st_size)
asked = {"kind": "look", "memory_bytes": 2 * 2**30, "disk_bytes": 16 * 2**30}
job = Job(folder=folder, asked=asked, files=[given])
job.temporary.mkdir(exist_ok=True)
connection = engine.connect(job)
table = tables.load(connection, job, given, "csv", number=1)
assert len(columns.profile(connection, table)) == 8
"""
PANDAS = "import sys, pandas; pandas.read_csv(sys.argv[1]).describe()"
PANDAS_ALL = "import sys, pandas; pandas.read_csv(sys.argv[1]).describe(include='all')"
SUMMARIZE = (
    "import sys, duckdb; c = duckdb.connect(); c.execute('SET threads = 2'); "
    "c.execute('SUMMARIZE FROM read_csv(?)', [sys.argv[1]]).fetchall()"
)
NEAR = """
import json, sys
from fabriek.quality.worker import near
texts = [near.Text(table=0, row=at, shingles=near.shingled(json.loads(line)["text"]))
         for at, line in enumerate(open(sys.argv[1]))]
print(sum(1 for _ in near.alike(texts)))
"""


def measure(scene: Scene, *, small: bool) -> list[Table]:
    file = scene.folder / "profile.csv"
    _write_csv(file, SMALL_BYTES if small else FULL_BYTES)
    try:
        return [_profile(file, scene.folder, small=small), _near(scene.folder, small=small)]
    finally:
        file.unlink()


def _profile(file: Path, folder: Path, *, small: bool) -> Table:
    programs = {
        "Fabriek: profile with shapes": OURS,
        "pandas describe, numbers only": PANDAS,
        "pandas describe, all columns": PANDAS_ALL,
        "DuckDB SUMMARIZE": SUMMARIZE,
    }
    memory: dict[str, int] = {}
    works = {
        name: partial(_run, name, code, file, folder, memory) for name, code in programs.items()
    }
    took = in_turn(works, rounds=1 if small else ROUNDS)
    ours, peer = took["Fabriek: profile with shapes"], took["pandas describe, all columns"]
    return Table(
        title=f"Profile of a CSV of {file.stat().st_size / 2**20:,.0f} MiB, 8 columns",
        header=("what", "best s", "median s", "peak MiB"),
        rows=[(name, t.best_s, t.median_s, memory[name]) for name, t in took.items()],
        note=f"Beside pandas with all columns {peer.median_s / ours.median_s:.1f} times as "
        f"fast; wanted {TIMES}. Starting Python and reading libraries is in each.",
        ok=small or ours.median_s * TIMES <= peer.median_s,
    )


def _near(folder: Path, *, small: bool) -> Table:
    file = folder / "near.jsonl"
    size = _write_texts(file, NEAR_SMALL_BYTES if small else NEAR_BYTES)
    memory: dict[str, int] = {}
    work = partial(_run, "near", NEAR, file, folder, memory)
    took = in_turn({"near": work}, rounds=1 if small else ROUNDS)["near"]
    file.unlink()
    return Table(
        title="Texts that are nearly the same",
        header=("what", "MB", "best MB/s", "median MB/s", "peak MiB"),
        rows=[
            ("Fabriek: MinHash, bands, real overlap", size / 1e6, size / 1e6 / took.best_s,
             size / 1e6 / took.median_s, memory["near"]),
            ("datatrove 0.10.1, as this project measured it", 252.0, DATATROVE_MB_S,
             DATATROVE_MB_S, None),
        ],
        note="datatrove was not run in this round.",
    )  # fmt: skip


def _run(
    name: str, code: str, file: Path, folder: Path, memory: dict[str, int], _turn: int
) -> None:
    """Run a program to its end, and keep the most memory it had."""
    words = [sys.executable, "-c", code, str(file), str(folder)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL) as child:
        _pid, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"{name} ended with {child.returncode}")
    memory[name] = max(memory.get(name, 0), used.ru_maxrss // 1024)


def _write_csv(file: Path, size: int) -> None:
    chance, first = random.Random(1), 0
    with file.open("w") as out:
        out.write("id,amount,town,day,paid,score,text,code\n")
        while out.tell() < size:
            out.writelines(_line(row, chance) for row in range(first, first + LINES_AT_ONCE))
            first += LINES_AT_ONCE


def _line(row: int, chance: random.Random) -> str:
    day = f"2026-{1 + row % 12:02d}-{1 + row % 28:02d}"
    paid = "true" if row % 3 else "false"
    text = f"message {chance.randrange(10**9)} for desk {row % 97} about it"
    return (
        f"{row},{chance.random() * 1000:.2f},{TOWNS[row % 4]},{day},{paid},"
        f"{chance.gauss(0, 1):.5f},{text},{chance.randrange(10**6):06d}\n"
    )


def _write_texts(file: Path, size: int) -> int:
    """Write texts of which a quarter differs from another in one word."""
    chance = random.Random(2)
    words = [f"woord{n}" for n in range(20_000)]
    texts: list[list[str]] = []
    with file.open("w") as out:
        while out.tell() < size:
            if texts and chance.random() < 0.25:
                text = list(chance.choice(texts[-2000:]))
                text[chance.randrange(len(text))] = "anders"
            else:
                text = chance.choices(words, k=200)
                texts.append(text)
            out.write('{"text": "' + " ".join(text) + '"}\n')
        return out.tell()
