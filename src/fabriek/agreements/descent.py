"""What something that was pushed was made of, as far as the factory can see that itself.

Two things show it: what its card names, and files that are, byte for byte, those of bound
data, also where these lie packed in one. Neither proves that nothing else went in: who pushes
can leave a name out or change a letter, and training leaves no bytes behind. There the text
that they signed binds them, and not this.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial
from operator import attrgetter

from django.db.models import Min, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from fabriek.agreements import inheritance, packed, policy, refusals
from fabriek.agreements.models import Agreement
from fabriek.agreements.traces import Inherited
from fabriek.cases.models import cases_of
from fabriek.kernel.errors import WrongState
from fabriek.people.models import Person
from fabriek.store import front_matter, proving
from fabriek.store.base import Damaged
from fabriek.store.models import Blob, File, Repository, Revision
from fabriek.store.queries import batches, claimed, the_store

NAMES_IN_CARD = ("base_model", "datasets", "source_datasets")
NAMES_MAX = 200
# Shorter files are the same by chance: `{}`, a table of labels.
TELLING_BYTES = 256
PACK_BYTES = 20  # what is shorter packs nothing
LOOKED_INTO = 1000
# What stands beside data and is the same in datasets of strangers. Not `citations.csv`.
BESIDE_DATA = re.compile(
    r"\.git(attributes|ignore)"
    r"|(licen[cs]e|notice|readme|citation)([-_][a-z0-9_-]+(\.\d+)?)?(\.[a-z]{2})?"
    r"(\.(md|txt|rst|html?|cff|bib))?",
    re.IGNORECASE | re.ASCII,
)
BESIDE_BYTES_MAX = 2**20  # what is longer is data, whatever it is called


def looked_into(
    to: Repository, files: Mapping[str, str], *, by: Person
) -> frozenset[str] | None:
    """Give the SHA-256 of what is packed in what was sent; None where nothing can bind it.

    Call it before the transaction that saves: it may take a minute, and others wait for that.
    """
    if not _bound(to, _lent(to, by), by).exists():
        return None
    return frozenset(_packed(to, files))


def pass_terms_on(
    revision: Revision,
    files: Mapping[str, str],
    *,
    by: Person,
    inside: Collection[str] | None = None,
) -> bool:
    """Bind what was saved by the terms of what it visibly comes from. Safe to repeat.

    `files`: what was sent for this revision, by path, each with its SHA-256; `inside`: what
    `looked_into` found in them. Call it in the transaction that saves: nobody must read it
    before it is bound. What was bound once stays bound, whatever its card says later. Tells
    whether somebody is asked anew to look at it.

    Raises: WrongState, where everybody may have it already.
    """
    to = revision.repository
    names = _named_by(revision)
    lent = _lent(to, by)
    sources = _named(names, by) if names else set()
    if bound := set(_bound(to, lent, by).values_list("pk", flat=True)):
        # Lent while it was sent: nobody looked before.
        packed_there = _packed(to, files) if inside is None else inside
        sent = {*files.values(), *packed_there}
        sources |= _held(bound, _free(to, by), sent)
    sources.discard(to.pk)
    if not sources:
        return False
    waiting = Inherited.objects.filter(repository=to, needs_review=True)
    before = waiting.count()
    agreements = list(_agreements(to, lent, sources))
    if inheritance.passed_on_by(agreements, sources):
        _require_closed(to)
    inheritance.pass_on(to, agreements=agreements, sources=sources)
    return waiting.count() > before


def _require_closed(to: Repository) -> None:
    """Refuse to bind what everybody has: it would be closed for good, unasked."""
    if Repository.objects.filter(pk=to.pk, is_open=True).exists():
        raise WrongState(
            _(
                "These files, or the card, show that it was made of data that others lend "
                "under an agreement, and this is open to everybody. Nothing was saved. Leave "
                "that out, or save it in a dataset that is not open."
            ),
            code="open_to_all",
        )


def _lent(to: Repository, by: Person) -> QuerySet[Agreement]:
    """Give the agreements by which these bytes may have come here: of its case, or of `by`.

    Whoever takes part in two cases must not carry from one to the other what only one may
    have. What they may read as their own they may also bring.
    """
    mine = cases_of(by)
    elsewhere = Q(case__in=mine) & ~Q(repository__case__in=mine)
    rows = Agreement.objects.filter(in_force_at__isnull=False)
    return rows.filter(Q(case=to.case_id) | elsewhere)


def _agreements(to: Repository, lent: QuerySet[Agreement], sources: set[int]) -> Iterator[int]:
    """Give by which these sources may be used now; else by which they last might be.

    Those of its own case come first: by others only where it has none.
    """
    rows = lent.filter(repository__in=sources)
    now = set(policy.in_force(timezone.now()).filter(pk__in=rows).values_list("pk", flat=True))
    ranked: dict[int, list[tuple[bool, bool, int]]] = defaultdict(list)
    latest = rows.order_by("-in_force_at", "-pk").values_list("repository", "case", "pk")
    for source, case, pk in latest:
        ranked[source].append((pk not in now, case != to.case_id, pk))
    for several in ranked.values():
        best = min((over, foreign) for over, foreign, _pk in several)
        equal = [pk for over, foreign, pk in several if (over, foreign) == best]
        yield from equal[:1] if best[0] else sorted(equal)


# --- by its card -------------------------------------------------------------------------
def _named_by(revision: Revision) -> list[str]:
    row = File.objects.filter(revision=revision, path=front_matter.README)
    found = row.select_related("blob").first()
    return names_in(readme(found.blob)) if found else []


def readme(blob: Blob) -> str:
    """Read a card that terms hang on. Raises: CardDamaged; else its terms could get lost."""
    try:
        content = proving.first_of(blob, most_bytes=front_matter.LONGEST_README_BYTES)
    except Damaged as error:
        raise refusals.card_damaged(blob) from error
    return content.decode("utf-8", "replace").replace("\0", "")


def names_in(card: str) -> list[str]:
    """Read what a card names; one that cannot be read names nothing."""
    return list(_names(front_matter.read(card).matter))[:NAMES_MAX]


def _named(names: list[str], by: Person) -> set[int]:
    """Find what the card names among what `by` may see; other names stand for other places."""
    return set(policy.visible_to(by).filter(called(names)).values_list("pk", flat=True))


def called(names: Iterable[str]) -> Q:
    """Find repositories by names as cards give them: ids and codes."""
    wanted = Q(pk__in=())
    for name in names:
        head, _slash, tail = name.partition("/")
        wanted |= Q(namespace__iexact=head, name__iexact=tail) if tail else Q(code=head.upper())
    return wanted


def _names(matter: dict[str, object]) -> Iterator[str]:
    """Read ids such as `C26-0001/questions`, and codes such as D26-0001 or M26-0002@3."""
    for key in NAMES_IN_CARD:
        value = matter.get(key)
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, str) and one.strip() and "\0" not in one:
                yield one.strip().partition("@")[0]


# --- by its bytes ------------------------------------------------------------------------
def _held(bound: set[int], free: QuerySet[Repository], sha256s: Iterable[str]) -> set[int]:
    """Find bound repositories that hold some of these bytes, and had them first."""
    found: set[int] = set()
    for some in batches(sorted(set(sha256s))):
        found |= _first_there(bound, free, some)
    return found


def _packed(to: Repository, files: Mapping[str, str]) -> Iterator[str]:
    """Look into what was sent; of very many files no more than the largest."""
    sent = claimed(to, files.values()).values()
    packs = [blob for blob in sent if blob.size_bytes >= PACK_BYTES]
    packs.sort(key=attrgetter("size_bytes"), reverse=True)
    budget = packed.Budget()
    for blob in packs[:LOOKED_INTO]:
        yield from packed.sha256s(partial(the_store().open, blob), budget)


def _bound(to: Repository, lent: QuerySet[Agreement], by: Person) -> QuerySet[Repository]:
    """Give what is lent to its case or to cases of `by`, or was, and what descends from it."""
    here = Q(repository__case=to.case_id, repository__organisation=to.organisation_id)
    derived = Inherited.objects.filter(here | Q(repository__case__in=cases_of(by)))
    rows = Repository.objects.filter(
        Q(pk__in=lent.values("repository")) | Q(pk__in=derived.values("repository"))
    )
    return rows.filter(is_open=False).exclude(pk=to.pk)


def _free(to: Repository, by: Person) -> QuerySet[Repository]:
    """Give what is open, as the base that a tokenizer comes with is, or wholly their own."""
    own = Q(case=to.case_id) | Q(case__in=cases_of(by))
    rows = Repository.objects.filter(Q(is_open=True) | (own & Q(inherited=None)))
    return rows.exclude(pk=to.pk)


def _first_there(bound: set[int], free: QuerySet[Repository], some: list[str]) -> set[int]:
    """Leave out bytes that were open, or their own, before they were bound.

    And what its owner calls no data, as a licence. How the sender calls it is of no account.
    """
    rows = File.objects.filter(
        Q(revision__repository__in=bound) | Q(revision__repository__in=free.values("pk")),
        blob__sha256__in=some,
        blob__size_bytes__gte=TELLING_BYTES,
    )
    since = rows.values_list(
        "blob__sha256", "blob__size_bytes", "path", "revision__repository"
    ).annotate(first=Min("revision__created_at"))
    holders: dict[str, dict[int, datetime]] = defaultdict(dict)
    beside: dict[str, dict[int, datetime]] = defaultdict(dict)
    for sha256, size_bytes, path, repository, first in since.order_by():
        is_beside = repository in bound and is_beside_data(path, size_bytes)
        held = (beside if is_beside else holders)[sha256]
        held[repository] = min(first, held.get(repository, first))
    for sha256 in _data_in_sources(bound, beside):
        holders[sha256] = beside[sha256] | holders[sha256]
    return {pk for held in holders.values() for pk in _bound_first(bound, held)}


def _bound_first(bound: set[int], held: Mapping[int, datetime]) -> Iterator[int]:
    earliest = min((at for pk, at in held.items() if pk not in bound), default=None)
    for pk, at in held.items():
        if pk in bound and not (earliest and earliest < at):
            yield pk


def is_beside_data(path: str, size_bytes: int) -> bool:
    """Tell by what its owner calls a file whether strangers may well have the same."""
    name = path.rpartition("/")[2]
    return size_bytes <= BESIDE_BYTES_MAX and BESIDE_DATA.fullmatch(name) is not None


def _data_in_sources(bound: set[int], sha256s: Iterable[str]) -> set[str]:
    """Name those that an owner further back calls data: a copy cannot rename that away."""
    wanted = list(sha256s)
    if not wanted:
        return set()
    sources = Inherited.objects.filter(repository__in=bound).values("agreement__repository")
    rows = File.objects.filter(revision__repository__in=sources, blob__sha256__in=wanted)
    told = rows.values_list("blob__sha256", "blob__size_bytes", "path").distinct()
    return {sha256 for sha256, size, path in told if not is_beside_data(path, size)}
