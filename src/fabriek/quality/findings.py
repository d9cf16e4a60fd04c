"""What was found about people, by column: places together, and what was decided about each."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from fabriek.quality.models import Decision, Look, Treatment


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    path: str
    kind: str
    count: int
    rows: list[int]
    by: str
    is_estimate: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """A column as people name it, in whichever files of the dataset it is."""

    name: str
    places: list[Place]
    decision: Decision | None

    @property
    def kinds(self) -> list[str]:
        return sorted({place.kind for place in self.places})

    @property
    def is_decided(self) -> bool:
        """A decision counts as long as nothing is found that it did not know of."""
        return self.decision is not None and set(self.kinds) <= set(self.decision.kinds)

    @property
    def is_of_lines(self) -> bool:
        """Tell whether some of it stands on lines that are no rows: these have no columns."""
        return any(place.by == "line" for place in self.places)

    @property
    def whole(self) -> list[str]:
        """Give the kinds that fill the column: to mask it is to mask each cell as a whole."""
        return sorted({place.kind for place in self.places if place.by in {"column", "filled"}})


def columns_of(look: Look, decisions: Iterable[Decision]) -> list[Column]:
    """Group the findings of a look; those to decide about come first."""
    latest = latest_by_column(decisions)
    grouped: dict[str, list[Place]] = {}
    for found in look.result.get("findings", []):
        grouped.setdefault(found["column"], []).append(_place(found))
    columns = [
        Column(name=name, places=places, decision=latest.get(name))
        for name, places in grouped.items()
    ]
    return sorted(columns, key=lambda one: (one.is_decided, one.name.casefold()))


def to_carry_out(
    columns: Iterable[Column], treatment: Treatment | None, revision: int | None
) -> list[Column]:
    """Pick the columns to be changed still: a name tells of what is masked already, too.

    `revision`: the key of the one that is looked at. What it was made with is done in it.
    """
    done = treatment.decisions if treatment and treatment.made_id == revision else {}
    return [
        one
        for one in columns
        if one.decision
        and one.decision.choice != Decision.Choice.ACCEPT
        and done.get(one.name, {}).get("decision") != one.decision.pk
    ]


def latest_by_column(decisions: Iterable[Decision]) -> Mapping[str, Decision]:
    latest: dict[str, Decision] = {}
    for decision in sorted(decisions, key=lambda one: one.pk):
        latest[decision.column] = decision
    return latest


def _place(found: Mapping[str, Any]) -> Place:
    return Place(
        path=found["path"],
        kind=found["kind"],
        count=found["count"],
        rows=list(found["rows"]),
        by=found["by"],
        is_estimate=found["is_estimate"],
    )
