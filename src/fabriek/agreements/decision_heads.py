"""Where the chains of decisions ended, told to the journal: as each begins, and once a day.

A chain that is deleted with all its lines leaves nothing that does not fit. The journal, a
second book, then still knows how far it came.
"""

from django.utils.translation import gettext_lazy as _

from fabriek.agreements.traces import Chain
from fabriek.kernel import journal
from fabriek.kernel.models import Entry

Statement = tuple[str, list[object]]  # and its words
VERB = "agreements.note_decisions"
journal.describe({VERB: _("The factory notes how far the decisions on data came.")})


def note() -> int:
    """Write down each chain that grew since it was noted; give how many did."""
    known, noted = noted_heads(), 0
    for chain in Chain.objects.filter(length__gt=0).order_by("pk").iterator():
        if (chain.repository_id, chain.length) not in known:
            note_one(chain)
            noted += 1
    return noted


def note_one(chain: Chain) -> None:
    head = {"length": chain.length, "digest": chain.digest}
    journal.record(VERB, chain, by=None, repository=chain.repository_id, **head)


def statement(repository: int, length: int, digest: str, *, source: str) -> Statement:
    """Give the SQL that notes the chain in `source`, for where that is begun with it."""
    told = {"length": length, "digest": digest}
    return journal.statement(VERB, Chain, source=source, repository=repository, **told)


def noted_heads() -> dict[tuple[int, int], str]:
    """Give the digest that each line had which was the last one on some day.

    By repository and number. Of two notes about one line the first counts.
    """
    rows = Entry.objects.filter(verb=VERB).order_by("-pk").values_list("details", flat=True)
    return {(row["repository"], row["length"]): row["digest"] for row in rows.iterator()}
