"""When an answer is promised, and how far that still is. Pure: the clock is an argument."""

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from fabriek.access.definitions import CutOffs, ModeRules
from fabriek.kernel import words, workdays

MONTHS_A_YEAR = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Clock:
    """What is left of a promise: below zero is late."""

    due_at: datetime
    workdays_left: int
    is_late: bool

    @property
    def sentence(self) -> str:
        if self.is_late:
            return self._late
        if self.workdays_left == 0:
            return _("An answer was promised for today, before %(at)s.") % {
                "at": words.moment(self.due_at)
            }
        return ngettext(
            "%(days)s working day left: an answer comes before %(at)s.",
            "%(days)s working days left: an answer comes before %(at)s.",
            self.workdays_left,
        ) % {"days": self.workdays_left, "at": words.moment(self.due_at)}

    @property
    def short(self) -> str:
        """For a table."""
        if not self.is_late:
            return ngettext(
                "%(days)s working day left", "%(days)s working days left", self.workdays_left
            ) % {"days": self.workdays_left}
        days = -self.workdays_left
        if not days:
            return _("late since today")
        return ngettext("%(days)s working day late", "%(days)s working days late", days) % {
            "days": days
        }

    @property
    def _late(self) -> str:
        return _(
            "Late: an answer was promised before %(at)s. We are sorry; it is being hurried."
        ) % {"at": words.moment(self.due_at)}


def clock(due_at: datetime, now: datetime) -> Clock:
    return Clock(
        due_at=due_at,
        workdays_left=workdays.workdays_between(now, due_at),
        is_late=now > due_at,
    )


def due_at(rules: ModeRules, submitted_at: datetime) -> datetime:
    """Name the moment before which the factory promises its decision."""
    start = submitted_at
    if rules.cut_offs is not None and rules.promise.start == "cut_off":
        start = next_cut_off(rules.cut_offs, submitted_at)
    return workdays.due_at(start, rules.promise.workdays)


def next_cut_off(cut_offs: CutOffs, moment: datetime) -> datetime:
    """Name the first cut-off at or after a moment."""
    local = moment.astimezone(cut_offs.tz)
    year, month = local.year, local.month
    while True:
        if (month - cut_offs.first_month) % cut_offs.every_months == 0:
            for day in sorted(cut_offs.days):
                at = datetime(
                    year,
                    month,
                    day,
                    cut_offs.time.hour,
                    cut_offs.time.minute,
                    tzinfo=cut_offs.tz,
                )
                if at >= moment:
                    return at
        year, month = (year + 1, 1) if month == MONTHS_A_YEAR else (year, month + 1)


def in_words(rules: ModeRules) -> str:
    """Say the promise of a mode."""
    days = rules.promise.workdays
    if rules.promise.start == "cut_off":
        return ngettext(
            "answer within %(days)s working day after the cut-off",
            "answer within %(days)s working days after the cut-off",
            days,
        ) % {"days": days}
    return ngettext(
        "answer within %(days)s working day", "answer within %(days)s working days", days
    ) % {"days": days}
