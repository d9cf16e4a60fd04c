"""Files of runs: written under names of ours, and held to what a case may keep.

What a program calls a file never becomes a path: it stands in the database only.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from fabriek.cases.models import Case
from fabriek.kernel import pickles, words
from fabriek.kernel.errors import StorageFull, TooLarge
from fabriek.store import paths
from fabriek.store.incoming import FULL, flush_folder, require_room
from fabriek.tracking import queries, refusals, rules
from fabriek.tracking.models import PATH_MAX, Artifact, Tracked, new_uuid

PIECE_BYTES = 2**20
# How often, while a file comes, the disk is asked whether there is room for so much more.
ASKED_EVERY_BYTES = 256 * 2**20
PART = ".part"


def put(tracked: Tracked, path: str, body: Any, *, announced: int | None) -> Artifact:  # noqa: ANN401
    """Keep a file of a run; one of the same name is replaced once the new one is whole.

    Raises: Wrong, Invalid, TooLarge; StorageFull, when the case or the disk has no room.
    """
    path = clean(path)
    _require_a_place(tracked, path)
    left_bytes = _left_bytes(tracked.case, _older(tracked, path))
    if (announced or 0) > left_bytes:
        raise _no_quota(tracked.case)
    folder = folder_of(tracked)
    # Jobs of other cases may run as accounts of their own on this machine.
    Path(settings.TRACKING_HOME).mkdir(mode=0o700, parents=True, exist_ok=True)
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    if is_new:
        _flush_above(folder)
    require_room(folder, announced or 0)
    name = new_uuid()
    with _part(folder, name) as part:
        intake = _Intake(folder=folder, case=tracked.case, left_bytes=left_bytes)
        kept = _written(intake.pieces(body), part, tracked, path)
        if announced is not None and kept.size_bytes != announced:
            raise refusals.unreadable(_("The file did not come whole. Send it again."))
        kept.file = name
        part.flush()
        os.fsync(part.fileno())
        _keep(kept, folder / f"{name}{PART}", folder / name)
    return kept


def clean(path: str) -> str:
    """Give a path as it is kept. Raises: Invalid, when it leads elsewhere."""
    found = paths.clean(path)
    if len(found) > PATH_MAX:
        raise refusals.Wrong(_("The name of this file is too long. Shorten it."))
    return found


@transaction.atomic
def remove(artifact: Artifact) -> None:
    Artifact.objects.filter(pk=artifact.pk).delete()
    transaction.on_commit(partial(_unlink, place_of(artifact)))


def opened(artifact: Artifact) -> BinaryIO:
    """Open a file to read. Raises: Absent, when it is gone from the disk."""
    try:
        return place_of(artifact).open("rb")
    except FileNotFoundError as error:
        raise refusals.no_file() from error


def place_of(artifact: Artifact) -> Path:
    return folder_of(artifact.tracked) / artifact.file


def folder_of(tracked: Tracked) -> Path:
    return Path(settings.TRACKING_HOME) / tracked.uuid[:2] / tracked.uuid


@dataclass(frozen=True, kw_only=True, slots=True)
class _Intake:
    """What is held against the limits while it comes: nobody may have said how long it is."""

    folder: Path
    case: Case
    left_bytes: int

    def pieces(self, body: Any) -> Iterator[bytes]:  # noqa: ANN401  what has `read`
        """Give it piece by piece.

        Raises: TooLarge; StorageFull, as soon as the case or the disk has no room.
        """
        size_bytes = asked_at = 0
        while piece := body.read(PIECE_BYTES):
            size_bytes += len(piece)
            if size_bytes > settings.UPLOAD_LIMIT_BYTES:
                raise TooLarge(_too_large())
            if size_bytes > self.left_bytes:
                raise _no_quota(self.case)
            if size_bytes - asked_at >= ASKED_EVERY_BYTES:
                require_room(self.folder, ASKED_EVERY_BYTES)
                asked_at = size_bytes
            yield piece


def _written(pieces: Iterator[bytes], part: BinaryIO, tracked: Tracked, path: str) -> Artifact:
    digest, size_bytes, head = hashlib.sha256(), 0, b""
    try:
        for piece in pieces:
            size_bytes += len(piece)
            head = head or piece[: pickles.HEAD_BYTES]
            digest.update(piece)
            part.write(piece)
    except OSError as error:
        if error.errno in FULL:
            raise StorageFull(
                _("The disk of the factory is full. Tell the factory.")
            ) from error
        raise
    is_pickle = pickles.ending_of(path) in pickles.NAMES or pickles.begins_so(head)
    return Artifact(
        tracked=tracked,
        path=path,
        size_bytes=size_bytes,
        sha256=digest.hexdigest(),
        is_pickle=is_pickle,
    )


@transaction.atomic
def _keep(kept: Artifact, part: Path, target: Path) -> None:
    """Take the place of an older one. The case is held: two at once stay within its limit."""
    case = Case.objects.select_for_update().get(pk=kept.tracked.case_id)
    older = _older(kept.tracked, kept.path)
    if kept.size_bytes > _left_bytes(case, older):
        raise _no_quota(case)
    part.rename(target)
    # Before the row is there: after a power cut no row may be without its file.
    flush_folder(target.parent)
    if older:
        Artifact.objects.filter(pk=older.pk).delete()
        older.tracked = kept.tracked
        transaction.on_commit(partial(_unlink, place_of(older)))
    kept.save(force_insert=True)


def _require_a_place(tracked: Tracked, path: str) -> None:
    """See that it is no folder, nor below a file, and that there are not too many."""
    rows = Artifact.objects.filter(tracked=tracked)
    above = [part.as_posix() for part in Path(path).parents][:-1]
    if queries.below(rows, path).exists() or rows.filter(path__in=above).exists():
        raise refusals.Wrong(
            _("“%(path)s” is a file and a folder at once. Give it another name.")
            % {"path": path[: refusals.SHOWN]}
        )
    if rows.exclude(path=path).count() >= rules.FILES_MAX:
        raise refusals.Wrong(
            _("The run has %(most)s files, which is the most. Pack them together first.")
            % {"most": rules.FILES_MAX}
        )


def _older(tracked: Tracked, path: str) -> Artifact | None:
    return Artifact.objects.filter(tracked=tracked, path=path).first()


def _left_bytes(case: Case, older: Artifact | None) -> int:
    """Tell how large a file may be that takes the place of an older one."""
    taken = queries.bytes_of(case) - (older.size_bytes if older else 0)
    return max(0, settings.TRACKING_BYTES - taken)


def _no_quota(case: Case) -> StorageFull:
    return StorageFull(
        _("The files of the runs of %(case)s may take %(most)s together. Remove some, or "
          "keep large ones as a dataset.")
        % {"case": case.code, "most": words.size(settings.TRACKING_BYTES)}
    )  # fmt: skip


def _too_large() -> str:
    return _("A file may be %(most)s at most.") % {
        "most": words.size(settings.UPLOAD_LIMIT_BYTES)
    }


@contextmanager
def _part(folder: Path, name: str) -> Iterator[BinaryIO]:
    path = folder / f"{name}{PART}"
    try:
        with path.open("xb") as part:
            yield part
    finally:
        _unlink(path)


def _flush_above(folder: Path) -> None:
    """Make sure of a new folder: its name stands in the one above, which may be new."""
    flush_folder(folder.parent)
    flush_folder(folder.parents[1])


def _unlink(path: Path) -> None:
    path.unlink(missing_ok=True)
