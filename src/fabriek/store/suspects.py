"""Bytes that a reader found damaged, noted on the disk until they are read again.

    <home>/<organisation>/suspected/<sha256>    empty

Who reads may stand in a transaction that his refusal is about to undo, so the note is no row.
The loop reads what is noted, within a minute, and opens a line of the repair list; whoever
sends the same bytes before that is not told that they are here.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fabriek.store.base import Damaged, Kept

FOLDER = "suspected"


@contextmanager
def noting(home: Path, kept: Kept | None) -> Iterator[None]:
    """Note what turns out damaged: the bytes that the refusal names, else `kept`."""
    try:
        yield
    except Damaged as error:
        if culprit := error.kept or kept:
            note(home, culprit)
        raise


def note(home: Path, kept: Kept) -> None:
    """Note it where that can be done: a full disk must not hide the refusal itself."""
    path = _path(home, kept.organisation_id, kept.sha256)
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch()


def settle(home: Path, organisation_id: int, sha256: str) -> None:
    _path(home, organisation_id, sha256).unlink(missing_ok=True)


def is_noted(home: Path, organisation_id: int, sha256: str) -> bool:
    return _path(home, organisation_id, sha256).exists()


def noted(home: Path, organisation_id: int) -> set[str]:
    try:
        return {path.name for path in (home / str(int(organisation_id)) / FOLDER).iterdir()}
    except FileNotFoundError:
        return set()


def everywhere(home: Path) -> Iterator[tuple[int, str]]:
    for path in sorted(home.glob(f"*/{FOLDER}/*")):
        yield int(path.parent.parent.name), path.name


def _path(home: Path, organisation_id: int, sha256: str) -> Path:
    return home / str(int(organisation_id)) / FOLDER / sha256
