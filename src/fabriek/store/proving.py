"""Bytes that are proven whole before they are given out, where that was last done long ago.

A file of its own is sent by the kernel as it lies there, and programs that fetch it compare
nothing: what rotted since the last round of reading would pass for good. To compare each time
would read everything twice; once in some days costs next to nothing. Only up to a size that is
read before a program gives up waiting for the first byte; larger ones wait for the round.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from hashlib import sha256
from weakref import WeakValueDictionary

from django.conf import settings
from django.utils import timezone

from fabriek.store import base, damages, looking, queries, scrub, suspects
from fabriek.store.models import Blob

# huggingface_hub waits ten seconds; a slow disk reads this in five.
SIZE_BYTES_MAX = 2**30
_one_at_a_time = threading.Lock()
_turns: WeakValueDictionary[int, threading.Lock] = WeakValueDictionary()


def require_whole(blob: Blob) -> None:
    """Read it again unless it was proven of late, or is always. Raises: Damaged."""
    if not _is_due(blob):
        return
    with _turn(blob):
        now = Blob.objects.filter(pk=blob.pk).first()
        if now is None or not _is_due(now):
            return  # somebody did meanwhile; what they found damaged lies there no more
        if not damages.is_whole(now, pace=looking.unhurried):
            raise base.damaged(now)
        scrub.note([now])


def first_of(blob: Blob, *, most_bytes: int) -> bytes:
    """Read how it begins; where that is all of it, it is what was kept. Raises: Damaged.

    For what more hangs on than that somebody reads it, as terms on a card.
    """
    with suspects.noting(settings.STORE_HOME, blob):
        with queries.the_store().open(blob) as file:
            content = file.read(most_bytes)
        if blob.size_bytes <= most_bytes and sha256(content).hexdigest() != blob.sha256:
            raise base.damaged(blob)
    return content


def _is_due(blob: Blob) -> bool:
    """Tell by when it was last read again, or sent: what is sent is compared, too.

    Not in a bucket, which compares by itself, and where reading all again costs money.
    """
    if not settings.PROVE_DAYS or settings.STORE_BUCKET:
        return False
    if blob.pack_id is not None or blob.size_bytes > SIZE_BYTES_MAX:
        return False
    proven_at = max(blob.verified_at or blob.stored_at, blob.stored_at)
    return timezone.now() - proven_at > timedelta(days=settings.PROVE_DAYS)


@contextmanager
def _turn(blob: Blob) -> Iterator[None]:
    """Let many who want the same file at once wait for one who reads it."""
    with _one_at_a_time:
        turn = _turns.setdefault(blob.pk, threading.Lock())
    with turn:
        yield
