"""What a run worked on: laid out for it or fetched, by it and by those it goes on from."""

from collections.abc import Collection, Iterable, Iterator

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from fabriek.agreements.policy import Moment
from fabriek.agreements.traces import Decided
from fabriek.runs.models import Run, RunInput
from fabriek.store.models import Repository


def line_of(run: Run) -> Iterator[Run]:
    """Give the run, the one that it goes on with, and so on."""
    seen = set()
    one: Run | None = run
    while one is not None and one.pk not in seen:
        seen.add(one.pk)
        yield one
        one = one.continues


def gpu_seconds_used(run: Run) -> int:
    """Add up what a run and those that it goes on from used: all of that made what it made."""
    return sum(one.gpu_seconds_used or 0 for one in line_of(run))


def is_counted(run: Run) -> str:
    """Say of a figure that it is that of the whole line, where there is one."""
    return _("Together with the runs that it goes on from.") if run.continues_id else ""


def inputs_of(run: Run) -> list[RunInput]:
    """Give what a run works on, and what those worked on whose files it begins with."""
    chain = list(line_of(run))
    rows = RunInput.objects.filter(run__in=chain)
    return list(rows.select_related("revision__repository__case").order_by("pk"))


def fetched_by(run: Run) -> list[tuple[Repository, int | None]]:
    """Give what this line of runs read by its keys, and of which revision: the log knows."""
    rows = _read_by(list(line_of(run))).select_related("repository__case")
    return list(dict.fromkeys((row.repository, row.revision) for row in rows.order_by("pk")))


def worked_on(run: Run) -> list[tuple[Repository, int | None]]:
    """Give all that a run may have copies of, laid out or fetched, and of which revision."""
    laid_out = [(row.revision.repository, row.revision.number) for row in inputs_of(run)]
    return list(dict.fromkeys([*laid_out, *fetched_by(run)]))


def with_data(runs: Collection[Run]) -> set[Run]:
    """Keep those that may have copies of something, asked of all of them at once."""
    laid_out = RunInput.objects.filter(run__in=runs).values_list("run", flat=True)
    found, fetched = set(laid_out), set(_read_by(runs).values_list("run", flat=True))
    return {run for run in runs if run.continues_id or run.pk in found or run.code in fetched}


def terms_of(run: Run) -> tuple[set[int], set[int]]:
    """Give the keys of the agreements by which the run read, and of all that it read.

    Laid out for it, or fetched while it ran: what it made descends from these.
    """
    line = list(line_of(run))
    rows = RunInput.objects.filter(run__in=line)
    read = _read_by(line)
    agreements = {*rows.values_list("agreement", flat=True)}
    agreements |= {*read.values_list("agreement", flat=True)}
    sources = {*rows.values_list("revision__repository", flat=True)}
    sources |= {*read.values_list("repository", flat=True)}
    return {key for key in agreements if key is not None}, sources


def _read_by(line: Iterable[Run]) -> QuerySet[Decided]:
    codes = [one.code for one in line]
    return Decided.objects.filter(run__in=codes, moment=Moment.READ, allowed=True)
