"""What something that was pushed was made of, as far as the factory can see that itself.

Two things show it: what its card names, and files that are, byte for byte, those of bound
data. Neither proves that nothing else went in: who pushes can leave a name out, and training
leaves no bytes behind. There the text that they signed binds them, and not this.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime

from django.db.models import Min, Q, QuerySet
from django.utils import timezone

from fabriek.agreements import inheritance, policy
from fabriek.agreements.models import Agreement
from fabriek.agreements.traces import Inherited
from fabriek.catalogue import card
from fabriek.people.models import Person
from fabriek.store.models import File, Repository
from fabriek.store.queries import batches

NAMES_IN_CARD = ("base_model", "datasets", "source_datasets")
NAMES_MAX = 200
# Shorter files are the same by chance: `{}`, a `.gitattributes`, a table of labels.
TELLING_BYTES = 256


def pass_terms_on(
    to: Repository, sha256s: Iterable[str], readme: str, *, by: Person | None
) -> bool:
    """Bind what was pushed by the terms of what it visibly comes from. Safe to repeat.

    What was bound once stays bound, whatever its card says later. Tells whether somebody is
    asked anew to look at it.
    """
    sources = (_named(readme, by) if by else set()) | _held(to, sha256s)
    sources.discard(to.pk)
    if not sources:
        return False
    waiting = Inherited.objects.filter(repository=to, needs_review=True)
    before = waiting.count()
    inheritance.pass_on(to, agreements=_agreements(to, sources), sources=sources)
    return waiting.count() > before


def _agreements(to: Repository, sources: set[int]) -> Iterator[int]:
    """Give by which its case may use these sources now; else by which it last might."""
    rows = Agreement.objects.filter(
        repository__in=sources, case=to.case_id, in_force_at__isnull=False
    )
    holds = policy.in_force(timezone.now()).filter(pk__in=rows)
    found = defaultdict(list)
    for source, pk in holds.order_by("pk").values_list("repository", "pk"):
        found[source].append(pk)
    for source, pk in rows.order_by("-in_force_at", "-pk").values_list("repository", "pk"):
        if not found[source]:
            found[source].append(pk)
    for several in found.values():
        yield from several


# --- by its card -------------------------------------------------------------------------
def _named(readme: str, by: Person) -> set[int]:
    """Find what the card names among what `by` may see; other names stand for other places."""
    names = list(_names(card.read(readme).matter))[:NAMES_MAX]
    wanted = Q(pk__in=())
    for name in names:
        head, _slash, tail = name.partition("/")
        wanted |= Q(namespace__iexact=head, name__iexact=tail) if tail else Q(code=head.upper())
    seen = policy.visible_to(by).filter(wanted) if names else Repository.objects.none()
    return set(seen.values_list("pk", flat=True))


def _names(matter: dict[str, object]) -> Iterator[str]:
    """Read ids such as `C26-0001/questions`, and codes such as D26-0001 or M26-0002@3."""
    for key in NAMES_IN_CARD:
        value = matter.get(key)
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, str) and one.strip() and "\0" not in one:
                yield one.strip().partition("@")[0]


# --- by its bytes ------------------------------------------------------------------------
def _held(to: Repository, sha256s: Iterable[str]) -> set[int]:
    """Find bound repositories that hold some of these bytes, and had them first."""
    bound = set(_bound(to).values_list("pk", flat=True))
    if not bound:
        return set()
    found: set[int] = set()
    for some in batches(sorted(set(sha256s))):
        found |= _first_there(to, bound, some)
    return found


def _bound(to: Repository) -> QuerySet[Repository]:
    """Give what is lent to its case, or was, and what descends from such data there."""
    lent = Agreement.objects.filter(case=to.case_id, in_force_at__isnull=False)
    derived = Inherited.objects.filter(
        repository__case=to.case_id, repository__organisation=to.organisation_id
    )
    rows = Repository.objects.filter(
        Q(pk__in=lent.values("repository")) | Q(pk__in=derived.values("repository"))
    )
    return rows.filter(is_open=False).exclude(pk=to.pk)


def _first_there(to: Repository, bound: set[int], some: list[str]) -> set[int]:
    """Leave out bytes that the case had itself, or that were open, before they were bound.

    A tokenizer, say, comes with the open base of a model.
    """
    free = Repository.objects.filter(Q(is_open=True) | Q(case=to.case_id, inherited=None))
    rows = File.objects.filter(
        Q(revision__repository__in=bound) | Q(revision__repository__in=free.exclude(pk=to.pk)),
        blob__sha256__in=some,
        blob__size_bytes__gte=TELLING_BYTES,
    )
    since = rows.values_list("blob__sha256", "revision__repository").annotate(
        first=Min("revision__created_at")
    )
    holders: dict[str, dict[int, datetime]] = defaultdict(dict)
    for sha256, repository, first in since.order_by():
        holders[sha256][repository] = first
    found = set()
    for held in holders.values():
        freed = [at for pk, at in held.items() if pk not in bound]
        earliest = min(freed, default=None)
        found |= {
            pk for pk, at in held.items() if pk in bound and not (earliest and earliest < at)
        }
    return found
