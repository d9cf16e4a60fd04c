"""Draw the machine's accounting, line by line, into ours; and charge who went around us.

Everything here may be repeated and killed anywhere: each line has a key of its own, is charged
under one key, and the watermark moves only when all before it was written down.
"""

import hashlib
import logging
import time
from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Min, Q
from django.utils import timezone

from fabriek.allocations import actions as allocations
from fabriek.allocations.ledger import Use
from fabriek.allocations.lines import AROUND
from fabriek.allocations.models import Allocation
from fabriek.engines.base import Engine, EngineDown, UsageRecord
from fabriek.machine.models import Books, Stretch
from fabriek.machine.stretches import BATCH, Links, keep

log = logging.getLogger(__name__)

EVERY = timedelta(minutes=1)
# Clocks of portal and machine may differ by minutes, and the accounting may be as much behind.
OVERLAP = timedelta(minutes=10)
WINDOW = timedelta(days=1)
# How long, after the accounting fell silent, what ended meanwhile may still be told late.
TOLD_LATE = timedelta(hours=1)
# What fell silent longer ago is drawn again by night.
SILENT_FOR_MOST = timedelta(days=2)
# A month of silence is walked in many passes, so that the loop does its other work too.
PATIENCE_S = 10.0


def tick(engine: Engine) -> bool:
    """Draw what ended since, at most once a minute, whoever else runs a loop.

    Tells whether the machine was asked, and answered.
    """
    now = timezone.now()
    if not _claim(now):
        return False
    try:
        draw(engine, now)
    except EngineDown as silence:
        _note_silence(now)
        log.warning("The machine's accounting does not answer. %s", silence)
        return False
    return True


def draw(engine: Engine, now: datetime) -> int:
    """Walk from the watermark to now, window by window; gives how many lines were new."""
    books, new, began = the_books(), 0, time.monotonic()
    for since, until in windows(_start(books, now) - OVERLAP, now + OVERLAP):
        new += draw_window(engine, since, until)
        charge_around()
        _advance(min(until, now))
        if time.monotonic() - began > PATIENCE_S and until < now:
            Books.objects.filter(pk=books.pk).update(drawn_at=None)  # go on at the next pass
            break
    _note_answer(now)
    return new


def draw_window(engine: Engine, since: datetime, until: datetime) -> int:
    links, new = Links(), 0
    for batch in batches(engine.usage(since.timestamp(), until.timestamp())):
        new += keep(batch, links)
    return new


def charge_around() -> None:
    """Bill jobs that somebody submitted around the portal to the account they ran under."""
    waiting = Stretch.objects.filter(awaits_charge=True, allocation__isnull=False)
    for allocation in Allocation.objects.filter(pk__in=waiting.values("allocation")):
        while jobs := list(waiting.filter(allocation=allocation).order_by("pk")[:BATCH]):
            with transaction.atomic():
                allocations.charge(allocation, [_use(job) for job in jobs])
                done = Stretch.objects.filter(pk__in=[job.pk for job in jobs])
                done.update(awaits_charge=False)


def charge_key(stretch: Stretch) -> str:
    """Name a job's bill in the ledger, where keys are short."""
    return AROUND + hashlib.sha256(stretch.key.encode()).hexdigest()[:32]


def windows(since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    while since < until:
        end = min(since + WINDOW, until)
        yield since, end
        since = end


def batches(records: Iterator[UsageRecord]) -> Iterator[list[UsageRecord]]:
    batch: list[UsageRecord] = []
    for record in records:
        batch.append(record)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def the_books() -> Books:
    return Books.objects.get_or_create(pk=1)[0]


def _use(job: Stretch) -> Use:
    return Use(key=charge_key(job), gpu_seconds=job.gpu_seconds, note=job.user)


def _start(books: Books, now: datetime) -> datetime:
    """Go on where the last one stopped; in the beginning, with the first GPU-hours."""
    if books.drawn_until is None:
        first: datetime | None = Allocation.objects.aggregate(at=Min("opened_at"))["at"]
        return first or now
    # Our own clock may have been ahead and put right since.
    drawn_until = min(books.drawn_until, now)
    if books.silent_from is None:
        return drawn_until
    return min(drawn_until, max(books.silent_from, now - SILENT_FOR_MOST))


def _claim(now: datetime) -> bool:
    books = the_books()
    free = Books.objects.filter(Q(drawn_at=None) | Q(drawn_at__lte=now - EVERY), pk=books.pk)
    return bool(free.update(drawn_at=now))


def _advance(until: datetime) -> None:
    """Never back: another loop may have been further."""
    behind = Books.objects.filter(Q(drawn_until=None) | Q(drawn_until__lt=until), pk=1)
    behind.update(drawn_until=until)


def _note_silence(now: datetime) -> None:
    books = the_books()
    silent_from = books.silent_from or books.drawn_until
    Books.objects.filter(pk=books.pk).update(silent_from=silent_from, silent_at=now)


def _note_answer(now: datetime) -> None:
    Books.objects.filter(pk=1).update(heard_at=now)
    Books.objects.filter(pk=1, silent_at__lt=now - TOLD_LATE).update(
        silent_from=None, silent_at=None
    )
