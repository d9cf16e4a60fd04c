"""Read all bytes again in turn, list what is damaged, and mend what can be mended.

A round reads everything once: what was read longest ago comes first. How far it is, is told by
`Blob.verified_at` alone, so that it goes on wherever it was stopped. One process reads at a
time; its claim on the round runs out when it is killed.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Count, F, Q, QuerySet, Sum
from django.utils import timezone

from fabriek.store import damages, queries
from fabriek.store.models import Blob, Round

AT_ONCE = 200  # found in one query; a pack among them is read to its end
CLAIM = timedelta(minutes=2)
CLAIM_AGAIN_S = 20


class Stopped(Exception):
    """Somebody asked to stop in the middle of a file."""


@dataclass(kw_only=True, slots=True)
class Reader:
    """Somebody who reads for a while: how fast, until when, and what came of it.

    `is_stopped` is asked every few MiB, `is_over` between files only: a file of 50 GB that is
    begun must come to its end. `bytes_per_s` 0 means as fast as it goes.
    """

    is_stopped: Callable[[], bool]
    is_over: Callable[[], bool] = lambda: False
    bytes_per_s: int = 0
    told: Callable[["Reader"], None] = lambda _reader: None
    round: Round | None = None
    read_files: int = 0
    read_bytes: int = 0
    found: int = 0
    mended: int = 0
    began: float = field(default_factory=time.monotonic)
    claimed: float = field(default_factory=time.monotonic)

    def read_suspected(self) -> None:
        """Read what people were told is damaged: soon, as they were told that staff see it."""
        try:
            self.found += damages.look_into_suspected(pace=self.pace)
        except Stopped:
            return

    def read(self) -> bool:
        """Read on in the open round; True when that came to its end."""
        self.read_suspected()
        self.mended += damages.mend_from_copy()
        self.round = _claimed_round()
        if self.round is None:
            return False
        try:
            for some in _due(self.round):
                self._read_some(some)
                self.told(self)
                if self.is_over():
                    return False
        except Stopped:
            return False
        else:
            return _ended(self.round)
        finally:
            _let_go(self.round)

    def pace(self, size_bytes: int) -> None:
        self.read_bytes += size_bytes
        if self.round and time.monotonic() - self.claimed > CLAIM_AGAIN_S:
            self.claimed = time.monotonic()
            _claim_longer(self.round)
        if self.bytes_per_s:
            ahead_s = self.read_bytes / self.bytes_per_s - (time.monotonic() - self.began)
            time.sleep(max(0.0, ahead_s))
        if self.is_stopped():
            raise Stopped

    def _read_some(self, blobs: list[Blob]) -> None:
        whole: list[Blob] = []
        before, found = self.read_bytes, 0
        try:
            for blob in blobs:
                if damages.is_whole(blob, pace=self.pace):
                    whole.append(blob)
                else:
                    found += 1
        finally:
            note(whole)
            self.read_files += len(whole) + found
            self.found += found
            _count(self.round, len(whole) + found, self.read_bytes - before, found)


def begin(*, anew: bool = False) -> Round:
    """Open a round unless one is open; `anew`: end that one, and read everything again."""
    with transaction.atomic():
        if anew:
            Round.objects.filter(ended_at=None).delete()
        found = Round.objects.select_for_update().filter(ended_at=None).first()
        return found or Round.objects.create()


def is_due(now: datetime) -> bool:
    """Tell whether a round is open, or the last one began long enough ago."""
    last = Round.objects.first()
    every = timedelta(days=settings.SCRUB_DAYS)
    return last is None or last.ended_at is None or now - last.started_at >= every


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far the open round is; without one, how the last one ended."""

    started_at: datetime | None = None
    ended_at: datetime | None = None
    last_full_at: datetime | None = None
    is_reading: bool = False
    files: int = 0
    size_bytes: int = 0
    left_files: int = 0
    left_bytes: int = 0
    found: int = 0

    @property
    def done_bytes(self) -> int:
        return self.size_bytes - self.left_bytes

    @property
    def percent(self) -> int:
        return 100 * self.done_bytes // self.size_bytes if self.size_bytes else 100


