"""Texts that are nearly the same, found by our look and by datatrove, in the same file."""

import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from string import ascii_lowercase

from bench.data import peers
from bench.data.rounds import Scene
from bench.data.turns import ROUNDS, in_turn
from bench.table import Table

FULL_BYTES, SMALL_BYTES = 12 * 10**6, 1 * 10**6
LIMIT_S = 600
SHARE_NEAR = 0.25  # of texts that differ from an earlier one in a word
FOUND_AT_LEAST = 0.9  # of those: who finds fewer did another work
OURS = """
import json, sys
from fabriek.quality.worker import near
texts = [near.Text(table=0, row=at, shingles=near.shingled(json.loads(line)["text"]))
         for at, line in enumerate(open(sys.argv[1]))]
print(sum(1 for _ in near.alike(texts)))
"""
# Its processes read the program again, so it must be a file that only begins where it is named;
# it takes a file a process, so what it reads is parted in two.
PEER = """
import sys
from pathlib import Path
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import (MinhashConfig, MinhashDedupBuckets,
                                              MinhashDedupCluster, MinhashDedupFilter)
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers.jsonl import JsonlWriter
from datatrove.utils.hashing import HashConfig

def main(file, place):
    lines = file.read_text().splitlines(keepends=True)
    (place / "in").mkdir(parents=True)
    for part in (0, 1):
        (place / "in" / f"{part}.jsonl").write_text("".join(lines[part::2]))
    config = MinhashConfig(hash_config=HashConfig(precision=64), num_buckets=14,
                           hashes_per_bucket=8)
    at = {name: str(place / name) for name in ("in", "signed", "buckets", "gone", "kept")}
    reader = JsonlReader(at["in"])
    stages = [
        (2, [reader, MinhashDedupSignature(at["signed"], config=config, language="nld")]),
        (14, [MinhashDedupBuckets(at["signed"], at["buckets"], config=config)]),
        (1, [MinhashDedupCluster(at["buckets"], at["gone"], config=config)]),
        (2, [reader, MinhashDedupFilter(at["gone"]),
             JsonlWriter(at["kept"], compression=None)]),
    ]
    for number, (tasks, pipeline) in enumerate(stages):
        LocalPipelineExecutor(pipeline, tasks=tasks, workers=2,
                              logging_dir=str(place / f"log{number}")).run()
    kept = sum(len(one.read_text().splitlines()) for one in (place / "kept").iterdir())
    print(len(lines) - kept)

if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
"""


@dataclass(kw_only=True, slots=True)
class Search:
    """One file, and how many texts each found of the `planted` ones."""

    folder: Path
    planted: int = 0
    found: dict[str, int] = field(default_factory=dict)

    @property
    def file(self) -> Path:
        return self.folder / "near.jsonl"

    def write(self, size_bytes: int) -> int:
        """Write texts of which some differ from an earlier one in one word."""
        chance = random.Random(2)
        words = [_word(chance) for _ in range(20_000)]
        texts: list[list[str]] = []
        with self.file.open("w") as out:
            while out.tell() < size_bytes:
                if texts and chance.random() < SHARE_NEAR:
                    text = list(chance.choice(texts[-2000:]))
                    text[chance.randrange(len(text))] = _word(chance)
                    self.planted += 1
                else:
                    text = chance.choices(words, k=200)
                    texts.append(text)
                out.write('{"text": "' + " ".join(text) + '"}\n')
            return out.tell()

    def run(self, name: str, python: str | Path, code: str, turn: int) -> None:
        """Run a program to its end; what it prints last is how many it found."""
        place = self.folder / f"turn{turn}"
        program = self.folder / "program.py"
        program.write_text(code)
        done = subprocess.run(
            [python, program, self.file, place],
            check=True,
            timeout=LIMIT_S,
            capture_output=True,
            text=True,
        )
        shutil.rmtree(place, ignore_errors=True)
        self.found[name] = int(done.stdout.split()[-1])
        if self.found[name] < FOUND_AT_LEAST * self.planted:
            raise RuntimeError(f"{name} found {self.found[name]} of {self.planted}")


def _word(chance: random.Random) -> str:
    """Make one of letters alone: datatrove takes all numbers for the same."""
    return "".join(chance.choices(ascii_lowercase, k=chance.randint(4, 9)))


NAME = "Fabriek: MinHash, bands, real overlap"
PEER_NAME = "datatrove, 14 x 8 MinHash, 2 workers"


def measure(scene: Scene, *, small: bool) -> Table:
    search = Search(folder=scene.folder)
    size = search.write(SMALL_BYTES if small else FULL_BYTES)
    works: dict[str, Callable[[int], object]] = {
        NAME: partial(search.run, NAME, sys.executable, OURS)
    }
    if peer := peers.python("datatrove"):
        works[PEER_NAME] = partial(search.run, PEER_NAME, peer, PEER)
    took = in_turn(works, rounds=1 if small else ROUNDS)
    mb = size / 1e6
    rows = [
        (name, mb, mb / one.best_s, mb / one.median_s, search.found[name])
        for name, one in took.items()
    ]
    return Table(
        title="Texts that are nearly the same",
        header=("what", "MB", "best MB/s", "median MB/s", "found"),
        rows=rows,
        note=f"{search.planted} texts differ from an earlier one in a word. Starting the "
        "program is in each; datatrove's time goes mostly into telling words apart."
        + ("" if peer else " datatrove: not to be had here."),
        ok=not peer or took[NAME].best_s < took[PEER_NAME].best_s,
    )
