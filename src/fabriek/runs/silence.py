"""How long nobody mentioned a run: counted only while somebody was asked, and answered."""

from collections.abc import Sequence
from datetime import timedelta

from django.core.cache import cache
from django.utils import timezone

from fabriek.runs.models import Run

ANSWERS = "fabriek.runs.answers"  # since when, and when last
UNASKED_FOR_LONG = timedelta(minutes=5)
BEFORE_LOST = timedelta(minutes=30)


def note_answer(unmentioned: Sequence[Run]) -> None:
    """Note that the engine answers now, without a word of these runs.

    After a time in which nobody asked, or nobody answered, their silence begins anew.
    """
    now = timezone.now()
    since, last = cache.get(ANSWERS, (None, None))
    if last is not None and now - last < UNASKED_FOR_LONG:
        cache.set(ANSWERS, (since, now), timeout=None)
        return
    cache.set(ANSWERS, (now, now), timeout=None)
    Run.objects.filter(pk__in=[run.pk for run in unmentioned]).update(last_seen_at=now)
    for run in unmentioned:
        run.last_seen_at = now


def is_too_long(run: Run) -> bool:
    return timezone.now() - run.last_seen_at > BEFORE_LOST


def is_long_past() -> bool:
    """Tell whether the engine has answered for a while, so that what it says is up to date.

    One that comes back is told only then of the jobs that ended while it was away.
    """
    since, last = cache.get(ANSWERS, (None, None))
    return since is not None and last - since >= UNASKED_FOR_LONG
