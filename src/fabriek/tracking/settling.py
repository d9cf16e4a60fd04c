"""Figures that arrived are put where they belong: into the blocks of their series.

Done by the call that makes too many wait, and before somebody reads. Repeating it does no
harm, and so does a program that sends the same figures again: each point is kept once.
"""

import json
from collections.abc import Collection, Iterable, Mapping

from django.db import transaction
from django.db.models import F

from fabriek.tracking import packing
from fabriek.tracking.models import Arrival, Block, Series, Tally
from fabriek.tracking.packing import BLOCK_POINTS, Points

# A point that came before is looked for in so many blocks around it; whoever sends hundreds of
# thousands of figures of one step at one moment again has them twice.
BLOCKS_LOOKED_THROUGH = 16
NAMES_AT_ONCE = 5_000


@transaction.atomic
def settle(tracked: int) -> None:
    """Move all that waits. One at a time for each run: the row of its tally is held."""
    tally = Tally.objects.select_for_update().get(pk=tracked)
    arrivals = list(Arrival.objects.filter(tracked=tracked).order_by("pk"))
    if not arrivals:
        return
    grouped = _grouped(arrivals)
    known = {one.name: one for one in _known(tracked, grouped)}
    fresh = _fresh(grouped, known)
    added = len(fresh.keys() - known.keys())
    _keep(tracked, fresh, known)
    Arrival.objects.filter(pk__in=[one.pk for one in arrivals]).delete()
    twice = sum(map(len, grouped.values())) - sum(map(len, fresh.values()))
    Tally.objects.filter(pk=tally.pk).update(
        names=F("names") + added,
        points=F("points") - twice,
        arrivals_waiting=0,
        points_waiting=0,
        names_waiting=0,
    )


def names_waiting(tracked: Collection[int]) -> dict[int, set[str]]:
    """Name what waits of each run, known and new names alike, without reading the figures."""
    found: dict[int, set[str]] = {pk: set() for pk in tracked}
    waiting = Arrival.objects.filter(tracked__in=tracked).values_list("tracked", "names")
    for pk, names in waiting.distinct().iterator():  # most calls of a program bring the same
        found[pk].update(name for name, _count in json.loads(names))
    return found


def groups_of(arrival: Arrival) -> Iterable[tuple[str, Points]]:
    points, at = packing.unpack(arrival.data), 0
    for name, count in json.loads(arrival.names):
        yield name, points[at : at + count]
        at += count


def _grouped(arrivals: Iterable[Arrival]) -> dict[str, Points]:
    grouped: dict[str, Points] = {}
    for arrival in arrivals:
        for name, points in groups_of(arrival):
            grouped.setdefault(name, Points()).extend(points)
    return grouped


def _known(tracked: int, grouped: Mapping[str, Points]) -> Iterable[Series]:
    names = list(grouped)
    for start in range(0, len(names), NAMES_AT_ONCE):
        some = names[start : start + NAMES_AT_ONCE]
        yield from Series.objects.filter(tracked=tracked, name__in=some)


def _fresh(grouped: Mapping[str, Points], known: Mapping[str, Series]) -> dict[str, Points]:
    """Leave out each point that is there already, in what arrived or in the blocks."""
    fresh: dict[str, Points] = {}
    for name, points in grouped.items():
        series = known.get(name)
        if _only_rises(points) and (series is None or points.steps[0] > series.step_max):
            fresh[name] = points  # as a program that learns tells them
            continue
        there = _near(series, points) if series else set()
        new = Points()
        for key, point in zip(points.keys(), points, strict=True):
            if key not in there:
                there.add(key)
                new.add(*point)
        if new:
            fresh[name] = new
    return fresh


def _only_rises(points: Points) -> bool:
    steps = points.steps
    return all(steps[at] < steps[at + 1] for at in range(len(steps) - 1))


def _near(series: Series, points: Points) -> set[tuple[int, int, bytes]]:
    blocks = Block.objects.filter(
        series=series,
        step_max__gte=min(points.steps),
        step_min__lte=max(points.steps),
        at_max__gte=min(points.ats),
        at_min__lte=max(points.ats),
    )
    found: set[tuple[int, int, bytes]] = set()
    newest = blocks.order_by("-number").values_list("data", flat=True)
    for data in newest[:BLOCKS_LOOKED_THROUGH]:
        found.update(packing.unpack(data).keys())
    return found


def _keep(tracked: int, fresh: Mapping[str, Points], known: Mapping[str, Series]) -> None:
    tails = _tails(known[name] for name in fresh if name in known)
    series = [_grown(tracked, name, points, known.get(name)) for name, points in fresh.items()]
    kept = Series.objects.bulk_create(
        series,
        update_conflicts=True,
        unique_fields=["tracked", "name"],
        update_fields=["count", "step_max", "latest"],
    )
    blocks = [
        block for one in kept for block in _blocks(one, tails.get(one.name), fresh[one.name])
    ]
    Block.objects.bulk_create(
        blocks,
        update_conflicts=True,
        unique_fields=["series", "number"],
        update_fields=["step_min", "step_max", "at_min", "at_max", "summary", "data"],
    )


def _tails(series: Iterable[Series]) -> dict[str, Points]:
    """Read the last block of each series, where that is not full."""
    open_ones = {one.pk: one for one in series if one.count % BLOCK_POINTS}
    numbers = {one.count // BLOCK_POINTS for one in open_ones.values()}
    rows = Block.objects.filter(series__in=open_ones, number__in=numbers)
    tails = {}
    for pk, number, data in rows.values_list("series", "number", "data"):
        one = open_ones[pk]
        if number == one.count // BLOCK_POINTS:
            tails[one.name] = packing.unpack(data)
    return tails


def _grown(tracked: int, name: str, points: Points, known: Series | None) -> Series:
    newest = packing.latest(points)
    if known:
        newest = max(packing.unpack_point(known.latest), newest, key=packing.order)
    return Series(
        tracked_id=tracked,
        name=name,
        count=(known.count if known else 0) + len(points),
        step_max=newest[0],
        latest=packing.pack_point(newest),
    )


def _blocks(series: Series, tail: Points | None, fresh: Points) -> Iterable[Block]:
    points = Points()
    if tail:
        points.extend(tail)
    points.extend(fresh)
    first = (series.count - len(points)) // BLOCK_POINTS
    for place, start in enumerate(range(0, len(points), BLOCK_POINTS)):
        part = points[start : start + BLOCK_POINTS]
        yield Block(
            series=series,
            number=first + place,
            step_min=min(part.steps),
            step_max=max(part.steps),
            at_min=min(part.ats),
            at_max=max(part.ats),
            summary=packing.summary(part) if len(part) == BLOCK_POINTS else b"",
            data=part.pack(),
        )
