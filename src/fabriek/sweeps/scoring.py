"""Note how the runs of a search ended: with a score, or why without."""

from typing import Any

from django.utils import timezone

from fabriek.runs import apart
from fabriek.runs.models import Run
from fabriek.runs.states import UNFINISHED as AT_WORK
from fabriek.runs.states import RunState
from fabriek.sweeps.models import Part, Sweep
from fabriek_recipes.searches import searchable


def note(sweep: Sweep) -> None:
    _narrow(sweep)  # first: what is noted of a run is shown by its search
    rows = Part.objects.filter(trial__sweep=sweep, ended_at=None, run__isnull=False)
    for part in rows.exclude(run__state__in=AT_WORK).select_related("run"):
        if part.run:
            _note_one(sweep, part, part.run)


def _narrow(sweep: Sweep) -> None:
    """Show a search from now on only to those whom all of its runs are meant for.

    An agreement may have been replaced since it began by one that means fewer.
    """
    rows = Run.objects.filter(part__trial__sweep=sweep).exclude(meant_for=sweep.meant_for)
    found = apart.narrowest([sweep.meant_for, *rows.values_list("meant_for", flat=True)])
    if found != sweep.meant_for:
        sweep.meant_for = found
        Sweep.objects.filter(pk=sweep.pk).update(meant_for=found)


def _note_one(sweep: Sweep, part: Part, run: Run) -> None:
    found: dict[str, Any] = {"score": None, "trouble": "", "told": {}}
    if run.state == RunState.SUCCEEDED:
        name = sweep.score or _main_score(run)
        found["score"] = _score(run, name)
        if found["score"] is None:
            never = not _is_told(run, name)
            found |= {"trouble": "no_score", "told": {"scores": _others(run), "never": never}}
        if name and not sweep.score:
            Sweep.objects.filter(pk=sweep.pk, score="").update(score=name)
            sweep.score = name
    else:
        code = str((run.failure or {}).get("code") or run.reason or run.state)
        found |= {"trouble": code[:60], "told": run.failure or {}}
    Part.objects.filter(pk=part.pk, ended_at=None).update(ended_at=timezone.now(), **found)


def _main_score(run: Run) -> str:
    """Find the first of the recipe's scores that this run has."""
    names = searchable()[run.recipe].scores
    return next((name for name in names if _score(run, name) is not None), "")


def _others(run: Run) -> list[str]:
    """Name the scores it does have, by which a search could choose."""
    return [name for name in searchable()[run.recipe].scores if _score(run, name) is not None]


def _is_told(run: Run, name: str) -> bool:
    """Tell whether it told of this score, or of any; of wild settings it may be no number."""
    names = [name] if name else searchable()[run.recipe].scores
    return any({one, f"{one}_after"} & run.scores.keys() for one in names)


def _score(run: Run, name: str) -> float | None:
    found = run.scores.get(f"{name}_after", run.scores.get(name))
    return float(found) if found is not None else None
