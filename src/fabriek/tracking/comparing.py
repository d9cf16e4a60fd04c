"""Two to six runs side by side, of somebody's own code and of the factory alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from fabriek.cases.models import Case
from fabriek.kernel.charts import LineChart, Series, line_chart
from fabriek.runs import queries as run_queries
from fabriek.runs.models import Run
from fabriek.tracking import queries, shapes, show
from fabriek.tracking.doors import KEY, UUID
from fabriek.tracking.models import Tracked
from fabriek.tracking.packing import Drawn
from fabriek.tracking.queries import SeriesLine

FEWEST, MOST = 2, 6
LABEL_MAX = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """One run of the comparison; `label` differs from those of the others."""

    label: str
    url: str
    tracked: Tracked | None
    run: Run | None
    params: Mapping[str, str]
    last: queries.Latest

    def curves(self, names: Sequence[str]) -> Mapping[str, Sequence[Drawn]]:
        found: dict[str, Sequence[Drawn]] = {}
        if self.run:
            found |= run_queries.curves(self.run, *names) if names else {}
        if self.tracked:
            found |= queries.curves(self.tracked, names)
        return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    name: str
    cells: tuple[str, ...]


def chosen(case: Case, numbers: Sequence[str]) -> list[Compared] | None:
    """Find the runs that were named, in that order; None when one is not of this case."""
    numbers = [number for number in numbers if number][:MOST]
    if not all(UUID.fullmatch(number) for number in numbers):
        return None
    keys = [KEY.format(number) for number in numbers]
    own = Tracked.objects.filter(case=case, uuid__in=numbers, run=None)
    runs = list(Run.objects.filter(case=case, key__in=keys).select_related("case"))
    told = {one.run_id: one for one in Tracked.objects.filter(run__in=runs)}
    found = {one.uuid: _of_tracked(one) for one in own}
    found |= {
        one.key.removeprefix(KEY.format("")): _of_run(one, told.get(one.pk)) for one in runs
    }
    if any(number not in found for number in numbers):
        return None
    return _labelled([found[number] for number in numbers])


def page_of(runs: Sequence[Compared], *, q: str, page: str) -> dict[str, object]:
    """Work out the page: curves over each other, what differs, and the last figures."""
    if len(runs) < FEWEST:
        return {"runs": runs, "too_few": True}
    names = sorted({name for one in runs for name in one.last})
    lines = [SeriesLine(name=name, count=0, step=0, value=0.0) for name in names]
    drawn = show.cut(show.named_by(lines, q), page)
    wanted = [one.name for one in drawn.items]
    curves = [one.curves(wanted) for one in runs]
    return {
        "runs": runs,
        "page": drawn,
        "charts": [
            _chart(name, runs, curves)
            for name in wanted
            if any(len(found.get(name, ())) > 1 for found in curves)  # one point is no course
        ],
        "differing": _differing(runs),
        "last": [_last(name, runs) for name in names[: show.NAMES_SHOWN]],
    }


def _of_tracked(one: Tracked) -> Compared:
    queries.settle_what_waits(one)
    return Compared(
        label=str(one)[:LABEL_MAX],
        url=one.get_absolute_url(),
        tracked=one,
        run=None,
        params=one.params,
        last=queries.latest([one.pk])[one.pk],
    )


def _of_run(one: Run, told: Tracked | None) -> Compared:
    last = queries.latest_of_the_factory([one.pk])[one.pk]
    if told:
        queries.settle_what_waits(told)
        last |= queries.latest([told.pk])[told.pk]
    return Compared(
        label=one.code,
        url=one.get_absolute_url(),
        tracked=told,
        run=one,
        params=shapes.params_of_the_factory(one) | (told.params if told else {}),
        last=last,
    )


def _labelled(runs: list[Compared]) -> list[Compared]:
    """Tell runs of the same name apart by their number."""
    names = [one.label for one in runs]
    return [
        one
        if names.count(one.label) == 1 or one.tracked is None
        else Compared(
            label=f"{one.label} ({one.tracked.uuid[:6]})",
            url=one.url,
            tracked=one.tracked,
            run=one.run,
            params=one.params,
            last=one.last,
        )
        for one in runs
    ]


def _chart(
    name: str, runs: Sequence[Compared], curves: Sequence[Mapping[str, Sequence[Drawn]]]
) -> LineChart:
    return line_chart(
        [
            Series(name=one.label, points=found.get(name, []), write=show.figure)
            for one, found in zip(runs, curves, strict=True)
        ],
        x_label=_("step"),
        y_label=name,
        title=_("%(name)s of each run") % {"name": name},
    )


def _differing(runs: Sequence[Compared]) -> list[Row]:
    names = sorted({name for one in runs for name in one.params})
    rows = [
        Row(name=name, cells=tuple(one.params.get(name, "") for one in runs)) for name in names
    ]
    return [row for row in rows if len(set(row.cells)) > 1]


def _last(name: str, runs: Sequence[Compared]) -> Row:
    points = [one.last.get(name) for one in runs]
    return Row(name=name, cells=tuple(show.figure(p[2]) if p else "" for p in points))
