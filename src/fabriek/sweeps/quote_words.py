"""What a search will cost, in figures: round by round, energy, what is left after it."""

from django.utils.translation import gettext as _

from fabriek.kernel.facts import Fact
from fabriek.kernel.words import gpu_hours
from fabriek.sweeps.quotes import Quote
from fabriek.sweeps.show import share_said


def facts(found: Quote, left: int) -> list[Fact]:
    """`left`: the GPU-seconds of the allocation that nobody holds or has used."""
    most = {"most": found.energy_most.said}
    after = {"most": gpu_hours(max(0, left - found.gpu_seconds_budget))}
    return [
        *_rounds(found),
        Fact(
            label=_("Energy"),
            value=_("about %(energy)s") % {"energy": found.energy.said},
            help=_("At most %(most)s.") % most + f" {found.energy.method}",
        ),
        Fact(
            label=_("Left after this search"),
            value=_("about %(hours)s") % {"hours": gpu_hours(left - found.gpu_seconds)},
            help=_("At least %(most)s.") % after,
        ),
        Fact(
            label=_("Then, to train the winner in full"),
            value=_("about %(hours)s") % {"hours": gpu_hours(found.winner_gpu_seconds)},
            help=_("A run of its own, when you ask for it; not in the budget above."),
        ),
    ]


def _rounds(found: Quote) -> list[Fact]:
    rows = []
    for place, one in enumerate(found.rounds, start=1):
        said = {
            "trials": one.planned.trials,
            "each": gpu_hours(one.gpu_seconds_each),
            "share": share_said(one.planned.until_share),
        }
        rows.append(
            Fact(
                label=_("Round %(number)s") % {"number": place},
                value=_("%(trials)d times about %(each)s") % said,
                help=_("Up to %(share)s of their steps.") % said
                if found.goes_on
                else _("Each is a whole run."),
            )
        )
    return rows
