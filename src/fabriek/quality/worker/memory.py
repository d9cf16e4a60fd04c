"""Which file takes the memory: written down before each is read, for a process that dies too.

DuckDB keeps the address space that one file made it take. What runs out of it afterwards may be
innocent: only a file that had most of what a look may use left is to blame for itself.
"""

import resource
import sys
from dataclasses import dataclass, field
from pathlib import Path

from fabriek.quality.worker import engine
from fabriek.quality.worker.job import READING, Given, Job, Trouble, write

# A file that ends so has taken all it could.
HEAVY = frozenset({"too_much_memory", "disk_full"})
FAIR = 0.75  # of what a look may use: libraries take more address space than they are reserved
# Measured in November 2026: what pyarrow takes once, when a file is the first to need it.
LIBRARY, LIBRARY_BYTES = "pyarrow", 5 * 2**28
STATM = Path("/proc/self/statm")  # its first number: pages of address space


class LeftOut(Trouble):
    """A file was too much for a worker before this one."""


@dataclass(kw_only=True, slots=True)
class Memory:
    job: Job
    read: int = 0
    reading: str = ""
    is_fair: bool = True
    guilty: list[str] = field(default_factory=list)
    heaviest: str = ""
    heaviest_bytes: int = 0
    taken_bytes: int = 0
    has_library: bool = field(default_factory=lambda: LIBRARY in sys.modules)

    def begin(self, file: Given | None) -> None:
        """Say what is read next; nothing: all files together.

        Raises: LeftOut: it was too much for a worker before this one, and is left out.
        """
        if why := self.job.aside(file) if file else "":
            raise LeftOut(why)
        taken = _taken_bytes()
        grown = taken - self.taken_bytes - self._loaded_bytes()
        if self.reading and grown > self.heaviest_bytes:
            self.heaviest, self.heaviest_bytes = self.reading, grown
        self.taken_bytes = taken
        self.reading = file.at.name if file else ""
        self.is_fair = not self.read or _left_bytes(taken) >= FAIR * self.job.memory_bytes
        self.read += 1
        self._tell()

    def trouble_of(self, error: Exception) -> Trouble:
        """Say what is wrong with a file. Raises: MemoryError: it may be another's fault."""
        if isinstance(error, LeftOut):
            return error
        trouble = error if isinstance(error, Trouble) else engine.trouble_of(error)
        if trouble.code == "too_much_memory" and not self.is_fair:
            raise MemoryError from None
        if trouble.code in HEAVY:
            self.guilty.append(self.reading)  # others may suffer from it yet
            self._tell()
        return trouble

    def _loaded_bytes(self) -> int:
        had, self.has_library = self.has_library, LIBRARY in sys.modules
        return LIBRARY_BYTES if self.has_library and not had else 0

    def _tell(self) -> None:
        told = {
            "name": self.reading,
            "is_fair": self.is_fair,
            "guilty": self.guilty,
            "heaviest": self.heaviest,
        }
        write(self.job.folder / READING, told)


def _taken_bytes() -> int:
    try:
        return int(STATM.read_text().split()[0]) * resource.getpagesize()
    except (OSError, ValueError):
        return 0


def _left_bytes(taken: int) -> float:
    most, _hard = resource.getrlimit(resource.RLIMIT_AS)
    return float("inf") if most == resource.RLIM_INFINITY else most - taken
