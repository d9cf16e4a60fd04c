"""Text files beyond those that are looked at as tables: a folder of letters has thousands.

Their lines are counted and read for personal data by the rules alone, which costs little.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from fabriek.quality.worker import lines, privacy, rules
from fabriek.quality.worker.job import Given, Job, Json, Trouble, problem
from fabriek.quality.worker.table import Table
from fabriek.quality.worker.unread import Unread

COLUMN = "text"  # as in those that are looked at: what is decided about it holds for all
MOST_NAMED = 300  # files with findings; those behind them are counted by their folder


@dataclass(kw_only=True, slots=True)
class Read:
    rows: int = 0
    characters: int = 0
    findings: list[Json] = field(default_factory=list)
    problems: list[Json] = field(default_factory=list)


def read(files: Sequence[Given], job: Job) -> Read:
    """Read them all; one that is broken or a bomb is told."""
    told, named = Read(), 0
    by_folder: dict[str, privacy.Found] = {}
    for done, file in enumerate(files, start=1):
        job.tell("tables", done=done, of=len(files), path=file.path)
        try:
            found = _of(file, job, told)
        except (Trouble, ValueError) as error:
            code = error.code if isinstance(error, Trouble) else "broken_file"
            told.problems.append(problem(code, "wrong", path=file.path))
            continue
        named += bool(found.places)
        if named <= MOST_NAMED:
            told.findings += _findings(file.path, found)
        else:
            folder = str(PurePosixPath(file.path).parent / "…")
            by_folder.setdefault(folder, privacy.Found()).count(found)
    for folder, found in by_folder.items():
        told.findings += _findings(folder, found)
    return told


def _of(file: Given, job: Job, told: Read) -> privacy.Found:
    at = lines.unpacked(file.at, job.temporary, most_bytes=job.disk_bytes)
    found, known = privacy.Found(), rules.current()
    seen = Unread(found=found.places)
    scan = lines.scan(at, job.temporary, blank_counts=False, unread=seen.read)
    chance = known.chance
    with scan.at.open(encoding="utf-8-sig", newline="\n") as opened:
        for row, line in enumerate(opened, start=1):
            text = line.rstrip("\r\n")
            told.rows, told.characters = told.rows + 1, told.characters + len(text)
            if chance.search(text):
                for kind in {hit.kind for hit in known.hits(text)}:
                    found.add(kind, row)
    for left in {at, scan.at} - {file.at}:
        left.unlink(missing_ok=True)
    return found


def _findings(path: str, found: privacy.Found) -> list[Json]:
    table = Table(path=path, kind="text", view="", columns={})
    return [
        privacy.finding(table, COLUMN, kind, places, by="content")
        for kind, places in sorted(found.places.items())
    ]
