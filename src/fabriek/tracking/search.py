"""Searching runs: those of somebody's own code and those of the factory in one list.

What a filter names is read of all runs of the experiments and compared here, so that both
kinds and both databases answer alike; all of a run is read only of those that are shown.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast, Length

from fabriek.cases.models import Case
from fabriek.people.models import Person
from fabriek.runs.models import Run
from fabriek.tracking import filters, queries, settling, shapes
from fabriek.tracking.doors import Found, number_of
from fabriek.tracking.filters import Condition, Order, Value
from fabriek.tracking.models import Tracked

SHOWN_MAX = 1_000
NAMES_SHOWN_MAX = 100_000  # of all figures on a page, else an answer would fill the memory
WORDS_SHOWN_MAX = 4 * 2**20  # and of all parameters and tags, in signs as they are kept
ROWS_AT_ONCE = 50  # each may have half a megabyte of words
ACTIVE, DELETED = "ACTIVE_ONLY", "DELETED_ONLY"

Words = dict[str, dict[str, Value]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """Where to look: numbers of experiments, and cases with runs of the factory."""

    experiments: Collection[int] = ()
    cases: Collection[Case] = ()
    runs: Collection[int] = ()  # only these of the cases', such as the one of a job
    seen_by: Person | None = None  # empty: the job itself


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    conditions: Sequence[Condition] = ()
    orders: Sequence[Order] = ()
    view: str = ACTIVE
    first: int = 0
    most: int = SHOWN_MAX

    def names(self, kind: str) -> set[str]:
        """Say which of a kind are named at all: the rest stays in the database."""
        compared = {one.name for one in self.conditions if one.kind == kind}
        return compared | {one.name for one in self.orders if one.kind == kind}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Line:
    pk: int
    is_of_the_factory: bool
    words: Words = field(default_factory=dict)


def search(places: Places, wish: Wish) -> tuple[list[shapes.Json], bool]:
    """Give a page of runs, and whether there are more."""
    lines = [*_tracked(places, wish), *_of_the_factory(places, wish)]
    lines = [line for line in lines if all(one.holds(line.words) for one in wish.conditions)]
    newest = Order(kind="attributes", name="start_time", descending=True)
    for order in reversed([*wish.orders, newest]):
        lines.sort(key=_key(order), reverse=order.descending)
    page = _bearable(lines[wish.first : wish.first + min(wish.most, SHOWN_MAX)])
    return _shown(page), wish.first + len(page) < len(lines)


def _key(order: Order):  # type: ignore[no-untyped-def]  # noqa: ANN202  what `sort` takes
    return lambda line: filters.sort_key(line.words, order)


def _tracked(places: Places, wish: Wish) -> list[_Line]:
    rows = Tracked.objects.filter(experiment__in=places.experiments, run=None)
    if wish.view == ACTIVE:
        rows = rows.filter(deleted_at=None)
    if wish.view == DELETED:
        rows = rows.exclude(deleted_at=None)
    columns = ["pk", "uuid", "name", "status", "started_ms", "ended_ms"]
    wanted = [kind for kind in ("params", "tags") if wish.names(kind)]
    asked = rows.order_by("-pk").values(*columns, *wanted)
    found = [_reduced(row, wish) for row in asked.iterator(chunk_size=ROWS_AT_ONCE)]
    last = _last(wish, [row["pk"] for row in found], of_the_factory=False)
    return [
        _Line(
            pk=row["pk"],
            is_of_the_factory=False,
            words={
                "attributes": {
                    "run_id": row["uuid"],
                    "run_name": row["name"],
                    "status": row["status"],
                    "start_time": float(row["started_ms"]),
                    "end_time": None if row["ended_ms"] is None else float(row["ended_ms"]),
                },
                "params": row.get("params", {}),
                "tags": row.get("tags", {}),
                "metrics": last.get(row["pk"], {}),
            },
        )
        for row in found
    ]


def _reduced(row: dict[str, Any], wish: Wish) -> dict[str, Any]:
    """Keep of the words of a run those that are asked for: there may be thousands of runs."""
    for kind in ("params", "tags"):
        if kind in row:
            row[kind] = {name: row[kind].get(name) for name in wish.names(kind)}
    return row


def _bearable(page: Sequence[_Line]) -> Sequence[_Line]:
    """Cut a page where its runs have too much together; the first is always there.

    Weighed some at a time: of runs behind the cut the database reads nothing.
    """
    names = signs = 0
    for start in range(0, len(page), ROWS_AT_ONCE):
        some = page[start : start + ROWS_AT_ONCE]
        weights = _weights(some)
        for place, line in enumerate(some, start):
            more = weights.get((line.is_of_the_factory, line.pk), (0, 0))
            names, signs = names + more[0], signs + more[1]
            if place and (names > NAMES_SHOWN_MAX or signs > WORDS_SHOWN_MAX):
                return page[:place]
    return page


def _weights(lines: Sequence[_Line]) -> dict[tuple[bool, int], tuple[int, int]]:
    """Tell how many figures each has, and how long its words are, without reading them."""
    own = [line.pk for line in lines if not line.is_of_the_factory]
    theirs = [line.pk for line in lines if line.is_of_the_factory]
    rows = Tracked.objects.filter(Q(pk__in=own) | Q(run__in=theirs))
    signs = _length("params") + _length("tags")
    told = list(rows.values_list("pk", "run", "tally__names", signs))
    waiting = settling.names_waiting([pk for pk, *_rest in told])
    return {
        (run is not None, run or pk): ((names or 0) + len(waiting[pk]), size)
        for pk, run, names, size in told
    }


def _length(words: str) -> Length:
    return Length(Cast(words, TextField()))


def _of_the_factory(places: Places, wish: Wish) -> list[_Line]:
    if wish.view == DELETED or not places.cases:
        return []
    found = list(_runs(places))
    last = _last(wish, [one.pk for one in found], of_the_factory=True)
    return [
        _Line(
            pk=one.pk,
            is_of_the_factory=True,
            words={
                "attributes": {
                    "run_id": number_of(one),
                    "run_name": one.code,
                    "status": shapes.status_of(one.state),
                    "start_time": float(queries.milliseconds(one.started_at or one.asked_at)),
                    "end_time": float(queries.milliseconds(one.ended_at))
                    if one.ended_at
                    else None,
                },
                "params": {**shapes.params_of_the_factory(one)},
                "tags": {**shapes.tags_of_the_factory(one)},
                "metrics": last.get(one.pk, {}),
            },
        )
        for one in found
    ]


def _runs(places: Places) -> QuerySet[Run]:
    rows = Run.objects.filter(case__in=places.cases)
    rows = rows.seen_inside_by(places.seen_by) if places.seen_by else rows
    return rows.filter(pk__in=places.runs) if places.runs else rows


def _last(wish: Wish, keys: list[int], *, of_the_factory: bool) -> dict[int, dict[str, Value]]:
    names = wish.names("metrics")
    if not names:
        return {}
    ask = queries.latest_of_the_factory if of_the_factory else queries.latest
    return {
        pk: {name: point[2] for name, point in found.items()}
        for pk, found in ask(keys, names).items()
    }


def _shown(page: Sequence[_Line]) -> list[shapes.Json]:
    own = [line.pk for line in page if not line.is_of_the_factory]
    theirs = [line.pk for line in page if line.is_of_the_factory]
    tracked = Tracked.objects.in_bulk(own)
    runs = Run.objects.select_related("case").in_bulk(theirs) if theirs else {}
    told = {one.run_id: one for one in Tracked.objects.filter(run__in=theirs)} if theirs else {}
    last = queries.latest([*own, *(one.pk for one in told.values())])
    last_theirs = queries.latest_of_the_factory(theirs) if theirs else {}
    shown = []
    for line in page:
        if line.is_of_the_factory:
            beside = told.get(line.pk)
            figures = last_theirs[line.pk] | (last[beside.pk] if beside else {})
            shown.append(whole(Found(run=runs[line.pk], tracked=beside), figures))
        else:
            shown.append(whole(Found(tracked=tracked[line.pk]), last[line.pk]))
    return shown


def whole(found: Found, last: queries.Latest) -> shapes.Json:
    """Show all of a run: of one of the factory also what its job told beside it."""
    params = dict(found.tracked.params) if found.tracked else {}
    tags = dict(found.tracked.tags) if found.tracked else {}
    if found.run:
        params = shapes.params_of_the_factory(found.run) | params
        tags = tags | shapes.tags_of_the_factory(found.run)
    return shapes.run(found, params=params, tags=tags, last=last)


def one(found: Found) -> shapes.Json:
    last: queries.Latest = {}
    if found.run:
        last |= queries.latest_of_the_factory([found.run.pk])[found.run.pk]
    if found.tracked:
        last |= queries.latest([found.tracked.pk])[found.tracked.pk]
    return whole(found, last)
