"""Questions about searches: what stands where, what they spent, who won."""

from dataclasses import dataclass, field

from django.db.models import Q, QuerySet

from fabriek.cases.models import Case
from fabriek.kernel import text
from fabriek.people.models import Person
from fabriek.runs.models import Run
from fabriek.runs.states import RunState
from fabriek.sweeps import halving
from fabriek.sweeps.models import Part, Sweep, SweepInput, Trial
from fabriek.sweeps.states import UNFINISHED
from fabriek_recipes.searches import is_lower_better


@dataclass(frozen=True, kw_only=True, slots=True)
class Board:
    """A search with all its trials, read at once; `parts` by trial and round."""

    sweep: Sweep
    trials: dict[int, Trial]
    parts: dict[tuple[int, int], Part] = field(default_factory=dict)

    @property
    def standing(self) -> halving.Standing:
        planned = halving.rounds(self.sweep.trials_wanted, self.sweep.halving)
        results: list[dict[int, halving.Result]] = [{} for _round in planned]
        for (number, place), part in sorted(self.parts.items()):
            is_over = part.ended_at is not None
            results[place][number] = halving.Result(is_over=is_over, score=part.score)
        return halving.Standing(
            rounds=planned,
            results=results,
            halving=self.sweep.halving,
            is_lower_better=is_lower_better(self.sweep.score),
            is_full=self.sweep.is_full,
        )

    @property
    def committed(self) -> int:
        """Give the GPU-seconds that are used, held or promised."""
        return sum(map(committed_to, self.parts.values()))

    @property
    def living(self) -> int:
        """Count what is at work, or promised."""
        return sum(part.ended_at is None for part in self.parts.values())

    @property
    def spent(self) -> int:
        """Give the GPU-seconds of what is over."""
        runs = (part.run for part in self.parts.values())
        return sum(run.gpu_seconds_used or 0 for run in runs if run)

    @property
    def best(self) -> Part | None:
        """Give the part of the winner by which it won."""
        found = halving.best(self.standing)
        return self.parts[found[1], found[0]] if found else None

    def latest(self, number: int) -> Part:
        return max(
            (part for (one, _place), part in self.parts.items() if one == number),
            key=lambda part: part.round,
        )


def committed_to(part: Part) -> int:
    """Give what counts against the budget: the bill, or what may still become one."""
    if part.run is None:
        return 0 if part.ended_at else part.gpu_seconds_promised
    used, held = part.run.gpu_seconds_used, part.run.gpu_seconds_held
    if part.run.state == RunState.LOST:
        return max(used or 0, held)  # it may still turn up, with a bill
    return held if used is None else used


def board(sweep: Sweep) -> Board:
    trials = {one.pk: one for one in sweep.trials.order_by("number")}
    rows = Part.objects.filter(trial__sweep=sweep).select_related("run")
    parts = {}
    for part in rows.defer("run__warnings", "run__knobs", "run__measured"):
        part.trial = trials[part.trial_id]
        parts[part.trial.number, part.round] = part
    return Board(sweep=sweep, trials={one.number: one for one in trials.values()}, parts=parts)


def with_facts(sweeps: QuerySet[Sweep]) -> QuerySet[Sweep]:
    return sweeps.select_related(
        "case__organisation", "allocation", "asked_by", "runs_as", "stopped_by", "winner_run"
    )


def listing(person: Person, *, case: str = "") -> QuerySet[Sweep]:
    """List the searches this person may see, newest first."""
    rows = Sweep.objects.visible_to(person).select_related("case__organisation")
    if case:
        rows = rows.filter(case__code=text.sought(case))
    return rows.order_by("-asked_at", "-pk")


def at_work() -> QuerySet[Sweep]:
    """Find those in which a pass may have something to do, oldest first."""
    open_or_untidy = Q(state__in=UNFINISHED) | Q(tidied_at=None)
    return with_facts(Sweep.objects.filter(open_or_untidy)).order_by("pk")


def of_trial(run: Run) -> Part | None:
    """Find the part that a run is, with its search."""
    rows = Part.objects.filter(run=run).select_related("trial__sweep__case")
    return rows.first()


def won_by(run: Run) -> tuple[Sweep, int] | None:
    """Find the search whose winner a run trains, and how many trials had a score."""
    sweep = Sweep.objects.filter(winner_run=run).first()
    if sweep is None:
        return None
    scored = sweep.trials.filter(parts__score__isnull=False).distinct().count()
    return sweep, scored


def inputs_of(sweep: Sweep) -> QuerySet[SweepInput]:
    return sweep.inputs.select_related("revision__repository").order_by("pk")


def unfinished_in(case: Case) -> str:
    """Give the code of a search of this case that goes on or stands still; empty for none."""
    rows = Sweep.objects.filter(case=case, state__in=UNFINISHED).order_by("pk")
    return rows.values_list("code", flat=True).first() or ""
