"""The rows of a dataset as a recipe reads them; of large data every so many lines only."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from pathlib import Path, PurePosixPath

from fabriek.quality.worker.job import Given, Job
from fabriek.runs.worker.asked import OF_DATA
from fabriek_recipes import rows
from fabriek_recipes.pairs import Pair, read_pairs
from fabriek_recipes.rows import Row, RowProblem

# Counted in about four seconds on two processor cores.
BYTES_MAX = 16 * 2**20
# More than this is not even read through: it would take longer than somebody waits.
READ_BYTES_MAX = 2 * 2**30


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row stands: which file, by its number among those asked about, and the line."""

    file: int
    line: int

    def as_json(self) -> list[int]:
        return [self.file, self.line]


@dataclass(frozen=True, slots=True)
class Found:
    """A row; of a pair that with the better answer, and `rejected` with the worse one."""

    place: Place
    row: Row
    is_apart: bool
    rejected: Row | None = None

    @property
    def answers(self) -> "list[Found]":
        """Give it once for each answer that is read: of a pair twice."""
        if self.rejected is None:
            return [self]
        return [Found(self.place, row, self.is_apart) for row in (self.row, self.rejected)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Those to learn from come first, then those kept apart for scoring."""

    learned: list[tuple[int, Given]]
    apart: list[tuple[int, Given]]
    every: int
    temporary: Path
    of_pairs: bool = False

    @classmethod
    def of(cls, job: Job) -> "Reading":
        data = [one for one in enumerate(job.files) if one[1].path.startswith(OF_DATA)]
        apart = [one for one in data if rows.is_held_out(PurePosixPath(one[1].path))]
        learned = [one for one in data if one not in apart]
        if not learned:
            learned, apart = apart, []
        size = sum(file.size_bytes for _at, file in data)
        every = max(1, ceil(size / BYTES_MAX))
        return cls(
            learned=learned,
            apart=apart,
            every=every,
            temporary=job.temporary,
            of_pairs=bool(job.asked.get("of_pairs")),
        )

    def rows(self) -> Iterator[Found | tuple[Place, RowProblem]]:
        for is_apart, files in ((False, self.learned), (True, self.apart)):
            for at, file in files:
                for one in self._read(file):
                    place = Place(at, one.line)
                    if isinstance(one, RowProblem):
                        yield place, one
                    elif isinstance(one, Pair):
                        yield Found(place, one.chosen, is_apart, one.rejected)
                    else:
                        yield Found(place, one, is_apart)

    def _read(self, file: Given) -> Iterator[Row | Pair | RowProblem]:
        named = PurePosixPath(file.path)
        read = read_pairs if self.of_pairs else rows.read
        if rows.is_table(named):  # a row of it may be many lines
            return read(file.at, named=named, every=self.every)
        return read(self._thinned(file), named=named)

    def _thinned(self, file: Given) -> Path:
        """Leave most lines empty where there are too many: the others keep their numbers."""
        if self.every == 1 or not file.size_bytes:
            return file.at
        to = self.temporary / "thinned"
        read = 0
        with file.at.open("rb") as whole, to.open("wb") as thin:
            number = 0
            while read < READ_BYTES_MAX and (line := whole.readline(rows.LINE_BYTES_MAX)):
                read += len(line)
                if number % self.every == 0:
                    thin.write(line)
                elif line.endswith(b"\n"):
                    thin.write(b"\n")
                number += line.endswith(b"\n")
        return to
