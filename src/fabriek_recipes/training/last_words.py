"""Keeps a little of the disk, so that a run can say why it ended also when the disk is full."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

NAME = ".room"
# For a sentence in the events and one in the log.
ROOM_BYTES = 64 * 1024


class Room:
    """A file in a run's folder that is there to be removed."""

    def __init__(self, folder: Path) -> None:
        """Keep nothing yet: another process may be at work in the folder."""
        self._path = folder / NAME
        self._is_kept = False

    def keep(self) -> None:
        """Take the room, as far as there is any; by chance, as a disk may compress."""
        self._is_kept = True
        with suppress(OSError):
            self._path.write_bytes(os.urandom(ROOM_BYTES))

    def free(self) -> None:
        """Give it back, to be written in at once."""
        if self._is_kept:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)
