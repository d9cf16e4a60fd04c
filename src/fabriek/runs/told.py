"""What programs are told of a run from inside: its settings and what it measured."""

from typing import Any

from fabriek.people.models import Person
from fabriek.runs import energy, folders, inputs, kept, mending, queries, saved, show
from fabriek.runs.models import Run


def figures(run: Run, person: Person) -> dict[str, Any]:
    drawn = energy.used(run)
    mend = mending.proposed(run)
    return {
        "failure_code": str((run.failure or {}).get("code", "")),
        "mending": {**mend.changes, **mend.places} if mend else {},
        "checkpoints": kept.checkpoints(folders.place(run)),
        "measured": run.measured,
        "answers": saved.to_programs(run),
        "energy_wh": drawn.watt_hours if drawn else None,
        "energy_method": drawn.method if drawn else "",
        "knobs": run.knobs,
        "inputs": inputs.references(run, person),
        "seed": run.seed,
        "stage": run.stage,
        "progress_done": run.progress_done,
        "progress_total": run.progress_total,
        "percent": queries.percent_done(run),
        "seconds_left": queries.seconds_left(run),
        "scores": run.scores,
        "warnings": show.warnings(run, person),
    }