def progress(now: datetime) -> Progress:
    """Tell in four queries, however much there is."""
    last = Round.objects.first()
    full = Round.objects.exclude(ended_at=None).first()
    files, size_bytes = _weight(Blob.objects.all())
    if last is None:
        return Progress(
            files=files, size_bytes=size_bytes, left_files=files, left_bytes=size_bytes
        )
    left_files, left_bytes = _weight(left(last)) if last.ended_at is None else (0, 0)
    return Progress(
        started_at=last.started_at,
        ended_at=last.ended_at,
        last_full_at=full.ended_at if full else None,
        is_reading=bool(last.claimed_until and last.claimed_until > now),
        files=files,
        size_bytes=size_bytes,
        left_files=left_files,
        left_bytes=left_bytes,
        found=last.found,
    )


def _weight(blobs: QuerySet[Blob]) -> tuple[int, int]:
    found = blobs.aggregate(files=Count("pk"), size_bytes=Sum("size_bytes"))
    return found["files"], found["size_bytes"] or 0


# --- which bytes, in which order -----------------------------------------------------------
def left(of: Round) -> QuerySet[Blob]:
    return Blob.objects.filter(Q(verified_at=None) | Q(verified_at__lt=of.started_at))


def _due(of: Round) -> Iterator[list[Blob]]:
    """Give what is left, what was never read first, then what was read longest ago.

    Each is marked as read before more is asked for, so that this ends.
    """
    never = Blob.objects.filter(verified_at=None).order_by("pk")
    before = Blob.objects.filter(verified_at__lt=of.started_at).order_by("verified_at", "pk")
    for rows in (never, before):
        while some := list(rows[:AT_ONCE]):
            yield from _together(some, of)


def _together(some: list[Blob], of: Round) -> Iterator[list[Blob]]:
    """Give singles one by one, and packs whole, in the order in which their files lie there."""
    yield from ([blob] for blob in some if blob.pack_id is None)
    for key in sorted({blob.pack_id for blob in some if blob.pack_id}):
        yield list(left(of).filter(pack_id=key).order_by("pack_offset"))


def note(whole: list[Blob]) -> None:
    """Write down when they were read, and the BLAKE3 of those that had none."""
    now = timezone.now()
    for first in range(0, len(whole), queries.AT_ONCE):
        keys = [blob.pk for blob in whole[first : first + queries.AT_ONCE]]
        Blob.objects.filter(pk__in=keys).update(verified_at=now)
    new = [blob for blob in whole if blob.is_blake3_new]
    Blob.objects.bulk_update(new, ["blake3"], batch_size=queries.AT_ONCE)
    damages.close_well(whole)


# --- the round -----------------------------------------------------------------------------
def _claimed_round() -> Round | None:
    """Take the open round for us alone, unless somebody else reads in it."""
    found = Round.objects.filter(ended_at=None).last()
    if found is None:
        return None
    now = timezone.now()
    free = Q(claimed_until=None) | Q(claimed_until__lt=now)
    mine = Round.objects.filter(free, pk=found.pk, ended_at=None)
    return found if mine.update(claimed_until=now + CLAIM) else None


def _claim_longer(one: Round) -> None:
    Round.objects.filter(pk=one.pk).update(claimed_until=timezone.now() + CLAIM)


def _let_go(one: Round) -> None:
    Round.objects.filter(pk=one.pk).update(claimed_until=None)


def _ended(one: Round) -> bool:
    return bool(Round.objects.filter(pk=one.pk).update(ended_at=timezone.now()))


def _count(one: Round | None, files: int, size_bytes: int, found: int) -> None:
    if one is not None:
        Round.objects.filter(pk=one.pk).update(
            read_files=F("read_files") + files,
            read_bytes=F("read_bytes") + size_bytes,
            found=F("found") + found,
        )
