"""Which files count as small text, named by git's SHA-1, and which by their SHA-256."""

import codecs
import hashlib
from collections.abc import Iterable
from contextlib import suppress

from fabriek.hub.models import GitName
from fabriek.store.base import Damaged, Kept
from fabriek.store.models import Blob
from fabriek.store.queries import the_store

# Beyond this a file goes beside the commit, as LFS or Xet; up to this, text goes inside it.
REGULAR_BYTES_MAX = 2**20
SAMPLE_BYTES = 8000  # as git looks at


def is_text(sample: bytes) -> bool:
    """Tell text by its beginning, which may end in the middle of a sign."""
    if b"\0" in sample:
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return False
    return True


def sha1_of(content: bytes) -> str:
    """Name some bytes as git does; empty for what goes by its SHA-256."""
    if len(content) > REGULAR_BYTES_MAX or not is_text(content[:SAMPLE_BYTES]):
        return ""
    header = b"blob %d\0" % len(content)
    return hashlib.sha1(header + content, usedforsecurity=False).hexdigest()


def keep(names: Iterable[tuple[int, str]]) -> None:
    """Write them down: (key of the blob, SHA-1). Known ones stay."""
    rows = [GitName(blob_id=blob, sha1=sha1) for blob, sha1 in names]
    GitName.objects.bulk_create(rows, ignore_conflicts=True, batch_size=500)


def named(blob: Blob) -> str:
    """Give the git name of one blob, reading it the first time."""
    if blob.size_bytes > REGULAR_BYTES_MAX:
        return ""
    known: GitName | None = getattr(blob, "git_name", None)
    return known.sha1 if known else of([blob])[blob.pk]


def of(blobs: Iterable[Blob]) -> dict[int, str]:
    """Give the git names of blobs that have none yet, and keep them.

    What is damaged goes by its SHA-256 until it is mended: it must not hide all the others.
    """
    small = [blob for blob in blobs if blob.size_bytes <= REGULAR_BYTES_MAX]
    found: dict[int, str] = {}
    for blob in small:
        with suppress(Damaged):
            found[blob.pk] = sha1_of(_content(blob))
    keep(found.items())
    return {blob.pk: found.get(blob.pk, "") for blob in small}


def _content(blob: Kept) -> bytes:
    with the_store().open(blob) as file:
        return file.read(REGULAR_BYTES_MAX)
