"""Removes files of runs that no row names any more: what a killed process left behind."""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings

from fabriek.tracking.artifacts import PART
from fabriek.tracking.models import Artifact

log = logging.getLogger(__name__)

# A file comes before its row, and may take hours: one that is written now is left alone.
FORGOTTEN = timedelta(days=1)
ASKED_AT_ONCE = 500
# More files without a row than this, and than with one: then it is the database that is wrong.
DOUBTED_FROM = 100


@dataclass(slots=True)
class _Seen:
    """Old files: how many have their row, which have none, and which never get one."""

    known: int = 0
    broken_off: list[Path] = field(default_factory=list)
    without_row: list[Path] = field(default_factory=list)

    def look_at(self, paths: Sequence[Path]) -> None:
        whole = [path for path in paths if path.suffix != PART]
        rows = Artifact.objects.filter(file__in=[path.name for path in whole])
        known = set(rows.values_list("file", flat=True))
        self.known += len(known)
        self.broken_off += [path for path in paths if path.suffix == PART]
        self.without_row += [path for path in whole if path.name not in known]

    @property
    def is_doubted(self) -> bool:
        return len(self.without_row) > max(self.known, DOUBTED_FROM)


def sweep(now: datetime) -> int:
    """Remove what nobody can reach, a day after it was written; tell how many files.

    Twice does no harm. Beside the wrong database whole files stay, and an error is logged.
    """
    seen = _Seen()
    for paths in _written_before((now - FORGOTTEN).timestamp()):
        seen.look_at(paths)
    removed = sum(map(_removed, seen.broken_off))
    if seen.is_doubted:
        log.error(
            "%s files of runs have no row and %s have one: is this the right database? "
            "None of them was removed.",
            len(seen.without_row),
            seen.known,
        )
        return removed
    return removed + sum(map(_removed, seen.without_row))


def _written_before(moment: float) -> Iterator[Sequence[Path]]:
    for folder, _folders, names in os.walk(settings.TRACKING_HOME):
        old = [path for name in names if _is_older(path := Path(folder) / name, moment)]
        for start in range(0, len(old), ASKED_AT_ONCE):
            yield old[start : start + ASKED_AT_ONCE]


def _is_older(path: Path, moment: float) -> bool:
    with suppress(FileNotFoundError):
        return path.lstat().st_mtime < moment
    return False


def _removed(path: Path) -> bool:
    with suppress(OSError):  # gone meanwhile, or not ours to remove: looked at again tomorrow
        path.unlink()
        return True
    return False
