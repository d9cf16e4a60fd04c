"""Questions about tracked runs: their last figures, their curves, and all of a figure."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import itemgetter

from django.db import connection
from django.db.models import F, Max, QuerySet, Sum, Window
from django.db.models.functions import Collate

from fabriek.cases.models import Case
from fabriek.people.models import Person
from fabriek.runs.models import Metric, Run
from fabriek.tracking import packing, settling
from fabriek.tracking.models import Arrival, Artifact, Block, Series, Tally, Tracked
from fabriek.tracking.packing import BLOCK_POINTS, Drawn, Point

# A curve of no more blocks than this is drawn from all of its points.
BLOCKS_DRAWN_WHOLE = 2
ROWS_AT_ONCE = 5_000

Latest = dict[str, Point]


def latest(tracked: Collection[int], names: Collection[str] = ()) -> dict[int, Latest]:
    """Give the last figure of each name, of several runs, with two queries.

    What waits is looked at first: what is moved meanwhile is then seen twice, not missed.
    """
    found: dict[int, Latest] = {pk: {} for pk in tracked}
    for arrival in Arrival.objects.filter(tracked__in=tracked).order_by("pk").iterator():
        for name, points in settling.groups_of(arrival):
            _better(found[arrival.tracked_id], name, packing.latest(points))
    rows = Series.objects.filter(tracked__in=tracked)
    rows = rows.filter(name__in=names) if names else rows
    for pk, name, point in rows.values_list("tracked", "name", "latest"):
        _better(found[pk], name, packing.unpack_point(point))
    return found


def _better(found: Latest, name: str, point: Point) -> None:
    found[name] = max(found.get(name, point), point, key=packing.order)


def latest_of_the_factory(
    runs: Collection[int], names: Collection[str] = ()
) -> dict[int, Latest]:
    """Give the same of runs of the factory, which keep their figures in rows."""
    found: dict[int, Latest] = {pk: {} for pk in runs}
    rows = Metric.objects.filter(run__in=runs)
    rows = rows.filter(name__in=names) if names else rows
    rows = rows.annotate(newest=Window(Max("step"), partition_by=["run", "name"]))
    newest = rows.filter(step=F("newest")).values_list("run", "name", "step", "at", "value")
    for pk, name, step, at, value in newest:
        found[pk][name] = (step, milliseconds(at), value)
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class SeriesLine:
    """A figure of a run: how often it was told, and its last value."""

    name: str
    count: int
    step: int
    value: float


def series_of(tracked: Tracked) -> list[SeriesLine]:
    """List the figures of a run by name. What waits is put in its place first."""
    settle_what_waits(tracked)
    rows = Series.objects.filter(tracked=tracked).order_by("name")
    return [_line(*row) for row in rows.values_list("name", "count", "latest")]


def _line(name: str, count: int, latest: bytes | memoryview) -> SeriesLine:
    step, _at, value = packing.unpack_point(latest)
    return SeriesLine(name=name, count=count, step=step, value=value)


def settle_what_waits(tracked: Tracked) -> None:
    if Tally.objects.filter(pk=tracked.pk, arrivals_waiting__gt=0).exists():
        settling.settle(tracked.pk)


def curves(tracked: Tracked, names: Collection[str]) -> dict[str, list[Drawn]]:
    """Give what shapes each curve: of many points the extremes of each 256, and the last ones.

    Three queries, however many points there are. What waits is not among them. By step: calls
    of a program that logs beside its work overtake each other.
    """
    series = {one.pk: one for one in Series.objects.filter(tracked=tracked, name__in=names)}
    found: dict[str, list[Drawn]] = {one.name: [] for one in series.values()}
    short = [pk for pk, one in series.items() if one.count <= BLOCKS_DRAWN_WHOLE * BLOCK_POINTS]
    blocks = Block.objects.filter(series__in=series).order_by("series", "number")
    full = blocks.exclude(series__in=short).exclude(summary=b"")
    for pk, summary in full.values_list("series", "summary"):
        found[series[pk].name] += packing.drawn(summary)
    whole = blocks.filter(series__in=short) | blocks.filter(pk__in=_open(series, short))
    for pk, data in whole.values_list("series", "data"):
        points = packing.unpack(data)
        found[series[pk].name] += zip(points.steps, points.values, strict=True)
    for drawn in found.values():
        drawn.sort(key=itemgetter(0))
    return found


def _open(series: dict[int, Series], short: list[int]) -> list[int]:
    """Name the last block of each long series, where that is not full."""
    numbers = {
        pk: one.count // BLOCK_POINTS for pk, one in series.items() if pk not in set(short)
    }
    rows = Block.objects.filter(series__in=numbers, number__in=set(numbers.values()))
    return [
        block
        for block, pk, number in rows.values_list("pk", "series", "number")
        if numbers[pk] == number
    ]


def history_of_the_factory(
    run: Run, name: str, *, first: int = 0, most: int | None = None
) -> Iterator[Point]:
    rows = Metric.objects.filter(run=run, name=name).order_by("step")
    told = rows.values_list("step", "at", "value")
    told = told[first:] if most is None else told[first : first + most]
    for step, at, value in told.iterator(chunk_size=ROWS_AT_ONCE):
        yield step, milliseconds(at), value


def tracked_of(case: Case) -> QuerySet[Tracked]:
    """List the runs of a case that were not deleted, newest first."""
    rows = Tracked.objects.filter(case=case, deleted_at=None, run=None)
    rows = rows.select_related("experiment", "made_by").defer("params", "tags")
    return rows.order_by("-started_ms", "-pk")


def runs_to_compare(
    case: Case, person: Person, *, newest: int, also: Sequence[str]
) -> list[Run]:
    """Give the newest runs of the factory for a case, and older ones that were named by key."""
    rows = runs_of(case, person)
    found = list(rows[:newest])
    wanted = [key for key in also if key not in {one.key for one in found}]
    return [*found, *rows.filter(key__in=wanted)] if wanted else found


def runs_of(case: Case, person: Person) -> QuerySet[Run]:
    """List the runs of the factory for a case, newest first, with what a list shows."""
    rows = Run.objects.seen_inside_by(person).filter(case=case).order_by("-asked_at", "-pk")
    return rows.only("key", "code", "recipe", "state", "reason", "asked_at")


def artifacts_of(tracked: Tracked, path: str = "") -> QuerySet[Artifact]:
    """List the files of a run below a folder."""
    rows = Artifact.objects.filter(tracked=tracked).order_by("path")
    return below(rows, path) if path else rows


def below(rows: QuerySet[Artifact], folder: str) -> QuerySet[Artifact]:
    """Keep what begins with the folder and a `/`: the sign after that one is `0`.

    By comparing, for SQLite takes `LIKE 'models/%'` to mean `Models/` too.
    """
    key = Collate(F("path"), "C") if connection.vendor == "postgresql" else F("path")
    return rows.alias(key=key).filter(key__gt=f"{folder}/", key__lt=f"{folder}0")


def bytes_of(case: Case) -> int:
    """Tell how much the files of all runs of a case take."""
    rows = Artifact.objects.filter(tracked__case=case)
    return rows.aggregate(together=Sum("size_bytes"))["together"] or 0


def points_of(case: Case) -> int:
    """Tell how many figures all runs of a case have."""
    rows = Tally.objects.filter(tracked__case=case)
    return rows.aggregate(together=Sum("points"))["together"] or 0


def files_below(paths: Iterable[tuple[str, int]], folder: str) -> dict[str, int | None]:
    """Name what stands right below a folder: a file with its size, a folder without."""
    found: dict[str, int | None] = {}
    skip = len(folder) + 1 if folder else 0
    for path, size_bytes in paths:
        name, slash, _rest = path[skip:].partition("/")
        found[name] = None if slash else size_bytes
    return found


def milliseconds(at: datetime | None) -> int:
    return int(at.astimezone(UTC).timestamp() * 1000) if at else 0
