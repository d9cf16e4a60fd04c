"""Places whose files are no model yet: which of one's cases, and what stands in the way."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.core.cache import cache
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from fabriek.agreements import inheritance
from fabriek.cases.models import cases_of
from fabriek.kernel import text
from fabriek.kernel.errors import Refused
from fabriek.kernel.words import number
from fabriek.people.models import Person
from fabriek.registry import outputs, pushed, reasons
from fabriek.registry.models import Model
from fabriek.store.models import MAIN, Repository, Revision
from fabriek.store.queries import listing

SHOWN_MAX = 10
NAMES_SHOWN = 5
# A page waits for no list that is far longer, whatever of it is hidden.
FILES_READ_MAX = 10 * outputs.FILES_MAX
# Where nothing was pushed: what a model cannot be without.
NOTHING = (("no_model", outputs.CONFIG),)

Told = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Unfinished:
    """`name` as programs say it; `reasons` say what stands in the way and what to do."""

    name: str
    case: str
    case_title: str
    reasons: list[str]
    at: datetime


def of(person: Person, words: str = "") -> list[Unfinished]:
    """Give the places in cases of this person that are no model yet, newest first."""
    # What was pushed may say anything of lent data that others of the case may not see.
    rows = [
        row
        for row in _places(person, words)[:SHOWN_MAX]
        if not row.is_bound or inheritance.hears(row, person)  # type: ignore[attr-defined]
    ]
    newest = Revision.objects.in_bulk([row.newest for row in rows if row.newest])  # type: ignore[attr-defined]
    return [_shown(row, newest.get(row.newest)) for row in rows]  # type: ignore[attr-defined]


def sentence(repository: Repository, revision: Revision) -> str:
    """Say why what was just pushed to `main` is no model yet; nothing where it is one."""
    if revision.branch != MAIN or Model.objects.filter(repository=repository).exists():
        return ""
    return _("%(name)s is not a model yet. %(why)s") % {
        "name": repository.repo_id,
        "why": " ".join(_reasons(revision)),
    }


def _places(person: Person, words: str) -> "QuerySet[Repository]":
    newest = Revision.objects.filter(repository=OuterRef("pk"), branch=MAIN)
    newest = newest.order_by("-number")
    rows = Repository.objects.filter(
        kind=Repository.Kind.MODEL, case__in=cases_of(person), model__isnull=True
    ).exclude(name="")
    for word in text.sought(words).split()[:5]:
        namespace, slash, name = word.partition("/")
        rows = rows.filter(
            Q(namespace__iexact=namespace, name__icontains=name)
            if slash
            else Q(name__icontains=word)
            | Q(case__code__iexact=word)
            | Q(case__title__icontains=word)
        )
    rows = rows.annotate(
        is_bound=inheritance.is_bound(),
        newest=Subquery(newest.values("pk")[:1]),
        changed_at=Coalesce(Subquery(newest.values("created_at")[:1]), "created_at"),
    )
    return rows.select_related("case").order_by("-changed_at", "-pk")


def _shown(row: Repository, revision: Revision | None) -> Unfinished:
    return Unfinished(
        name=row.repo_id,
        case=row.case.code if row.case else "",
        case_title=row.case.title if row.case else "",
        reasons=_reasons(revision) if revision else _sentences(NOTHING),
        at=row.changed_at,  # type: ignore[attr-defined]
    )


def _reasons(revision: Revision) -> list[str]:
    """Say what stands in the way; also that its bytes cannot be looked at now."""
    try:
        return _sentences(_told(revision))
    except Refused as refusal:
        return [str(refusal)]


def _told(revision: Revision) -> Told:
    """Give it by code and name: the same files lack the same, so that it is remembered."""
    if revision.file_count > FILES_READ_MAX:
        return (("too_many_files", ""),)
    key = f"unfinished:{revision.digest}"
    found: Told | None = cache.get(key)
    if found is None:
        problems = pushed.problems(listing(revision))
        found = tuple((one.code, one.name) for one in problems)
        cache.set(key, found)
    return found


def _sentences(told: Iterable[tuple[str, str]]) -> list[str]:
    """Say it in the reader's language; files of another kind in one sentence."""
    told = list(told)
    strange = [name for code, name in told if code == "unknown_file"]
    others = [reasons.said(code, name) for code, name in told if code != "unknown_file"]
    if len(strange) <= 1:
        return [*(reasons.said("unknown_file", name) for name in strange), *others]
    more = len(strange) - NAMES_SHOWN
    names = ", ".join(f"“{name}”" for name in strange[:NAMES_SHOWN])
    said = _("A model consists of no files of these kinds: %(names)s. Take them away.") % {
        "names": names
    }
    if more > 0:
        said = ngettext(
            "A model consists of no files of these kinds: %(names)s and %(more)s more. Take "
            "them away.",
            "A model consists of no files of these kinds: %(names)s and %(more)s more. Take "
            "them away.",
            more,
        ) % {"names": names, "more": number(more)}
    return [said, *others]
