"""What runs drew from the grid: as the machine measured it, or else as the run itself tells."""

from django.utils.translation import gettext as _

from fabriek.machine import usage
from fabriek.machine.energy import ESTIMATED
from fabriek.machine.models import Stretch
from fabriek.runs import energy, lineage
from fabriek.runs.energy import JOULES_PER_WH, Energy
from fabriek.runs.models import Run


def of(run: Run) -> Energy | None:
    """Say what a run drew; the machine's own measure counts what is around the GPUs too."""
    told = usage.of(run)
    if told and told.energy_j is not None and told.energy_method != ESTIMATED:
        return _measured(told.energy_j)
    return energy.used(run)


def of_line(run: Run) -> Energy | None:
    """Say what a run drew, with those that it goes on from: that is what its model took."""
    found = [drew for one in lineage.line_of(run) if (drew := of(one))]
    if not found:
        return None
    methods = dict.fromkeys(one.method for one in found)
    said = [*methods, lineage.is_counted(run)]
    return Energy(
        watt_hours=sum(one.watt_hours for one in found), method=" ".join(filter(None, said))
    )


def of_case(case_pk: int) -> list[Energy]:
    """Add up what the runs of a case drew, by the way it is known."""
    rows = Run.objects.filter(case=case_pk, gpu_seconds_used__gt=0)
    runs = list(rows.only("measured", "gpus", "gpu_seconds_used"))
    joules = _joules(case_pk) if runs else {}
    sums: dict[str, int] = {}
    for run in runs:
        found = _measured(joules[run.pk]) if run.pk in joules else energy.used(run)
        if found:
            sums[found.method] = sums.get(found.method, 0) + found.watt_hours
    return [Energy(watt_hours=wh, method=method) for method, wh in sums.items()]


def _joules(case_pk: int) -> dict[int, int]:
    """Give the joules of those runs of which the machine measured every stretch."""
    rows = Stretch.objects.filter(run__case=case_pk)
    sums: dict[int, int] = {}
    unknown: set[int] = set()
    for run_pk, joules, method in rows.values_list("run", "energy_j", "energy_method"):
        if joules is None or method == ESTIMATED:
            unknown.add(run_pk)
        else:
            sums[run_pk] = sums.get(run_pk, 0) + joules
    return {run_pk: joules for run_pk, joules in sums.items() if run_pk not in unknown}


def _measured(joules: int) -> Energy:
    return Energy(
        watt_hours=round(joules / JOULES_PER_WH), method=_("Measured by the machine.")
    )
