"""What the machine's own accounting says of one run: its wait, its GPU time, its energy."""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from fabriek.kernel import words
from fabriek.kernel.facts import Fact
from fabriek.machine.energy import ESTIMATED
from fabriek.runs.models import Run

JOULES_A_KWH = 3_600_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """All stretches of one run together.

    `waited_s`: from each submission to its start. `energy_j` is None when it is not known of
    one of them; `energy_method` is "estimated" as soon as one of them is.
    """

    stretches: int
    gpu_seconds: int
    waited_s: int
    energy_j: int | None
    energy_method: str


def of(run: Run) -> Usage | None:
    """Add up what was told of a run that is over; None: nothing was told yet."""
    rows = [] if run.is_unfinished else list(run.stretches.order_by("pk"))
    if not rows:
        return None
    waits = [
        max((row.started_at - row.submitted_at).total_seconds(), 0)
        for row in rows
        if row.started_at and row.submitted_at
    ]
    known = [row.energy_j for row in rows if row.energy_j is not None]
    methods = {row.energy_method for row in rows}
    is_known = len(known) == len(rows)
    return Usage(
        stretches=len(rows),
        gpu_seconds=sum(row.gpu_seconds for row in rows),
        waited_s=int(sum(waits)),
        energy_j=sum(known) if is_known else None,
        energy_method=(ESTIMATED if ESTIMATED in methods else min(methods)) if is_known else "",
    )


def facts(run: Run) -> list[Fact]:
    """Say it in words, for the page of the run."""
    usage = of(run)
    if usage is None:
        return []
    rows = [Fact(label=_("GPU time"), value=words.gpu_hours(usage.gpu_seconds))]
    if usage.energy_j is not None:
        kwh = usage.energy_j / JOULES_A_KWH
        how = (
            _("Estimated from what a GPU of this machine draws.")
            if usage.energy_method == ESTIMATED
            else _("Measured by the machine.")
        )
        shown = words.number(kwh, 1 if kwh >= 1 else 3)
        rows.append(Fact(label=_("Energy"), value=_("%(kwh)s kWh") % {"kwh": shown}, help=how))
    return rows
