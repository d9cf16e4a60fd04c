"""A dataset as a run learns from it: counted, split, and turned into rows of tokens on disk.

All of it follows from the data, the settings and the seed, shard by shard; what is finished is
found again by a run that was stopped. Several processes share the shards.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import reduce
from heapq import nsmallest
from itertools import islice
from math import ceil
from operator import add
from pathlib import Path
from typing import Generic, cast

from fabriek_recipes import texts
from fabriek_recipes.events import Json
from fabriek_recipes.pretrain_lm import making, survey
from fabriek_recipes.pretrain_lm import said as by_column
from fabriek_recipes.pretrain_lm.making import Made, Maker
from fabriek_recipes.pretrain_lm.shards import Shard, dealt
from fabriek_recipes.pretrain_lm.survey import Counted
from fabriek_recipes.run_folder import write_whole
from fabriek_recipes.training.frames import File, Frames
from fabriek_recipes.training.process import Job, K
from fabriek_recipes.training.run import fingerprint
from fabriek_recipes.words import Failed, _

# In the folder of checkpoints, so that it goes when those go. Files with this ending are not
# taken along to a run that goes on from here: they are made again from the data.
FOLDER, ENDING = "corpus", ".scratch"
# A dry run measures steps: it needs text for some of them.
DRY_BYTES = 2 * 2**20
# What a tokenizer is learned from: more text changes hardly a piece, and costs memory.
SAMPLE_BYTES = 64 * 2**20
# A file of its own may hold more texts than are scored; their twins are not learned from.
APART_MAX = 1_000_000
TELL_EVERY_S = 0.5
MEGABYTE = 10**6


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """How texts are kept apart: so many of a hundred, at most so many."""

    percent: int
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Surveyed:
    """A corpus that was read through once. `apart`: names of texts not to learn from.

    `held_out`: the texts to score on, where they have a file of their own.
    """

    name: str
    shards: Sequence[Shard]
    by_line: bool
    counted: Counted
    apart: frozenset[int]
    held_out: Sequence[str] | None
    folder: Path

    def paths(self, kind: str) -> list[Path]:
        """Say where something of each shard lies."""
        return [_path(self.folder, f"{self.name}-{kind}", shard) for shard in self.shards]

    def sample(self, *, apart: Container[int]) -> Iterator[str]:
        """Give texts to learn a tokenizer from: all, or some drawn by lot, in their order."""
        if sum(shard.bytes for shard in self.shards) > SAMPLE_BYTES:
            yield from survey.sampled(self.paths(_counting(by_line=self.by_line)), apart=apart)
            return
        for shard in self.shards:
            for text in shard.texts(by_line=self.by_line):
                if survey.hash_of(text) not in apart:
                    yield text


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """What is learned from and what is scored on."""

    rows: Frames
    made: Made
    held_out: Sequence[str] = field(repr=False)


def folder_for(job: Job[K]) -> Path:
    """Make the place for what is made of the data; what is there of another run goes."""
    folder = job.checkpoints / FOLDER
    mine = fingerprint(job)

    def begin() -> None:
        mark = folder / f"run{ENDING}"
        if not mark.is_file() or mark.read_text() != mine:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            write_whole(mark, mine)

    job.group.once(begin)
    return folder


def surveyed(job: Job[K], name: str, split: Split, *, bytes_max: int | None = None) -> Surveyed:
    """Count the input `name` and choose which of its texts are kept apart.

    Raises:
        Failed: `no_rows`, `bad_row`, `too_many_apart`. Stopped.
    """
    contents = texts.files_of(job.input(name))
    if not contents.train:
        raise Failed("no_rows", texts.NO_TEXT)
    folder = folder_for(job)
    shards = dealt(contents.train, bytes_max=DRY_BYTES if job.is_dry else bytes_max)
    by_line, counted = _counted(job, name, shards, folder, split)
    paths = [_path(folder, f"{name}-{_counting(by_line=by_line)}", each) for each in shards]
    held_out = _of_files(contents.held_out, split.most) if contents.held_out else None
    if held_out is None:
        apart = _said(job, shards, by_line=by_line) or frozenset(
            job.group.once(
                lambda: survey.lowest_of(
                    paths, texts=counted.texts, percent=split.percent, most=split.most
                )
            )
        )
    else:
        every = (survey.hash_of(text) for text in _texts_of(contents.held_out))
        apart = frozenset(islice(every, APART_MAX))
    return Surveyed(
        name=name,
        shards=shards,
        by_line=by_line,
        counted=counted,
        apart=apart,
        held_out=held_out,
        folder=folder,
    )


def made(job: Job[K], found: Surveyed, maker: Maker, *, texts_max: int) -> Corpus:
    """Turn what was surveyed into rows; `maker.told` is replaced by our own.

    Raises:
        Failed: `bad_row`, `no_rows`. Stopped: what is finished is found again.
    """
    progress = Progress(job, [found.shards[place] for place in _mine(job, found.shards)])
    paths = found.paths("rows")

    def one(number: int) -> dict[str, Json]:
        shard = found.shards[number]
        with_progress = Maker(
            encode=maker.encode,
            width=maker.width,
            apart=maker.apart,
            by_line=found.by_line,
            seed=maker.seed,
            told=progress.add,
        )
        told = making.make(shard, paths[number], with_progress)
        progress.tell()
        return cast("dict[str, Json]", asdict(told))

    parts = [Made(**cast("dict[str, int]", part)) for part in job.group.share(len(paths), one)]
    files = [File(path=path, rows=part.rows) for path, part in zip(paths, parts, strict=True)]
    total = reduce(add, parts, Made())
    if not total.rows:
        raise Failed("no_rows", _("The text is too short to learn from; add more."))
    return Corpus(
        rows=Frames(files, maker.width), made=total, held_out=_kept(found, paths, texts_max)
    )


class Progress(Generic[K]):
    """Tells how far this process is with its share of the text, and hears who asks to stop."""

    def __init__(self, job: Job[K], shards: Iterable[Shard]) -> None:
        """Begin; nothing was read yet."""
        self._job = job
        self._total = sum(shard.bytes for shard in shards)
        self._done = 0
        self._told_at = time.monotonic()

    def add(self, size: int) -> None:
        """Note so many bytes of text. Raises: Stopped."""
        self._done += size
        self._job.stop.check()
        if time.monotonic() - self._told_at >= TELL_EVERY_S:
            self.tell()

    def tell(self) -> None:
        """Say it now."""
        self._told_at = time.monotonic()
        total = max(1, ceil(self._total / MEGABYTE))
        done = min(total, round(self._done / MEGABYTE))
        self._job.events.progress(done, total, "megabytes")
        self._job.stop.check()


def _counted(
    job: Job[K], name: str, shards: Sequence[Shard], folder: Path, split: Split
) -> tuple[bool, Counted]:
    """Count texts; where there are hardly any, count each line as one."""
    for by_line in (False, True):
        progress = Progress(job, [shards[place] for place in _mine(job, shards)])
        whole = sum(shard.bytes for shard in shards)
        asked = survey.Asked(
            by_line=by_line,
            most=split.most + 1,
            sample=SAMPLE_BYTES / whole if whole > SAMPLE_BYTES else 0.0,
        )

        def one(
            number: int,
            asked: survey.Asked = asked,
            progress: Progress[K] = progress,
        ) -> dict[str, Json]:
            kind = f"{name}-{_counting(by_line=asked.by_line)}"
            path = _path(folder, kind, shards[number])
            told = survey.count(shards[number], path, asked, progress.add)
            progress.tell()
            return cast("dict[str, Json]", asdict(told))

        parts = job.group.share(len(shards), one)
        counted = reduce(add, (Counted(**cast("dict[str, int]", each)) for each in parts))
        if by_line or counted.texts >= survey.TEXTS_MIN:
            break
    return by_line, counted


def _said(job: Job[K], shards: Sequence[Shard], *, by_line: bool) -> frozenset[int]:
    """Name what a column of the rows keeps apart; a dry run measures steps, and scores none."""
    found = None if job.is_dry else by_column.said(job, shards, by_line=by_line)
    if found is None:
        return frozenset()
    job.events.warning("split_column", found.sentence)
    return found.apart


def _mine(job: Job[K], shards: Sequence[Shard]) -> range:
    seat = job.group.seat
    return range(seat.rank, len(shards), seat.size)


def _counting(*, by_line: bool) -> str:
    return "lines" if by_line else "texts"


def _path(folder: Path, kind: str, shard: Shard) -> Path:
    return folder / f"{kind}-{shard.number:05d}{ENDING}"


def _of_files(files: Sequence[Path], most: int) -> list[str]:
    return list(islice(_texts_of(files), most))


def _texts_of(files: Sequence[Path]) -> Iterator[str]:
    for shard in dealt(files):
        yield from shard.texts(by_line=False)


def _kept(found: Surveyed, paths: Sequence[Path], most: int) -> list[str]:
    """Give the texts to score on, of twins one, in an order of their own."""
    if found.held_out is not None:
        return list(found.held_out)
    # Read twice, as a column may keep far more apart than is scored, and than memory holds.
    names = {survey.hash_of(text) for path in paths for text in making.kept_apart(path)}
    wanted = set(nsmallest(most, names & found.apart))
    every = {
        name: text
        for path in paths
        for text in making.kept_apart(path)
        if (name := survey.hash_of(text)) in wanted
    }
    return [every[name] for name in sorted(every)]
