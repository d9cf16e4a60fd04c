"""How long nobody mentioned a run, or the run itself said nothing.

That of the engine is counted only while somebody asked it, and it answered.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.core.cache import cache
from django.utils import timezone

from fabriek.runs.models import Run
from fabriek.runs.states import RunState

ANSWERS = "fabriek.runs.answers"  # since when, and when last
UNASKED_FOR_LONG = timedelta(minutes=5)
BEFORE_LOST = timedelta(minutes=30)
# A run is quiet that made no step for so long, and for so many times as long as one takes. In
# the looks at rows kept apart no step is made: each takes at most a hundredth of the run.
QUIET_S, QUIET_STEPS, QUIET_SHARE = 900, 20, 0.02
STEPS_KNOWN = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Quiet:
    """Since when a run made no step, and how long one takes, in seconds."""

    since_s: float
    usual_s: float


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


def quiet(run: Run) -> Quiet | None:
    """Tell when a run at work made no step for too long; nothing where one cannot know."""
    if run.state != RunState.RUNNING or run.cancel_asked_at or not run.progress_at:
        return None
    if run.stage_at is None or not STEPS_KNOWN <= run.progress_done < run.progress_total:
        return None
    took_s = (run.progress_at - run.stage_at).total_seconds()
    usual_s = took_s / run.progress_done
    since_s = (timezone.now() - run.progress_at).total_seconds()
    if since_s < max(QUIET_S, QUIET_STEPS * usual_s, QUIET_SHARE * took_s):
        return None
    return Quiet(since_s=since_s, usual_s=usual_s)
