"""Two to six runs side by side, of somebody's own code and of the factory alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from django.utils.translation import gettext as _

from fabriek.cases.models import Case
from fabriek.kernel.charts import LineChart, Series, line_chart
from fabriek.people.models import Person
from fabriek.runs import offers
from fabriek.runs import queries as run_queries
from fabriek.runs.models import Run
from fabriek.runs.offers import Knob
from fabriek.runs.show import recipe_title
from fabriek.runs.words import METRICS, metric_name
from fabriek.tracking import queries, shapes, show
from fabriek.tracking.doors import KEY, UUID
from fabriek.tracking.models import Tracked
from fabriek.tracking.packing import Drawn
from fabriek.tracking.queries import SeriesLine

FEWEST, MOST = 2, 6
LABEL_MAX = 60


@dataclass(frozen=True, kw_only=True)  # no slots: its knobs are worked out once
class Compared:
    """One run of the comparison; `label` differs from those of the others."""

    label: str
    url: str
    tracked: Tracked | None
    run: Run | None
    params: Mapping[str, str]
    last: queries.Latest

    @cached_property
    def knobs(self) -> Mapping[str, tuple[Knob, str]]:
        """Give the settings of a run of the factory as people read them, by their names."""
        if self.run is None:
            return {}
        chosen = offers.chosen(self.run.recipe, self.run.knobs)
        return {knob.name: (knob, knob.said_with_unit(value)) for knob, value in chosen}

    @property
    def kind(self) -> str:
        """Say what made it: the title of a recipe, or own code."""
        return recipe_title(self.run) if self.run else _("Own code")

    def said(self, name: str) -> str:
        """Say what it was set to; nothing where it has no such setting."""
        return self.knobs[name][1] if name in self.knobs else self.params.get(name, "")

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
    runs: tuple[str, ...]

    @property
    def labelled(self) -> list[tuple[str, str]]:
        """Give each cell with the run it is of, for screens on which a row is a card."""
        return list(zip(self.runs, self.cells, strict=True))


def chosen(case: Case, numbers: Sequence[str], *, by: Person) -> list[Compared] | None:
    """Find the runs that were named, in that order; None when one is not of this case."""
    numbers = [number for number in numbers if number][:MOST]
    if not all(UUID.fullmatch(number) for number in numbers):
        return None
    keys = [KEY.format(number) for number in numbers]
    own = Tracked.objects.filter(case=case, uuid__in=numbers, run=None)
    theirs = Run.objects.seen_inside_by(by).filter(case=case, key__in=keys)
    runs = list(theirs.select_related("case"))
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
    names = sorted({name for one in runs for name in one.last}, key=_loss_first)
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


def _loss_first(name: str) -> tuple[bool, bool, str]:
    return name != "loss", "loss" not in name, name


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
        y_label=_metric(name, runs),
        title=_("%(name)s of each run") % {"name": name}
        if (said := _metric(name, runs)) == name
        else said,
    )


def _metric(name: str, runs: Sequence[Compared]) -> str:
    """Name a figure for people where only the factory's own runs have it."""
    ours = all(one.run and not one.tracked for one in runs)
    return metric_name(name) if ours and name in METRICS else name


def _differing(runs: Sequence[Compared]) -> list[Row]:
    names = sorted({name for one in runs for name in one.params})
    labels = tuple(one.label for one in runs)
    rows = [Row(name=_("Recipe"), cells=tuple(one.kind for one in runs), runs=labels)]
    rows += [
        Row(name=_setting(name, runs), cells=tuple(one.said(name) for one in runs), runs=labels)
        for name in names
    ]
    return [row for row in rows if len(set(row.cells)) > 1]


def _setting(name: str, runs: Sequence[Compared]) -> str:
    """Name a setting by its title where all who have it call it so."""
    titles = {
        one.knobs[name][0].title if name in one.knobs else name
        for one in runs
        if name in one.params
    }
    return titles.pop() if len(titles) == 1 else name


def _last(name: str, runs: Sequence[Compared]) -> Row:
    points = [one.last.get(name) for one in runs]
    cells = tuple(show.figure(point[2]) if point else "" for point in points)
    return Row(name=_metric(name, runs), cells=cells, runs=tuple(one.label for one in runs))
