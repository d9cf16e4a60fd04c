"""The rule by which an owner of data, who looks at what was made of it, lets that go out.

Said twice: of one thing, with the reason why it stays, and as a question to the database. A
test holds the two together.
"""

from collections.abc import Callable
from typing import Any

from django.db.models import F, Max, Q, QuerySet
from django.db.models.functions import Coalesce

from fabriek.agreements.traces import Inherited

RELEASED, HELD_BACK = Inherited.Verdict.RELEASED, Inherited.Verdict.HELD_BACK


def why_kept_in(row: Inherited, *, revision: Callable[[], int]) -> str:
    """Say why the owner's word keeps it in; nothing where it goes out.

    `revision` gives the number that is asked for, and is called only where it matters: files
    that were saved after the owner looked are another result.
    """
    if not row.needs_review:
        return ""
    if row.verdict == HELD_BACK:
        return "held_back"
    if row.verdict == RELEASED and revision() <= row.judged_revision:
        return ""
    return "waits_for_review"


def kept_in() -> "QuerySet[Inherited, Any]":
    """Find what is kept in as it is now: by its newest revision, of any branch."""
    newest = Coalesce(Max("repository__revisions__number"), 0)
    rows = Inherited.objects.filter(needs_review=True).annotate(newest=newest)
    return rows.exclude(Q(verdict=RELEASED, judged_revision__gte=F("newest")))
