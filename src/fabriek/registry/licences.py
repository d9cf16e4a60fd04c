"""Under which licence a trained model stands: what base model and data leave open.

A rule of thumb for the card, not legal advice, and it says so there.
"""

from collections.abc import Sequence

from fabriek.datasets.models import Licence
from fabriek.kernel.words import kept

# From free to bound; of several the most bound one counts.
BOUND = (Licence.CC0, Licence.CC_BY, Licence.EUPL, Licence.CC_BY_SA, Licence.OTHER)


def inherited(*, base: str, datasets: Sequence[str]) -> str:
    """Name the licence that base model and data leave.

    Data for the consortium only binds the model to it. Else the base model's licence holds;
    without one, the most bound of the data's. Terms that only a text describes, and sharing
    alike beside another licence, leave a question that no rule answers: `other`.
    """
    if Licence.CONSORTIUM in datasets or base == Licence.CONSORTIUM:
        return Licence.CONSORTIUM
    known = [licence for licence in BOUND if licence in datasets]
    most_bound = known[-1] if known else ""
    if not base:
        return most_bound or Licence.OTHER
    if most_bound == Licence.OTHER:
        return Licence.OTHER
    if most_bound == Licence.CC_BY_SA and base.lower() != most_bound.lower():
        return Licence.OTHER
    return base


@kept
def label(licence: str) -> str:
    """Say a licence in words where we know it, else by its name."""
    return str(Licence(licence).label) if licence in Licence.values else licence
