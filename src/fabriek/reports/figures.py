"""What a report is made of: figures with their definition, and splits of a count."""

from collections.abc import Sequence
from dataclasses import dataclass

from fabriek.allocations.models import Funder, Share
from fabriek.kernel import words
from fabriek.kernel.errors import Text
from fabriek.reports import units


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One number. `value` is None when there is nothing yet to compute it from.

    `unit` is a word of `units`.
    """

    key: str
    label: Text
    value: float | None
    unit: str
    definition: Text
    note: Text = ""

    @property
    def unit_said(self) -> str:
        return units.said(self.unit, self.value)

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
