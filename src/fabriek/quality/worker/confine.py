"""Take away from this process what reading data never needs: network, other files, programs.

Several walls, each of which a machine may lack: `hold` says which of them stand. Only the
standard library, as the reader of names runs this under another Python.
"""

import ctypes
import errno
import os
import platform
import resource
import struct
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

CLONE_NEWNET = 0x40000000
CLONE_NEWUSER = 0x10000000
PR_SET_SECCOMP = 22
PR_SET_NO_NEW_PRIVS = 38
SECCOMP_MODE_FILTER = 2
# linux/landlock.h; these numbers are the same on every processor.
LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 444, 445, 446
LANDLOCK_VERSION = 1
PATH_BENEATH = 1
READS = 0b1100  # READ_FILE, READ_DIR
RUNS = 0b1
# MAKE_CHAR, MAKE_SOCK, MAKE_FIFO, MAKE_BLOCK, MAKE_SYM, and REFER: links and moves between
# folders. What it makes is plain files, and none under two names.
NEVER = RUNS | 1 << 6 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13
# What each version of Landlock learned to forbid on files: bits 0 to 12, then REFER, TRUNCATE,
# IOCTL_DEV. What a kernel does not know may not be named.
FILE_BITS = {1: 13, 2: 14, 3: 15, 4: 15}
FILE_BITS_NOW = 16
KNOWS_NET, KNOWS_SCOPES = 4, 6
# audit.h: processor and calling convention.
AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# socket, connect, execve, execveat, ptrace, process_vm_readv, process_vm_writev, mount,
# unshare, setns, keyctl, bpf, perf_event_open, userfaultfd, io_uring_setup, memfd_create.
# Then what changes a file by its name alone, for which Landlock has no right: chmod, fchmod,
# fchmodat, fchmodat2, chown, fchown, lchown, fchownat, truncate, utime, utimes, futimesat,
# utimensat, setxattr and removexattr with their kin, link, linkat, open_by_handle_at,
# file_setattr. A file of a job may be a second name of what the store keeps.
FORBIDDEN = {
    "x86_64": (41, 42, 59, 322, 101, 310, 311, 165, 272, 308, 250, 321, 298, 323, 425, 319,
               90, 91, 268, 452, 92, 93, 94, 260, 76, 132, 235, 261,
               280, 188, 189, 190, 197, 198, 199, 463, 466, 86, 265, 304,
               469),
    "aarch64": (198, 203, 221, 281, 117, 270, 271, 40, 97, 268, 219, 280, 241, 282, 425, 279,
                52, 53, 452, 55, 54, 45,
                88, 5, 6, 7, 14, 15, 16, 463, 466, 37, 265,
                469),
}  # fmt: skip
X32_BIT = 0x40000000
ALLOW, DENY = 0x7FFF0000, 0x00050001  # the second: EPERM
LOAD, JUMP_EQUAL, JUMP_AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    memory_bytes: int
    file_bytes: int
    cpu_s: int
    open_files: int = 256


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """Which walls stand. Where none of `no_network`, `landlock` and `seccomp` does, say so."""

    no_network: bool
    landlock: int
    seccomp: bool

    def as_json(self) -> dict[str, int]:
        return asdict(self)

    @property
    def keep_files(self) -> bool:
        """Both are needed: each alone leaves a way to change a file that we may only read."""
        return self.landlock > 0 and self.seccomp


def can_keep_files() -> bool:
    """Ask the kernel, without closing anything, whether it can do what `keep_files` says."""
    version = _libc.syscall(LANDLOCK_CREATE, None, 0, LANDLOCK_VERSION)
    refused = _libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, None, 0, 0)
    knows_filters = refused == -1 and ctypes.get_errno() == errno.EFAULT  # there was no filter
    return version > 0 and knows_filters and platform.machine() in AUDIT


def leave_network() -> bool:
    """Go where there is no network but a loopback that is down.

    Unprivileged where the kernel lets everybody make user namespaces. Before any thread starts.
    """
    return any(
        _libc.unshare(flags) == 0 for flags in (CLONE_NEWNET | CLONE_NEWUSER, CLONE_NEWNET)
    )


def limit(limits: Limits) -> None:
    for kind, wanted in (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
        (resource.RLIMIT_CPU, limits.cpu_s),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_CORE, 0),
    ):
        _soft, hard = resource.getrlimit(kind)
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(kind, (most, most))
    with suppress(OSError):
        os.nice(10)


def hold(*, readable: Iterable[Path], writable: Iterable[Path], no_network: bool) -> Held:
    """Close the walls; nothing opens them again. Programs can no longer be started."""
    _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    return Held(
        no_network=no_network,
        landlock=_landlock(list(readable), list(writable)),
        seccomp=_seccomp(),
    )


def _landlock(readable: list[Path], writable: list[Path]) -> int:
    """Give the version that holds us; 0 where the kernel has none, or has it turned off."""
    version = _libc.syscall(LANDLOCK_CREATE, None, 0, LANDLOCK_VERSION)
    if version <= 0:
        return 0
    every = (1 << FILE_BITS.get(version, FILE_BITS_NOW)) - 1
    rules = [every, 0b11 if version >= KNOWS_NET else 0, 0b11 if version >= KNOWS_SCOPES else 0]
    size = 24 if version >= KNOWS_SCOPES else 16 if version >= KNOWS_NET else 8
    wanted = ctypes.create_string_buffer(struct.pack("=QQQ", *rules)[:size], size)
    ruleset = _libc.syscall(LANDLOCK_CREATE, wanted, size, 0)
    if ruleset < 0:
        return 0
    for path in readable:
        _allow(ruleset, path, READS | RUNS)
    for path in writable:
        _allow(ruleset, path, every & ~NEVER)
    refused = _libc.syscall(LANDLOCK_RESTRICT, ruleset, 0)
    os.close(ruleset)
    return 0 if refused else int(version)


def _allow(ruleset: int, path: Path, rights: int) -> None:
    with suppress(OSError):  # what is not on this machine needs no right
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        if not path.is_dir():
            rights &= 0b110 | RUNS | (rights & (1 << 14))
        rule = ctypes.create_string_buffer(struct.pack("=Qi", rights, place), 12)
        _libc.syscall(LANDLOCK_ADD, ruleset, PATH_BENEATH, rule, 0)
        os.close(place)


def _seccomp() -> bool:
    """Forbid sockets, programs and looking into other processes, by a filter in the kernel."""
    machine = platform.machine()
    if machine not in AUDIT:
        return False
    forbidden = FORBIDDEN[machine]
    steps = [
        (LOAD, 0, 0, 4),  # the processor that the call is for
        (JUMP_EQUAL, 1, 0, AUDIT[machine]),
        (RETURN, 0, 0, DENY),
        (LOAD, 0, 0, 0),  # the number of the call
        (JUMP_AT_LEAST, len(forbidden) + 1, 0, X32_BIT),
        *((JUMP_EQUAL, len(forbidden) - at, 0, number) for at, number in enumerate(forbidden)),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, DENY),
    ]
    code = b"".join(struct.pack("=HBBI", *step) for step in steps)
    program = ctypes.create_string_buffer(code, len(code))
    whole = struct.pack("@HP", len(steps), ctypes.addressof(program))
    filtered = ctypes.create_string_buffer(whole, len(whole))
    return bool(_libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filtered, 0, 0) == 0)
