"""Where a lab listens: a folder on its node that only its own account can look into.

A socket's address has at most 107 signs, which a run folder on a shared disk may have used up;
and a socket on a shared disk is none on another node. Hence a short name below /tmp.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from pathlib import Path

ROOT = Path("/tmp")  # noqa: S108  whoever makes this name first is looked at, below
OWNER_ONLY = 0o700


def place_of(key: str) -> Path:
    """Give the folder of the run with this key; it need not exist."""
    return ROOT / f"fabriek-{hashlib.sha256(key.encode()).hexdigest()[:16]}"


def socket_in(place: Path) -> Path:
    """Give the address at which the lab answers."""
    return place / "sock"


def token_in(place: Path) -> Path:
    """Give the file with the word that the lab wants to hear."""
    return place / "token"


def made(key: str) -> Path:
    """Make the folder anew, as the account that runs this.

    Raises:
        PermissionError: somebody else has taken the name.
    """
    place = place_of(key)
    if os.path.lexists(place):
        require_own(place)
        shutil.rmtree(place)
    place.mkdir(mode=OWNER_ONLY)
    return place


def require_own(place: Path) -> None:
    """Look whether this is a folder of ours that nobody else can enter.

    Raises:
        PermissionError: it is not.
        FileNotFoundError: it is not there.
    """
    found = place.lstat()
    mode = stat.S_IMODE(found.st_mode)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or mode != OWNER_ONLY:
        raise PermissionError(f"{place} is not ours alone")
