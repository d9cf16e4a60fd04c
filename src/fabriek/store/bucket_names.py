"""How objects of a bucket are named, below its prefix."""

import re

from fabriek.store.base import Kept
from fabriek.store.singles import checked

PACKS = "packs"
SINGLE = re.compile(r"([0-9]+)/[0-9a-f]{2}/([0-9a-f]{64})")


def name_of(kept: Kept) -> str:
    """Name the object that the bytes lie in."""
    if kept.pack_id is not None:
        return pack_name(kept.organisation_id, kept.pack_id)
    return single_name(kept.organisation_id, kept.sha256)


def single_name(organisation_id: int, sha256: str) -> str:
    return f"{int(organisation_id)}/{checked(sha256)[:2]}/{sha256}"


def pack_name(organisation_id: int, key: str) -> str:
    return f"{PACKS}/{int(organisation_id)}/{key}"


def place_of(name: str) -> tuple[int, str] | None:
    """Tell whose single an object is, and its SHA-256; nothing of what is no single."""
    found = SINGLE.fullmatch(name)
    return (int(found[1]), found[2]) if found else None
