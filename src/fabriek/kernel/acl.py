"""POSIX access lists of folders: one account more that may come in, and nobody else.

The owner of a folder may set them, so no root is needed. They are kept by ext4, XFS, Btrfs,
tmpfs, Lustre and NFS 3; NFS 4 and some FUSE file systems have none. The layout is that of
linux/posix_acl_xattr.h: a version, then (tag, rights, id) by tag.
"""

import errno
import os
import struct
from pathlib import Path

ACCESS, DEFAULT = "system.posix_acl_access", "system.posix_acl_default"
VERSION = struct.pack("<I", 2)
ENTRY = struct.Struct("<HHI")
OWNER, USER, GROUP, MASK, OTHERS = 0x01, 0x02, 0x04, 0x10, 0x20
NO_ID = 0xFFFF_FFFF
ALL, NONE = 7, 0
NONE_HERE = {errno.EOPNOTSUPP, errno.ENODATA, errno.ENOSYS}


class NoAccessLists(OSError):
    """The file system has none, or they are switched off."""


def admit(folder: Path, uid: int) -> None:
    """Let `uid`, besides the owner, do everything in `folder`; everybody else nothing.

    Raises: NoAccessLists.
    """
    share(folder)
    _set(folder, ACCESS, uid)


def share(folder: Path) -> None:
    """Let what is made in `folder` later be ours too, whoever makes it.

    Raises: NoAccessLists.
    """
    _set(folder, DEFAULT, os.geteuid())


def admitted(folder: Path | int) -> int | None:
    """Tell who was let in besides the owner; None: nobody, or there are no lists here."""
    try:
        told = os.getxattr(folder, ACCESS)
    except OSError as error:
        if error.errno in NONE_HERE:
            return None
        raise
    for tag, _rights, uid in ENTRY.iter_unpack(told[len(VERSION) :]):
        if tag == USER:
            return int(uid)
    return None


def _set(folder: Path, name: str, uid: int) -> None:
    entries = ((OWNER, ALL, NO_ID), (USER, ALL, uid), (GROUP, NONE, NO_ID), (MASK, ALL, NO_ID))
    told = VERSION + b"".join(ENTRY.pack(*one) for one in (*entries, (OTHERS, NONE, NO_ID)))
    try:
        os.setxattr(folder, name, told)
    except OSError as error:
        if error.errno in NONE_HERE:
            raise NoAccessLists(error.errno, "no POSIX access lists here", folder) from error
        raise
