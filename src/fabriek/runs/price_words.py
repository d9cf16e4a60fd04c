"""What a run will cost, in figures: energy, memory, what is left after it."""

from django.utils.translation import gettext as _

from fabriek.kernel.facts import Fact
from fabriek.kernel.words import gpu_hours, size
from fabriek.runs import memory
from fabriek.runs.prices import Price
from fabriek.runs.shapes import PriceOut


def price_facts(price: Price, *, left: int) -> list[Fact]:
    """`left`: the GPU-seconds of the allocation that nobody holds or has used."""
    rows = [Fact(label=_("Energy"), value=price.energy.said, help=price.energy.method)]
    if price.memory_bytes:  # of people's own code nobody knows
        asked = size(price.memory_bytes)
        rows.append(Fact(label=_("Memory"), value=asked, help=_memory_there(price)))
    if price.gpu_seconds_held <= left:
        after = {"held": gpu_hours(left - price.gpu_seconds_held)}
        rows.append(
            Fact(
                label=_("Left after this run"),
                value=_("about %(hours)s") % {"hours": gpu_hours(left - price.gpu_seconds)},
                help=_("While it runs %(held)s are left, as the most it may use is set aside.")
                % after,
            )
        )
    return rows


def priced(price: Price, *, left: int | None) -> PriceOut:
    """Say the same to programs; `left` is nothing where the case has no GPU-hours."""
    there = memory.there_bytes()
    return PriceOut(
        gpu_seconds=price.gpu_seconds,
        gpu_seconds_held=price.gpu_seconds_held,
        gpu_seconds_left=left,
        gpu_seconds_left_expected=None if left is None else left - price.gpu_seconds,
        gpu_seconds_left_held=None if left is None else left - price.gpu_seconds_held,
        timeout_s=price.timeout_s,
        memory_bytes=price.memory_bytes,
        memory_bytes_there=there or None,
        memory_note=price.memory_note,
        measured=price.measured,
        energy_wh=price.energy.watt_hours,
        energy_method=price.energy.method,
        why=list(price.why),
        warnings=list(price.warnings),
        is_secure=price.is_secure,
    )


def _memory_there(price: Price) -> str:
    there = memory.there_bytes()
    if not there:
        return ""
    said = {"there": size(there)}
    if price.memory_bytes > there:
        return _("There is %(there)s: it will not fit.") % said
    return _("There is %(there)s: it fits.") % said
