"""What to warn of: GPU time that runs out, and GPU time that will stay unused."""

from dataclasses import dataclass
from datetime import date

from django.utils.translation import gettext as _

from fabriek.allocations.models import Allocation
from fabriek.kernel import words
from fabriek.kernel.tones import Tone

# Applicants are warned when this much is spent or held; the last one is urgent.
THRESHOLDS_PERCENT = (95, 80, 50)
URGENT_PERCENT = 95
# A pace can be told after a quarter of the term; using less than half counts as under-use.
PACE_AFTER_PERCENT = 25
UNDER_USE_PERCENT = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    sentence: str
    tone: Tone


def notices(allocation: Allocation, today: date) -> list[Notice]:
    """Say in words what its people should know now; nothing when all goes well."""
    if not allocation.is_open_on(today) or not allocation.gpu_seconds_granted:
        return []
    found = [_running_out(allocation), _staying_unused(allocation, today)]
    return [notice for notice in found if notice]


def used_percent(allocation: Allocation) -> int:
    """Say how much is spent or held, rounded down: 80 means that 80 % really is used."""
    used = allocation.gpu_seconds_spent + allocation.gpu_seconds_held
    return 100 * used // max(allocation.gpu_seconds_granted, 1)


def passed_percent(allocation: Allocation, today: date) -> int:
    """Say how much of the term has passed, today not included."""
    days = (allocation.ends_on - allocation.starts_on).days + 1
    return 100 * (today - allocation.starts_on).days // days


def expected_use(allocation: Allocation, today: date) -> int:
    """Carry the pace so far on to the last day; in GPU-seconds, never more than granted."""
    used = allocation.gpu_seconds_spent + allocation.gpu_seconds_held
    days_passed = (today - allocation.starts_on).days
    days = (allocation.ends_on - allocation.starts_on).days + 1
    return min(used * days // max(days_passed, 1), allocation.gpu_seconds_granted)


def _running_out(allocation: Allocation) -> Notice | None:
    used = used_percent(allocation)
    passed = next((percent for percent in THRESHOLDS_PERCENT if used >= percent), None)
    if passed is None:
        return None
    sentence = _(
        "More than %(percent)d %% of your GPU-hours is used or set aside: %(left)s are left. "
        "Look at the price of each run before you start it."
    )
    return Notice(
        sentence=sentence
        % {"percent": passed, "left": words.gpu_hours(max(allocation.gpu_seconds_left, 0))},
        tone=Tone.WRONG if passed >= URGENT_PERCENT else Tone.ATTENTION,
    )


def _staying_unused(allocation: Allocation, today: date) -> Notice | None:
    expected = expected_use(allocation, today)
    too_early = passed_percent(allocation, today) < PACE_AFTER_PERCENT
    if too_early or 100 * expected >= UNDER_USE_PERCENT * allocation.gpu_seconds_granted:
        return None
    sentence = _(
        "At this pace you will use about %(expected)s of your %(granted)s before %(day)s. "
        "What is left then is lost, and counts when you apply again. Plan more runs, or tell "
        "the factory why you need less."
    )
    return Notice(
        sentence=sentence
        % {
            "expected": words.gpu_hours_number(expected),
            "granted": words.gpu_hours(allocation.gpu_seconds_granted),
            "day": words.day(allocation.ends_on),
        },
        tone=Tone.ATTENTION,
    )
