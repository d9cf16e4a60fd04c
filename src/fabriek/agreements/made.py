"""What was made of lent data, as the statement on the end of an agreement names it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from fabriek.agreements import policy
from fabriek.agreements.models import Agreement
from fabriek.agreements.wishes import Moment, Wish
from fabriek.kernel.errors import Text
from fabriek.people.models import Person
from fabriek.store.models import Repository, Revision

Row = Mapping[str, object]
# What was done with each, by the word that the statement has for it.
DONE: Mapping[str, Text] = {
    "closed": _(
        "closed: nobody reads it or works on it without an agreement on the data itself"
    ),
    "covered": _("left as it was: another agreement on the data lets the case use it"),
    "open": _("left as it was: the data is open to everybody"),
    "own": _("left as it was: the data is of the case itself"),
    "open_model": _("open to everybody, with the rights that were recorded when it was made"),
    "kept": _("kept, with the rights that were recorded when it was made"),
}


def of(agreement: Agreement) -> list[Row]:
    """Name each thing, where it stood, how large it is, and what was done with it.

    No titles: all parties read this for ever, and some may not see all that their partners
    made. Of what stands in another case no more than the code is told, as its makers may be
    strangers to the parties.
    """
    return [_row(one, agreement) for one in _found(agreement)]


def open_models(agreement: Agreement) -> QuerySet[Repository]:
    """Give the models of it that are open to everybody: its end does not close them."""
    return _found(agreement).filter(kind=Repository.Kind.MODEL, is_open=True)


def told(rows: Sequence[Row], person: Person) -> list[dict[str, object]]:
    """Bring along words, and the titles of those that this person may see."""
    named = [str(row["code"]) for row in rows]
    seen = policy.visible_to(person).filter(code__in=named)
    titles = dict(seen.values_list("code", "title"))
    return [_in_words(row, titles.get(str(row["code"]), "")) for row in rows]


def _found(agreement: Agreement) -> QuerySet[Repository]:
    """Give what the end of this agreement touches.

    Also what that case made under an earlier agreement on the same data: this one, that was
    in force last, is what kept it open.
    """
    by_case = Q(
        inherited__agreement__repository=agreement.repository_id,
        inherited__agreement__case=agreement.case_id,
        case=agreement.case_id,
    )
    rows = Repository.objects.filter(Q(inherited__agreement=agreement) | by_case)
    return rows.select_related("case__organisation").distinct().order_by("pk")


def _row(repository: Repository, agreement: Agreement) -> Row:
    row = {
        "code": repository.code or "",
        "kind": str(repository.kind),
        "done": _done(repository, agreement.repository),
    }
    case = repository.case
    if case is None or case.pk != agreement.case_id:
        return row
    newest = _newest(repository)
    return row | {
        "case": case.code,
        "organisation": case.organisation.name,
        "files": newest.file_count if newest else 0,
        "size_bytes": newest.size_bytes if newest else 0,
    }


def _newest(repository: Repository) -> Revision | None:
    return Revision.objects.filter(repository=repository).order_by("-number").first()


def _done(repository: Repository, data: Repository) -> str:
    if repository.kind not in policy.COPIES:
        return "open_model" if repository.is_open else "kept"
    wish = Wish(moment=Moment.READ, repository=repository, case=repository.case)
    ways = wish, replace(wish, is_secure=True)
    way = next((one for one in ways if policy.would(one).allowed), None)
    if way is None:
        return "closed"
    by = policy.would(replace(way, repository=data))
    if by.agreement is not None:
        return "covered"
    return "open" if by.code == policy.OPEN.code else "own"


def _in_words(row: Row, title: str) -> dict[str, object]:
    kind, done = str(row["kind"]), str(row["done"])
    what = dict(Repository.Kind.choices).get(kind, kind)
    return {**row, "title": title, "what": what, "done": DONE.get(done, done)}
