"""What something visibly comes from: names in its cards, and bytes that lay elsewhere first.

Of anybody in the factory: what goes out to everybody is looked at more strictly than what is
saved within a case (`agreements.descent`, which binds by agreements).
"""

import re
from collections import defaultdict
from datetime import datetime

from django.db.models import Min, QuerySet

from fabriek.agreements import descent
from fabriek.store import front_matter
from fabriek.store.models import Blob, File, Repository
from fabriek.store.queries import batches

# As cases, datasets and models of a factory are called.
CODE = re.compile(r"[A-Z]\d\d-\d{4,}", re.IGNORECASE)


def named_in_cards(repository: int) -> tuple[set[int], bool]:
    """Give what the cards of all revisions name, and whether a name of ours leads nowhere.

    Who opens it must not find out by that whether something of this name is there.
    """
    cards = File.objects.filter(revision__repository=repository, path=front_matter.README)
    names: set[str] = set()
    for blob in Blob.objects.filter(pk__in=cards.values("blob")):
        names.update(descent.names_in(descent.readme(blob)))
    found: set[int] = set()
    leads_nowhere = False
    for some in batches(sorted(names), descent.NAMES_MAX):
        rows = Repository.objects.filter(descent.called(some))
        there = list(rows.values_list("pk", "code", "namespace", "name"))
        found |= {row[0] for row in there}
        known = {(code or "").lower() for _pk, code, _space, _name in there}
        known |= {f"{space}/{name}".lower() for _pk, _code, space, name in there}
        leads_nowhere |= any(_is_ours(name) and name.lower() not in known for name in some)
    return found - {repository}, leads_nowhere


def _is_ours(name: str) -> bool:
    return CODE.fullmatch(name.partition("/")[0]) is not None


def held_first(repository: int) -> set[int]:
    """Give what held files of it before it did, where these are open to nobody.

    Not for what is the same in places of strangers, as a licence is.
    """
    ours = File.objects.filter(
        revision__repository=repository, blob__size_bytes__gte=descent.TELLING_BYTES
    )
    # No index has the SHA-256 alone: PostgreSQL reads 100,000 blobs in 14 ms, and it would cost
    # each of the files that come in by the thousand.
    same = File.objects.filter(blob__sha256__in=ours.values("blob__sha256"))
    others = same.exclude(revision__repository=repository)
    held = _closed_holders(others)
    found: set[int] = set()
    for some in batches(sorted(held)):
        firsts = ours.filter(blob__sha256__in=some).values_list("blob__sha256").order_by()
        here = dict(firsts.annotate(first=Min("revision__created_at")))
        for sha256 in some:
            earliest = min(held[sha256].values())
            if earliest <= here[sha256]:
                found |= {pk for pk, at in held[sha256].items() if at == earliest}
    return found


def _closed_holders(files: QuerySet[File]) -> dict[str, dict[int, datetime]]:
    """Say since when each repository holds these bytes; of open ones everybody has them."""
    since = files.values_list(
        "blob__sha256",
        "blob__size_bytes",
        "path",
        "revision__repository",
        "revision__repository__is_open",
    ).annotate(first=Min("revision__created_at"))
    found: dict[str, dict[int, datetime]] = defaultdict(dict)
    free = set()
    for sha256, size_bytes, path, pk, is_open, first in since.order_by():
        if is_open:
            free.add(sha256)
        elif not descent.is_beside_data(path, size_bytes):
            found[sha256][pk] = min(first, found[sha256].get(pk, first))
    return {sha256: held for sha256, held in found.items() if sha256 not in free}
