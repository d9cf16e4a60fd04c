"""When a run that waits is expected to start: how exactly that is kept, and in words."""

from datetime import UTC, datetime, timedelta
from zlib import crc32

from django.utils import timezone
from django.utils.translation import gettext as _

from fabriek.kernel import words
from fabriek.runs import waits
from fabriek.runs.models import Run
from fabriek.runs.states import ALIVE

# The estimates of a cluster move with every job that ends. What was kept stands until it is off
# by five minutes and by a tenth of the time that is left: thousands of runs that wait are then
# not written anew at each pass, and nobody watches minutes jump.
LEAST_MOVE = timedelta(minutes=5)
PART_OF_MOVE = 10
# Slurm counts a year for a job without an end; what waits for that waits without an estimate.
FURTHEST = timedelta(days=60)
AT_ANY_MOMENT = timedelta(minutes=2)
# An estimate that passed this long ago is none.
PASSED = timedelta(minutes=10)
NEARBY = timedelta(hours=6)
STEP = timedelta(minutes=5)
FAR_STEP = timedelta(minutes=30)


def kept(before: datetime | None, told: float | None) -> datetime | None:
    """Give what to keep of what the engine tells, `before` while that is still near enough.

    `told`: seconds since 1970.
    """
    now = timezone.now()
    if told is None or not 0 < told < (now + FURTHEST).timestamp():
        return None
    new = datetime.fromtimestamp(told, UTC)
    enough = max(LEAST_MOVE, abs(new - now) / PART_OF_MOVE)
    return before if before and abs(new - before) <= enough else new


def about(at: datetime | None) -> str:
    """Say about when, such as `today around 14:20`; nothing when nobody knows."""
    now = timezone.now()
    if at is None or at < now - PASSED:
        return ""
    if at < now + AT_ANY_MOMENT:
        return _("at any moment")
    local = timezone.localtime(_rounded(at, STEP if at < now + NEARBY else FAR_STEP))
    days = (local.date() - timezone.localdate(now)).days
    if days > 1:
        return _("on %(day)s") % {"day": words.day(local)}
    said = _("tomorrow around %(time)s") if days else _("today around %(time)s")
    return said % {"time": f"{local:%H:%M}"}


def sentence(run: Run) -> str:
    """Say when a run that waits is expected to start, or that nobody knows.

    Nothing of one that does not wait on the machine, or that waits for its people.
    """
    if not _waits(run):
        return ""
    if said := about(run.starts_expected_at):
        return _("The run is expected to start %(when)s. It may become earlier or later.") % {
            "when": said
        }
    return _("It is not known yet when the run starts.")


def mark(run: Run) -> str:
    """Stand for what `sentence` says, in a few signs."""
    return f"{crc32(sentence(run).encode()):x}"


def _waits(run: Run) -> bool:
    if run.cancel_asked_at or waits.needs_you(run.waiting_reason):
        return False
    on_its_way = run.state in ALIVE
    return on_its_way and (run.queue_position is not None or bool(run.waiting_reason))


def _rounded(at: datetime, step: timedelta) -> datetime:
    """Round to whole steps; a time zone is never off by less than half an hour."""
    past = timedelta(seconds=at.timestamp() % step.total_seconds())
    return at - past + (step if past >= step / 2 else timedelta())
