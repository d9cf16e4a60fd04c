"""Pictures and sounds that a page shows as they are: which, and as what type."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Q

from fabriek.quality.worker import pixels
from fabriek.store.models import Blob, File, Revision
from fabriek.store.queries import the_store

PICTURES, SOUNDS = 12, 6
# Twelve of them go over the line at once; a sound goes in parts, when somebody plays it.
PICTURE_BYTES, SOUND_BYTES = 4 * 2**20, 200 * 2**20
# A small file can fill the memory of who looks at it.
PIXELS = 40_000_000
HEAD_BYTES = 2**18  # what cameras write about a picture stands before its size
MOST_PATHS = 20_000

# SVG is a program, and TIFF is drawn by few: these four and no others.
PICTURE_TYPES = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "GIF": "image/gif",
    "WEBP": "image/webp",
}
PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".gif", ".webp")
SOUND_ENDINGS = (".wav", ".flac", ".mp3", ".ogg")
# What the look found in them that no browser draws or plays.
NOT_DRAWN = frozenset({"broken_picture", "huge_picture", "broken_sound"})

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sights:
    """Paths, taken from the whole list at even distances; and how many there are."""

    paths: list[str]
    count: int


def type_of(blob: Blob) -> str:
    """Say as what a browser may have these bytes, by their beginning; "" for as nothing."""
    if blob.size_bytes > SOUND_BYTES:
        return ""
    with the_store().open(blob) as content:
        head = content.read(HEAD_BYTES)
    if sound := _sound(head):
        return sound
    return _picture(head) if blob.size_bytes <= PICTURE_BYTES else ""


def _picture(head: bytes) -> str:
    found = pixels.read(head)
    if found is None or found[1] * found[2] > PIXELS:
        return ""
    return PICTURE_TYPES.get(found[0], "")


def _sound(head: bytes) -> str:
    """MP3 begins with its tags, or at once with a frame (ISO 11172-3, layer III)."""
    if head.startswith(b"RIFF") and head[8:12] == b"WAVE":
        return "audio/wav"
    if head.startswith(b"fLaC"):
        return "audio/flac"
    if head.startswith(b"OggS"):
        return "audio/ogg"
    is_frame = len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2  # noqa: PLR2004
    return "audio/mpeg" if is_frame or head.startswith(b"ID3") else ""


def pictures(revision: Revision, result: Json) -> Sights | None:
    """Choose pictures to show. Looks into no file; the look said that there are some."""
    if not result.get("image"):
        return None
    return _some(revision, PICTURE_ENDINGS, PICTURE_BYTES, PICTURES, _not_drawn(result))


def sounds(revision: Revision, result: Json) -> Sights | None:
    if not result.get("audio"):
        return None
    return _some(revision, SOUND_ENDINGS, SOUND_BYTES, SOUNDS, _not_drawn(result))


def _not_drawn(result: Json) -> set[str]:
    told = result.get("problems", [])
    return {path for one in told if one["code"] in NOT_DRAWN for path in one.get("paths", [])}


def _some(
    revision: Revision, endings: Iterable[str], most_bytes: int, most: int, but: set[str]
) -> Sights | None:
    named = reduce(or_, (Q(path__iendswith=ending) for ending in endings))
    rows = File.objects.filter(named, revision=revision, blob__size_bytes__lte=most_bytes)
    listed = rows.order_by("path").values_list("path", flat=True)[:MOST_PATHS]
    paths = [path for path in listed if path not in but]
    if not paths:
        return None
    shown = min(most, len(paths))
    return Sights(
        paths=[paths[at * len(paths) // shown] for at in range(shown)], count=len(paths)
    )
