"""Periods of days in the factory's own time zone, and the months that they touch."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.utils import timezone


@dataclass(frozen=True, kw_only=True, slots=True)
class Period:
    """From the first to the last day, both included, in the factory's own time zone."""

    first: date
    last: date

    @classmethod
    def year_until(cls, last: date) -> "Period":
        """Take the twelve months that end on `last`."""
        after = last + timedelta(days=1)
        try:
            return cls(first=after.replace(year=after.year - 1), last=last)
        except ValueError:  # 29 February
            return cls(first=date(after.year - 1, 3, 1), last=last)

    @property
    def start(self) -> datetime:
        return timezone.make_aware(datetime.combine(self.first, time.min))

    @property
    def end(self) -> datetime:
        """The moment after the last day."""
        return timezone.make_aware(datetime.combine(self.last + timedelta(days=1), time.min))

    @property
    def moments(self) -> tuple[datetime, datetime]:
        """What `__range` takes: the first and the last microsecond."""
        return self.start, self.end - timedelta(microseconds=1)

    @property
    def months(self) -> list["Period"]:
        """The months of the calendar that it touches, each of them whole."""
        found = []
        first = self.first.replace(day=1)
        while first <= self.last:
            after = (first + timedelta(days=32)).replace(day=1)
            found.append(Period(first=first, last=after - timedelta(days=1)))
            first = after
        return found
