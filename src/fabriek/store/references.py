"""Name a revision in words: `D26-0001` is its newest, `D26-0001@3` its third."""

import re

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from fabriek.kernel.errors import Invalid
from fabriek.store import refusals
from fabriek.store.models import MAIN, Repository, Revision

REFERENCE = re.compile(r"(?P<code>[A-Za-z0-9_-]{1,60})(?:@(?P<number>[0-9]{1,9}))?", re.ASCII)


def revision_of(reference: str, *, among: QuerySet[Repository], kind: str) -> Revision:
    """Find a revision in one of the repositories that somebody may use.

    Raises:
        Invalid: no such thing, or not this person's to see: the answer is the same.
        Refused: its files were dropped.
    """
    match = REFERENCE.fullmatch(reference.strip())
    rows = Revision.objects.select_related("repository__case", "repository__organisation")
    if match:
        seen = among.filter(kind=kind, code=match["code"])
        rows = rows.filter(repository__in=seen)
        if match["number"]:
            rows = rows.filter(number=int(match["number"]))
        else:
            rows = rows.filter(branch=MAIN)
        if found := rows.order_by("-number").first():
            return refusals.require_files(found)
    raise Invalid(
        _(
            "There is no %(kind)s “%(reference)s” that you may use. "
            "Give its code, such as D26-0001, or D26-0001@2 for its second revision."
        )
        % {"kind": Repository.Kind(kind).label, "reference": reference[:80]},
        code="unknown_input",
    )


def written(revision: Revision) -> str:
    return f"{revision.repository.code}@{revision.number}"
