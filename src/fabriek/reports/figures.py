"""What a report is made of: a period, figures with their definition, and splits of a count."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.utils import timezone

from fabriek.allocations.models import Funder, Share
from fabriek.kernel import words
from fabriek.kernel.errors import Text


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One number. `value` is None when there is nothing yet to compute it from."""

    key: str
    label: Text
    value: float | None
    unit: Text
    definition: Text
    note: Text = ""

    @property
    def shown(self) -> str:
        if self.value is None:
            return "–"
        if self.value == round(self.value) or abs(self.value) >= 100:  # noqa: PLR2004
            return words.number(self.value)
        # Less than one needs more: 0.047 of an hour was used, and 0.0 would say that none was.
        small = abs(self.value) < 1
        return words.number(
            self.value, words.decimals_worth_showing(self.value) if small else 1
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitRow:
    code: str
    label: Text
    in_contact: int
    supported: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """How the organisations are spread over kinds, sizes, sectors or regions."""

    key: str
    title: Text
    definition: Text
    rows: tuple[SplitRow, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    key: str
    title: Text
    figures: tuple[Figure, ...]
    splits: tuple[Split, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Payer:
    """The funder that a report is for, with its shares among all."""

    funder: Funder
    shares: Sequence[Share]

    @property
    def own(self) -> list[Share]:
        return [share for share in self.shares if share.funder_id == self.funder.pk]

    @property
    def own_ids(self) -> list[int]:
        return [share.pk for share in self.own]
