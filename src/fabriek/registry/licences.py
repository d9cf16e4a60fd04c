"""Under which licence a trained model stands: what base model and data leave open.

A rule of thumb for the card, not legal advice, and it says so there.
"""

from collections.abc import Sequence

from fabriek.datasets.models import Licence

# From free to bound; of several the most bound one counts.
BOUND = (Licence.CC0, Licence.CC_BY, Licence.EUPL, Licence.CC_BY_SA, Licence.OTHER)


def inherited(*, base: str, datasets: Sequence[str]) -> str:
    """Data for the consortium only binds the model to it; else the base model's licence holds,
    and without a base model the most bound of the data's licences."""
    if Licence.CONSORTIUM in datasets or base == Licence.CONSORTIUM:
        return Licence.CONSORTIUM
    if base:
        return base
    known = [licence for licence in BOUND if licence in datasets]
    return known[-1] if known else Licence.OTHER
