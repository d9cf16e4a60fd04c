"""A look at 1 GiB of CSV beside pandas and DuckDB, each in a process of its own."""

import json
import os
import random
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from django.conf import settings

from bench.data.rounds import Scene
from bench.data.turns import ROUNDS, Took, in_turn
from bench.table import Table
from fabriek.quality.worker.job import ASKED, FILES, RESULT, TOLD

FULL_BYTES, SMALL_BYTES = 2**30, 2**26
TIMES = 5  # what we hold ourselves to, beside pandas describing the same columns
LINES_AT_ONCE = 20_000
TOWNS = ("utrecht", "breda", "delft", "zwolle")

OURS = """
import sys
from pathlib import Path
from fabriek.quality.worker import columns, engine, tables
from fabriek.quality.worker.job import Job
job = Job.read(Path(sys.argv[2]))
job.temporary.mkdir(exist_ok=True)
connection = engine.connect(job)
table = tables.load(connection, job, job.files[0], "csv", number=1)
assert len(columns.profile(connection, table)) == 8
"""
PANDAS = "import sys, pandas; pandas.read_csv(sys.argv[1]).describe()"
PANDAS_ALL = "import sys, pandas; pandas.read_csv(sys.argv[1]).describe(include='all')"
DUCKDB = (
    "import sys, duckdb; c = duckdb.connect(); c.execute('SET threads = 2'); "
    "c.execute('SET enable_progress_bar = false'); "
    "c.execute({asked!r}, [sys.argv[1]]).fetchall()"
)
SUMMARIZE = DUCKDB.format(asked="SUMMARIZE FROM read_csv(?)")
SCAN = DUCKDB.format(asked="SELECT count(COLUMNS(*)) FROM read_csv(?)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Peer:
    """`words` follow the name of Python; `does` says what its time buys, and what not."""

    name: str
    words: tuple[str, ...]
    does: str


PROFILE = Peer(
    name="Fabriek: profile",
    words=("-c", OURS),
    does="all bytes checked (encoding, NUL, lines too long), rows parsed with types and kept; "
    "of all rows missing, ends, mean, spread, lengths, empty texts; different values estimated "
    "(HyperLogLog); quantiles and 12 bars of some 100,000 rows; common values where few",
)
DESCRIBE = Peer(
    name="pandas read_csv, describe(include='all')",
    words=("-c", PANDAS_ALL),
    does="rows parsed and kept, days as text; exact: count, mean, spread, ends and quartiles "
    "of numbers, different values and the commonest of the others; one thread",
)
PEERS = (
    PROFILE,
    DESCRIBE,
    Peer(
        name="pandas read_csv, describe()",
        words=("-c", PANDAS),
        does="the same parsing; of the 4 columns it reads as numbers alone, none of the texts",
    ),
    Peer(
        name="DuckDB SUMMARIZE",
        words=("-c", SUMMARIZE),
        does="ends, mean, spread, missing; different values and quartiles estimated over all "
        "rows; keeps no rows, no lengths, no bars",
    ),
    Peer(
        name="DuckDB, the scan alone",
        words=("-c", SCAN),
        does="parses all columns and counts: what no profile that reads by DuckDB is below",
    ),
    Peer(
        name="Fabriek: the whole look",
        words=("-I", "-B", "-m", "fabriek.quality.worker"),
        does="the worker behind its walls: the profile, and what is wrong, personal data in "
        "all rows (no reader of names), rows that are there twice, which of the first 500,000 "
        "texts are nearly the same, languages",
    ),
)


def measure(scene: Scene, *, small: bool) -> Table:
    file = _lay(scene.folder, SMALL_BYTES if small else FULL_BYTES)
    try:
        return _profile(file, scene.folder, small=small)
    finally:
        file.unlink()


def _lay(folder: Path, size: int) -> Path:
    """Make the folder of an errand as the worker expects it, the file in it."""
    file = folder / FILES / "1"
    file.parent.mkdir()
    _write_csv(file, size)
    asked = {
        "kind": "look",
        "memory_bytes": settings.LOOK_MEMORY_BYTES,
        "disk_bytes": settings.LOOK_DISK_BYTES,
        "cpu_s": 2 * settings.LOOK_S,
        "names": None,
        "context_tokens": 2048,
        "files": [{"path": "rows.csv", "name": "1", "size_bytes": file.stat().st_size}],
    }
    (folder / ASKED).write_text(json.dumps(asked))
    (folder / TOLD).mkdir()
    return file


def _profile(file: Path, folder: Path, *, small: bool) -> Table:
    memory: dict[str, int] = {}
    works = {peer.name: partial(_run, peer, file, folder, memory) for peer in PEERS}
    took = in_turn(works, rounds=1 if small else ROUNDS)
    _check(folder)
    ours, other = took[PROFILE.name], took[DESCRIBE.name]
    return Table(
        title=f"Profile of a CSV of {file.stat().st_size / 2**20:,.0f} MiB, 8 columns",
        header=("what", "best s", "median s", "CPU s", "peak MiB"),
        rows=[(name, t.best_s, t.median_s, t.cpu_s, memory[name]) for name, t in took.items()],
        note=f"Beside pandas with all columns {other.median_s / ours.median_s:.1f} times as "
        f"fast (wanted {TIMES}), in {other.cpu_s / ours.cpu_s:.1f} times less of a processor; "
        f"beside pandas with numbers only {_times(took, 2)} times as fast, beside SUMMARIZE "
        f"{_times(took, 3)}. Starting Python and reading libraries is in each. "
        + " ".join(f"{peer.name}: {peer.does}." for peer in PEERS),
        ok=small or ours.median_s * TIMES <= other.median_s,
    )


def _times(took: dict[str, Took], place: int) -> str:
    return f"{took[PEERS[place].name].median_s / took[PROFILE.name].median_s:.1f}"


def _check(folder: Path) -> None:
    """See that the whole look told something: a worker that gives up ends well too."""
    told = json.loads((folder / RESULT).read_text())
    if "trouble" in told or any("broken" in file for file in told["files"]):
        raise RuntimeError(f"the look came to nothing: {told.get('trouble', told)}")


def _run(peer: Peer, file: Path, folder: Path, memory: dict[str, int], _turn: int) -> None:
    """Run a program to its end, and keep the most memory it had."""
    given = [str(file), str(folder)] if "-c" in peer.words else [str(folder)]
    words = [sys.executable, *peer.words, *given]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as child:
        _pid, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"{peer.name} ended with {child.returncode}")
    memory[peer.name] = max(memory.get(peer.name, 0), used.ru_maxrss // 1024)


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
