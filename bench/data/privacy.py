"""Dutch identifiers beside presidio, on the same made-up text."""

import random
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench.data import peers
from bench.data.rounds import Scene
from bench.data.turns import ROUNDS, Took, in_turn
from bench.table import Table

FULL_BYTES, SMALL_BYTES = 100 * 10**6, 4 * 10**6
PEER_BYTES = 1_000_000  # a hundredth: it takes as long
LIMIT_S = 600
SHARE_WITH = 0.1  # of rows something stands in one in ten
OURS = """
import sys
from pathlib import Path
from fabriek.quality.worker import columns, engine, privacy, tables
from fabriek.quality.worker.job import Given, Job
from fabriek.quality.worker.names import Names
at, folder = Path(sys.argv[1]), Path(sys.argv[2])
given = Given(path=at.name, at=at, size_bytes=at.stat().st_size)
asked = {"kind": "look", "memory_bytes": 2 * 2**30, "disk_bytes": 16 * 2**30}
job = Job(folder=folder, asked=asked, files=[given])
job.temporary.mkdir(exist_ok=True)
connection = engine.connect(job)
table = tables.load(connection, job, given, "text", number=1)
columns.take_sample(connection, table)
found = privacy.scan(connection, table, Names((), memory_bytes=0), all_names=False)
assert {one["kind"] for one in found} >= {"bsn", "iban", "phone", "email"}
"""
# Ends of addresses come from the list that its package holds: a bench asks no network.
PEER = """
import re, sys
import spacy, tldextract.tldextract
tldextract.tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
from presidio_analyzer.nlp_engine import SpacyNlpEngine
from presidio_analyzer.predefined_recognizers import (EmailRecognizer, IbanRecognizer,
                                                      IpRecognizer, PhoneRecognizer)
class Blank(SpacyNlpEngine):
    def __init__(self):
        super().__init__()
        self.nlp = {"nl": spacy.blank("nl")}
registry = RecognizerRegistry(supported_languages=["nl"], global_regex_flags=re.DOTALL)
for kind in (EmailRecognizer, IbanRecognizer, IpRecognizer, PhoneRecognizer):
    registry.add_recognizer(kind(supported_language="nl"))
engine = AnalyzerEngine(registry=registry, nlp_engine=Blank(), supported_languages=["nl"])
for line in open(sys.argv[1]):
    engine.analyze(line, language="nl")
"""


def measure(scene: Scene, *, small: bool) -> Table:
    file, little = scene.folder / "personal.txt", scene.folder / "little.txt"
    size = _write(file, SMALL_BYTES if small else FULL_BYTES)
    works: dict[str, Callable[[int], object]] = {
        "ours": partial(_run, sys.executable, OURS, file, scene.folder)
    }
    peer = peers.python("presidio")
    peer_size = _write(little, PEER_BYTES)
    if peer:
        works["peer"] = partial(_run, str(peer), PEER, little, scene.folder)
    took = in_turn(works, rounds=1 if small else ROUNDS)
    rows = [_row("Fabriek: ten kinds, 11-test and context", size, took["ours"])]
    if peer:
        rows.append(_row("presidio, four kinds, no names", peer_size, took["peer"]))
    file.unlink()
    little.unlink()
    return Table(
        title="Dutch identifiers in text",
        header=("what", "MB", "best MB/s", "median MB/s", "MB each second of a processor"),
        rows=rows,
        note="One row in ten holds something. Made up by whom wrote the rules: this says how "
        "fast, not how well. Starting the program is in each.",
        ok=not peer or rows[0][3] > rows[1][3],
    )


def _row(name: str, size: int, took: Took) -> tuple[str, float, float, float, float]:
    mb = size / 1e6
    return name, mb, mb / took.best_s, mb / took.median_s, mb / took.cpu_s


def _run(python: str, code: str, file: Path, folder: Path, _turn: int) -> None:
    words = [python, "-c", code, str(file), str(folder)]
    subprocess.run(words, check=True, timeout=LIMIT_S, stdout=subprocess.DEVNULL)


def _write(file: Path, size: int) -> int:
    chance = random.Random(3)
    told = ("mijn bsn is 111222333", "rekening NL91ABNA0417164300", "bel 06-12345678",
            "mail jan@example.nl", "Kerkstraat 12, 1234 AB Utrecht")  # fmt: skip
    words = ("de", "balie", "bericht", "factuur", "over", "gisteren", "niet", "werkt", "weer")
    with file.open("w") as out:
        while out.tell() < size:
            text = " ".join(chance.choices(words, k=40))
            extra = chance.choice(told) if chance.random() < SHARE_WITH else ""
            out.write(f"{text} {chance.randrange(10**5)} {extra}\n")
        return out.tell()
