"""Questions about runs: lists, curves, how long still, and who may pay for the next."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from django.db.models import Count, F, Q, QuerySet, Window
from django.db.models.expressions import OrderBy
from django.db.models.functions import RowNumber
from django.utils import timezone

from fabriek.allocations import queries as allocation_queries
from fabriek.allocations.models import Allocation
from fabriek.cases.models import Case
from fabriek.cases.states import CaseState
from fabriek.kernel import text
from fabriek.kernel.paging import Paged, addresses, paginate
from fabriek.people.models import Person
from fabriek.runs import left
from fabriek.runs.models import CODE_LETTER, Metric, Run, RunInput
from fabriek.runs.states import RunState, said

SORTS = {
    "code": "code",
    "case": "case__code",
    "state": "state",
    "asked": "asked_at",
    "used": "gpu_seconds_used",
}
# What a page shows of each in a list, in the order of `RunLine`.
SHOWN = (
    "code",
    "recipe",
    "case__code",
    "case__organisation__name",
    "state",
    "reason",
    "queue_position",
    "waiting_reason",
    "starts_expected_at",
    "asked_at",
    "gpu_seconds_used",
)
# What the page of one run shows: all of the run, and names of what stands around it.
RUN = tuple(field.name for field in Run._meta.concrete_fields)
AROUND = ("case", "allocation", "asked_by", "continues")
NAMES = (
    "case__code",
    "case__title",
    "case__state",
    "case__organisation",
    "allocation__account",
    "asked_by__name",
    "asked_by__email",
    "continues__code",
)
CURVE_POINTS = 300
# Below this the pace says more about the start than about the work.
PACE_AFTER = timedelta(seconds=3)

Point = tuple[int, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class RunLine:
    """A run as a list shows it."""

    code: str
    recipe: str
    case_code: str
    organisation: str
    state: RunState
    state_said: str
    queue_position: int | None
    waiting_reason: str
    starts_expected_at: datetime | None
    asked_at: datetime
    gpu_seconds_used: int | None

    @property
    def url(self) -> str:
        return addresses("runs:detail")(self.code)

    @property
    def case_url(self) -> str:
        return addresses("cases:detail")(self.case_code)


def with_facts(runs: QuerySet[Run]) -> QuerySet[Run]:
    """Bring along all that the page of a run shows."""
    return runs.select_related("case__organisation", "allocation", "asked_by", "continues")


def for_page(runs: QuerySet[Run]) -> QuerySet[Run]:
    """Bring along what looking at a run takes: of what stands around it, no more than names."""
    return runs.select_related(*AROUND).only(*RUN, *NAMES)


def listing(
    person: Person, *, q: str = "", state: str = "", case: str = "", sort: str = ""
) -> QuerySet[Run]:
    """List the runs this person may see; an unknown state or order is left aside.

    `q` is the beginning of a run's or a case's code, or the key by which the ledger knows it.
    """
    runs = _visible(person)
    if q := text.sought(q, most=60).upper():
        runs = runs.filter(_named(q))
    if case:
        runs = runs.filter(case__code=text.sought(case))
    if state in RunState.values:
        runs = runs.filter(state=state)
    return runs.order_by(*_order(sort))


def _named(q: str) -> Q:
    """Ask for one thing only: of two, an index is no help among 100,000 runs."""
    if q.startswith("FABRIEK-"):
        return Q(key=q.lower())
    if q.startswith(CODE_LETTER):
        return Q(code__startswith=q)
    return Q(case__in=Case.objects.filter(code__startswith=q).values("pk"))


def page_of(runs: QuerySet[Run], page: str) -> Paged[RunLine]:
    """Cut one page out of a list; a run has thirty more columns, which stay where they are."""
    found = paginate(runs.values_list(*SHOWN), page, counted=runs)
    lines = [
        RunLine(
            code=code,
            recipe=recipe,
            case_code=case,
            organisation=firm,
            state=RunState(state),
            state_said=said(state, why),
            queue_position=place,
            waiting_reason=waits,
            starts_expected_at=starts,
            asked_at=at,
            gpu_seconds_used=used,
        )
        for code, recipe, case, firm, state, why, place, waits, starts, at, used in found.items
    ]
    return Paged(items=lines, count=found.count, page=found.page, size=found.size)


def _visible(person: Person) -> QuerySet[Run]:
    """Do what `visible_to` does, with the cases of a person named one by one.

    They are few, and then their own index is used: of 100,000 runs only theirs are read.
    """
    if person.sees_all_cases:
        return Run.objects.visible_to(person)
    cases = Case.objects.visible_to(person).values_list("pk", flat=True)
    return Run.objects.filter(case__in=list(cases))


def _order(sort: str) -> list[str | OrderBy]:
    column = SORTS.get(sort.removeprefix("-"))
    if column is None:
        return ["-asked_at", "-pk"]
    by = F(column)
    # Databases differ on where a run without a bill goes: here it goes last.
    down = sort.startswith("-")
    order = by.desc(nulls_last=True) if down else by.asc(nulls_last=True)
    plain = f"-{column}" if down else column
    return [order if column == "gpu_seconds_used" else plain, "-pk"]


def curves(run: Run, *names: str, also: Collection[str] = ()) -> dict[str, list[Point]]:
    """Give at most some 300 points of each figure, evenly chosen, with the last one.

    Without names: of every loss, and of what is named in `also`.
    """
    rows = Metric.objects.filter(run=run).order_by("name", "step")
    wanted = Q(name__in=names) if names else Q(name__contains="loss") | Q(name__in=also)
    rows = rows.filter(wanted)
    # Most runs have so few in all that there is nothing to choose, and are read at once.
    few = list(rows.values_list("name", "step", "value")[: CURVE_POINTS + 1])
    chosen = few if len(few) <= CURVE_POINTS else _evenly_chosen(rows)
    found: dict[str, list[Point]] = {}
    for name, step, value in chosen:
        found.setdefault(name, []).append((step, value))
    return found


def _evenly_chosen(rows: QuerySet[Metric]) -> Iterable[tuple[str, int, float]]:
    place = Window(RowNumber(), partition_by=["name"], order_by="step")
    rows = rows.annotate(place=place, of=Window(Count("pk"), partition_by=["name"]))
    every = (F("of") + CURVE_POINTS - 1) / CURVE_POINTS
    chosen = rows.annotate(rest=F("place") % every).filter(Q(rest=0) | Q(place=F("of")))
    return chosen.values_list("name", "step", "value")


def metric_names(run: Run) -> list[str]:
    names = Metric.objects.filter(run=run).order_by("name").values_list("name", flat=True)
    return list(names.distinct())


def percent_done(run: Run) -> float | None:
    """How far the present stage is; None when the recipe did not say."""
    if not run.progress_total:
        return None
    return min(100.0, 100 * run.progress_done / run.progress_total)


def seconds_left(run: Run) -> int | None:
    """How long the present stage still takes at its pace so far; None when nobody can tell."""
    if not (run.stage_at and run.progress_at and 0 < run.progress_done < run.progress_total):
        return None
    took = run.progress_at - run.stage_at
    begun = left.begun_at(run)
    if took < PACE_AFTER or begun is None or begun >= run.progress_done:
        return None
    to_do = run.progress_total - run.progress_done
    left_s = took.total_seconds() * to_do / (run.progress_done - begun)
    since_s = max(0.0, (timezone.now() - run.progress_at).total_seconds())
    return max(1, ceil(left_s - since_s))


def inputs_of(run: Run) -> QuerySet[RunInput]:
    """Name what the run works on, and no more of it, in the order in which it was given."""
    rows = run.inputs.select_related("revision__repository").order_by("pk")
    return rows.only(
        "run",
        "name",
        "revision__number",
        "revision__repository__case",
        "revision__repository__code",
        "revision__repository__is_open",
        "revision__repository__kind",
        "revision__repository__title",
    )


def allocations_of(case: Case) -> QuerySet[Allocation]:
    """GPU time of the case that can be used today, the one that ends first at the front."""
    today = timezone.localdate()
    open_now = allocation_queries.with_time_left().filter(
        case=case, starts_on__lte=today, ends_on__gte=today
    )
    return open_now.select_related("case__organisation").order_by("ends_on", "pk")


def cases_to_run_for(person: Person) -> QuerySet[Case]:
    """Open cases of this person's consortia, newest first."""
    ours = Case.objects.taken_part_in_by(person).filter(state=CaseState.OPEN)
    return ours.select_related("organisation").order_by("-created_at", "-pk")
