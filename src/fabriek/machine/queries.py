"""Who uses the machine: one's own runs and cases by name, all others only together.

What somebody else works on is theirs to tell. A confidential case is named to its own people
only, also not to the staff: this page may hang on a wall. It is counted in a total.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, F, QuerySet, Sum
from django.utils.translation import get_language

from fabriek.cases.models import Case
from fabriek.kernel.paging import addresses
from fabriek.people.models import Person
from fabriek.runs.models import Run
from fabriek.runs.states import UNFINISHED, RunState

# A sector stands apart only when so many organisations of it run: of fewer, one could be told.
FEWEST = 3
MOST_NAMED = 50
MOST_RUNS = 20
GROUP = (
    "case",
    "case__code",
    "case__title",
    "case__is_confidential",
    "case__organisation",
    "case__sector__code",
    "case__sector__name_nl",
    "case__sector__name_en",
)
RUN_SHOWN = (
    "code",
    "state",
    "reason",
    "gpus",
    "recipe",
    "queue_position",
    "waiting_reason",
    "starts_expected_at",
    "cancel_asked_at",
    "case__code",
    "case__title",
)


@dataclass(kw_only=True, slots=True)
class Use:
    """Runs that run and wait, added up over cases."""

    running: int = 0
    gpus: int = 0
    waiting: int = 0
    gpus_waited_for: int = 0
    organisations: set[int] = field(default_factory=set)

    def add(self, other: "Use") -> None:
        self.running += other.running
        self.gpus += other.gpus
        self.waiting += other.waiting
        self.gpus_waited_for += other.gpus_waited_for
        self.organisations |= other.organisations

    @property
    def is_some(self) -> bool:
        return bool(self.running or self.waiting)


@dataclass(kw_only=True, slots=True)
class CaseUse(Use):
    pk: int
    code: str
    title: str
    is_confidential: bool
    sector: str
    sector_name: str

    @property
    def url(self) -> str:
        return addresses("cases:detail")(self.code)


@dataclass(kw_only=True, slots=True)
class SectorUse(Use):
    code: str
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Users:
    """Who uses the machine, as one person may know it; `others` is all that is not named."""

    own: Sequence[CaseUse]
    named: Sequence[CaseUse]
    sectors: Sequence[SectorUse]
    others: Use
    total: Use


def own_cases(person: Person) -> list[int]:
    """Name the cases of one's consortia; staff have no others than those."""
    return list(Case.objects.taken_part_in_by(person).values_list("pk", flat=True))


def own_runs(cases: Collection[int]) -> QuerySet[Run]:
    """List the runs of these cases that are not over, those that started first on top."""
    rows = Run.objects.filter(case__in=cases, state__in=UNFINISHED).select_related("case")
    order = [F(name).asc(nulls_last=True) for name in ("started_at", "queue_position")]
    return rows.only(*RUN_SHOWN).order_by(*order, "asked_at", "pk")


def users(person: Person, own: Collection[int]) -> Users:
    cases = _cases()
    total = Use()
    for case in cases:
        total.add(case)
    ours = [case for case in cases if case.pk in own][:MOST_NAMED]
    named = [
        case
        for case in cases
        if person.sees_all_cases and case.pk not in own and not case.is_confidential
    ][:MOST_NAMED]
    shown = {case.pk for case in (*ours, *named)}
    sectors, others = _folded([case for case in cases if case.pk not in shown])
    return Users(own=ours, named=named, sectors=sectors, others=others, total=total)


def _cases() -> list[CaseUse]:
    """Add up the runs that are not over by case, those with most GPUs first; one query."""
    rows = Run.objects.filter(state__in=UNFINISHED).order_by().values_list(*GROUP, "state")
    found: dict[int, CaseUse] = {}
    for *about, state, runs, gpus in rows.annotate(runs=Count("pk"), gpu_count=Sum("gpus")):
        case = found.setdefault(about[0], _case(about))
        if state == RunState.RUNNING:
            case.running, case.gpus = runs, gpus
        else:
            case.waiting += runs
            case.gpus_waited_for += gpus
    return sorted(found.values(), key=lambda case: (-case.gpus, -case.waiting, case.code))


def _case(about: Sequence[Any]) -> CaseUse:
    pk, code, title, is_confidential, organisation, sector, name_nl, name_en = about
    return CaseUse(
        pk=pk,
        code=code,
        title=title,
        is_confidential=is_confidential,
        organisations={organisation},
        sector=sector,
        sector_name=name_nl if get_language() == "nl" else name_en,
    )


def _folded(cases: Iterable[CaseUse]) -> tuple[list[SectorUse], Use]:
    """Add up by sector where that tells of nobody, and all the rest together.

    What is left over must not be one organisation either: the smallest sectors go with it.
    """
    others = Use()
    found: dict[str, SectorUse] = {}
    for case in cases:
        if case.is_confidential:
            others.add(case)
        else:
            sector = SectorUse(code=case.sector, name=case.sector_name)
            found.setdefault(case.sector, sector).add(case)
    by_size = sorted(found.values(), key=lambda use: (-len(use.organisations), use.code))
    while by_size and (
        len(by_size[-1].organisations) < FEWEST
        or (others.is_some and len(others.organisations) < FEWEST)
    ):
        others.add(by_size.pop())
    return sorted(by_size, key=lambda use: (-use.gpus, use.code)), others
