"""Bring in old lines of sacct, as history: they are linked and never billed.

Read line by line and written in batches, each on its own: memory stays the same however long
the file is, and an import that was interrupted is simply done again.
"""

import gzip
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO, cast
from zoneinfo import ZoneInfo

from fabriek.engines import sacct
from fabriek.engines.base import UsageRecord
from fabriek.machine.stretches import BATCH, Links, keep

OPTIONAL = frozenset({"ConsumedEnergyRaw"})
NEEDED = tuple(name for name in sacct.FIELDS if name not in OPTIONAL)
LINE_BYTES_MAX = 2**20
GZIP = b"\x1f\x8b"
# A file of something else is not worth reading to its end.
BAD_MOST = 1_000
BAD_TOLD = 20
# Between fields stands whatever the header has between its first two names.
HEADER = re.compile(r"[A-Za-z]+([^A-Za-z]+)[A-Za-z]")


class NotThis(Exception):
    """The file cannot be imported, in a sentence that says why and what to do."""


@dataclass(kw_only=True, slots=True)
class Tally:
    """How far an import is. `new` of the records were not there yet.

    `left_out`: jobs that still ran or never started, and steps of jobs. `bad`: lines that
    cannot be understood; `told` are the first of them, with their line number.
    """

    lines: int = 0
    records: int = 0
    new: int = 0
    left_out: int = 0
    bad: int = 0
    told: list[str] = field(default_factory=list)

    def note_bad(self, why: str) -> None:
        self.bad += 1
        if len(self.told) < BAD_TOLD:
            self.told.append(f"line {self.lines}: {why}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """Which columns a file has, in which order, and what stands between them."""

    names: tuple[str, ...]
    between: str

    def fields(self, line: str) -> dict[str, str]:
        """Cut a line into fields.

        Raises: ValueError, when it has not as many as the header.
        """
        if self.names[-1] == "JobName":  # people put anything into the names of their jobs
            parts = line.split(self.between, len(self.names) - 1)
        else:
            parts = line.split(self.between)
        if len(parts) != len(self.names):
            raise ValueError(f"{len(parts)} fields, where the first line has {len(self.names)}")
        return dict(zip(self.names, parts, strict=True))


def bring_in(file: BinaryIO, *, zone: ZoneInfo, each_batch: Callable[[Tally], None]) -> Tally:
    """Read all of it. Safe to repeat: what is there already stays as it is.

    Moments that are written out are of `zone`; seconds since 1970 need none.

    Raises: NotThis.
    """
    tally, links, moment = Tally(), Links(), _moment_of(zone)
    lines = _lines(file)
    layout = layout_of(next(lines, ""))
    tally.lines = 1
    batch: list[UsageRecord] = []
    for line in lines:
        tally.lines += 1
        if record := _record(line, layout, moment, tally):
            batch.append(record)
        if len(batch) == BATCH:
            _keep(batch, links, tally)
            batch = []
            each_batch(tally)
    _keep(batch, links, tally)
    return tally


def layout_of(header: str) -> Layout:
    """Understand the first line, which names the columns.

    Raises: NotThis.
    """
    found = HEADER.match(header)
    names = tuple(header.split(found[1])) if found else ()
    names = names[:-1] if names and not names[-1] else names  # as --parsable ends its lines
    lacking = [name for name in NEEDED if name not in names]
    if len(lacking) == len(NEEDED):
        raise NotThis(
            "The first line does not name the columns of sacct. Export with --parsable2 and "
            "without --noheader."
        )
    if lacking:
        raise NotThis(f"These columns lack: {', '.join(lacking)}. Add them to --format.")
    return Layout(names=names, between=found[1] if found else "|")


def opened(raw: io.BufferedReader) -> BinaryIO:
    """Look into it, and unpack what was packed with gzip."""
    if raw.peek(2)[:2] == GZIP:
        return cast(BinaryIO, gzip.GzipFile(fileobj=raw))
    return raw


def _lines(file: BinaryIO) -> Iterator[str]:
    try:
        while raw := file.readline(LINE_BYTES_MAX):
            yield raw.decode("utf-8", "replace").rstrip("\r\n").replace("\x00", "")
    except (EOFError, gzip.BadGzipFile) as error:
        raise NotThis(f"The packed file is damaged from here on: {error}") from error


def _record(
    line: str, layout: Layout, moment: sacct.Moment, tally: Tally
) -> UsageRecord | None:
    try:
        record = sacct.record(layout.fields(line), moment)
    except (ValueError, OverflowError) as error:
        tally.note_bad(str(error))
        if tally.bad > max(BAD_MOST, tally.records):
            raise NotThis(
                f"{tally.bad} of {tally.lines} lines cannot be understood; this is hardly a "
                f"file of sacct. The last one: {error}"
            ) from error
        return None
    if record is None:
        tally.left_out += 1
    return record


def _keep(batch: list[UsageRecord], links: Links, tally: Tally) -> None:
    tally.new += keep(batch, links, is_history=True) if batch else 0
    tally.records += len(batch)


def _moment_of(zone: ZoneInfo) -> sacct.Moment:
    def moment(told: str) -> float | None:
        if told.isdigit() or not told[:1].isdigit():
            return sacct.epoch(told)
        return datetime.fromisoformat(told).replace(tzinfo=zone).timestamp()

    return moment
