"""Files that run what they hold when a program opens them: told without ever opening one.

By their name, and by their first bytes, as a name can be anything. Knows nothing of Django:
the process that looks at data uses it as well.
"""

import pickletools
import re
import warnings
import zlib

# What such files are called. Weights of old are called `.bin`, which data may be as well.
NAMES = {".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".joblib", ".dill"}
# How much of the beginning is looked at.
HEAD_BYTES = 4096
ZIP, GZIP = b"PK\x03\x04", b"\x1f\x8b"
# Protocols 2 to 5: PROTO, its number, then a FRAME or an opcode that one begins with.
MODERN = re.compile(rb"\x80[\x02-\x05](?:\x95|[cj}\](X\x8a\x8c)qGKMN])", re.DOTALL)
# Before those a pickle was text; what it runs, it brings in by one of these.
IMPORTS = {"GLOBAL", "INST"}


def ending_of(path: str) -> str:
    """Give the ending below a `.gz` or `.zst`: what is in it."""
    name = path.casefold().rpartition("/")[2].removesuffix(".gz").removesuffix(".zst")
    return name[name.rfind(".") :] if "." in name else ""


def begins_so(head: bytes) -> bool:
    """Tell whether a file with this beginning is a pickle, plain or packed with gzip."""
    if head.startswith(GZIP):
        head = _unpacked(head)
    return bool(MODERN.match(head)) or _is_old(head)


def _unpacked(head: bytes) -> bytes:
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(head, HEAD_BYTES)
    except zlib.error:
        return b""


def _is_old(head: bytes) -> bool:
    """Read it as a pickle without doing what it says: hardly any text can be read so.

    What is no pickle may hold an escape that Python warns of: no word to an operator.
    """
    try:
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
            names = {opcode.name for opcode, _argument, _position in pickletools.genops(head)}
    except (ValueError, IndexError, OverflowError):
        return False
    return not names.isdisjoint(IMPORTS)
