"""How whole the store is, in words: for the staff of the factory."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from fabriek.kernel import words
from fabriek.store import damages, scrub
from fabriek.store.damages import Hit
from fabriek.store.models import Damage

DAMAGED_SHOWN = 50
MENDED_SHOWN = 20
HITS_SHOWN = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One line of the repair list; `hits` are codes, never what is in the files."""

    damage: Damage
    hits: list[Hit]
    more_hits: int

    @property
    def what(self) -> str:
        return str(Damage.What(self.damage.what).label)

    @property
    def how(self) -> str:
        return str(Damage.How(self.damage.how).label) if self.damage.how else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Health:
    progress: scrub.Progress
    damaged: list[Line]
    damaged_count: int
    mended: list[Line]


def health(now: datetime) -> Health:
    """Read it in seven queries, however much is damaged."""
    rows = Damage.objects.all()
    broken = rows.filter(repaired_at=None)
    mended = rows.exclude(repaired_at=None).order_by("-repaired_at")[:MENDED_SHOWN]
    shown = [*broken[:DAMAGED_SHOWN], *mended]
    lines = list(_lines(shown))
    return Health(
        progress=scrub.progress(now),
        damaged=[line for line in lines if line.damage.repaired_at is None],
        damaged_count=broken.count(),
        mended=[line for line in lines if line.damage.repaired_at],
    )


def summary(told: Health) -> str:
    """Say in one sentence whether there is something to do."""
    if told.damaged_count:
        return ngettext(
            "%(count)s file is damaged and is not given to anybody.",
            "%(count)s files are damaged and are not given to anybody.",
            told.damaged_count,
        ) % {"count": words.number(told.damaged_count)}
    if told.progress.last_full_at is None:
        return _("Nothing is known to be damaged. The first full round is not done yet.")
    return _("All files were read again and are whole.")


def _lines(shown: list[Damage]) -> Iterable[Line]:
    found = damages.hits(shown)
    for damage in shown:
        hits = found.get(damage.blob_id or 0, [])
        yield Line(
            damage=damage, hits=hits[:HITS_SHOWN], more_hits=max(0, len(hits) - HITS_SHOWN)
        )
