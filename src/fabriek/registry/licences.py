"""Under which licence a trained model stands: what base model and data leave open.

A rule of thumb for the card, not legal advice, and it says so there.
"""

import re
from collections.abc import Sequence

from fabriek.datasets.models import OPEN_LICENCES, Licence
from fabriek.kernel.words import kept

# From free to bound; of several the most bound one counts.
BOUND = (Licence.CC0, Licence.CC_BY, Licence.EUPL, Licence.CC_BY_SA, Licence.OTHER)

# As cards of models write them; those of data hold for models as well.
OPEN_TO_ALL = {
    *(str(one).lower() for one in OPEN_LICENCES),
    *("apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "mpl-2.0"),
}
_WORD = r"[\"']?([A-Za-z0-9][A-Za-z0-9.-]{0,38})[\"']?\s*$"
STATED = re.compile(rf"^license:\s*{_WORD}", re.MULTILINE)
# As Hugging Face writes one that it has no word for, beside `license: other`.
NAMED = re.compile(rf"^license_name:\s*{_WORD}", re.MULTILINE)
MATTER = re.compile(r"\A---\s*\n(.*?)\n---\s*(?:\n|\Z)", re.DOTALL)


def lets_everybody(licence: str) -> bool:
    return licence.lower() in OPEN_TO_ALL


def stated(card: str) -> str:
    """Read which licence a card states; empty where it states none."""
    matter = MATTER.match(card)
    found = STATED.search(matter[1]) if matter else None
    if matter and found and found[1].lower() == "other":
        found = NAMED.search(matter[1]) or found
    return found[1] if found else ""


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
