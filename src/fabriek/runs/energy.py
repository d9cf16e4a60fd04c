"""What a run draws from the grid: by a stated rule before it starts, measured after."""

from dataclasses import dataclass

from django.utils import timezone
from django.utils.translation import gettext as _

from fabriek.kernel.words import number
from fabriek.runs import engine
from fabriek.runs.models import Run
from fabriek.runs.watts import watts_on

JOULES_PER_WH = 3600
JOULES_MAX = 10**13  # a thousand GPUs for five months; a job says of itself what it likes
WH_PER_KWH, SMALL_WH = 1000, 100
# The most an H100 SXM draws by its maker's data sheet (March 2023); a GPU at work is near it.
GPU_WATTS = 700
# What a server processor of 16 cores draws under load, its memory included: a plain guess.
CPU_WATTS = 65


@dataclass(frozen=True, kw_only=True, slots=True)
class Energy:
    """`method` says in the reader's language where the figure comes from."""

    watt_hours: int
    method: str

    @property
    def said(self) -> str:
        return kwh(self.watt_hours)


def expected(gpu_seconds: int) -> Energy:
    """Estimate it: GPU-seconds times the watts of one GPU."""
    draws = watts()
    said = {"watts": number(draws)}
    method = (
        _("Estimated: the time on the processor times %(watts)s watt.")
        if engine.device() == "cpu"
        else _("Estimated: the GPU-hours times %(watts)s watt for a GPU.")
    )
    return Energy(watt_hours=round(gpu_seconds * draws / JOULES_PER_WH), method=method % said)


def used(run: Run) -> Energy | None:
    """Say what a run drew: by the counters of its GPUs, or else by the stated rule."""
    joules = run.measured.get("energy_joules")
    gpus = int(run.measured.get("energy_gpus") or 0)
    if not joules or gpus < 1 or not 0 < joules <= JOULES_MAX:
        return expected(run.gpu_seconds_used) if run.gpu_seconds_used else None
    if gpus >= run.gpus:
        method = _("Measured by the GPUs' own counters.")
        return Energy(watt_hours=round(joules / JOULES_PER_WH), method=method)
    said = {"gpus": number(gpus), "all": number(run.gpus)}
    method = _("Measured on %(gpus)s of %(all)s GPUs; the others are taken as the same.")
    wh = joules * run.gpus / gpus / JOULES_PER_WH
    return Energy(watt_hours=round(wh), method=method % said)


def watts() -> int:
    """Give what one GPU draws; on a machine without, one place for a run."""
    said = watts_on(timezone.localdate())
    usual = CPU_WATTS if engine.device() == "cpu" else GPU_WATTS
    return usual if said is None else said


def kwh(watt_hours: int) -> str:
    """Write it as an electricity bill does, with as many decimals as tell something."""
    if watt_hours < 1:
        return _("less than 1 Wh")
    if watt_hours < SMALL_WH:
        return _("%(amount)s Wh") % {"amount": number(watt_hours)}
    value = watt_hours / WH_PER_KWH
    decimals = 0 if value >= 100 else 1 if value >= 10 else 2  # noqa: PLR2004
    return _("%(amount)s kWh") % {"amount": number(value, decimals)}
