"""The log of decisions: one chain for each repository, in which no line can be changed unseen.

A chain is made longer under the lock of its last link, so that of two at once one waits. It is
held until the end of the transaction around it, which is why decisions are taken outside one.
"""

import hashlib
import json
from collections.abc import Iterator
from datetime import timedelta

from django.core.cache import cache
from django.db import transaction
from django.utils import timezone

from fabriek.agreements.traces import Chain, Decided
from fabriek.agreements.wishes import Decision, Moment, Wish

STANDS = timedelta(hours=1)
UNTOLD = frozenset({"open", "own"})  # to see these is every page: no line is worth it
AT_ONCE = 2000


def write(wish: Wish, decision: Decision) -> None:
    """Add a line, unless the same answer was given to the same question within the hour."""
    if wish.moment == Moment.SEE and decision.code in UNTOLD:
        return
    line = _line(wish, decision)
    key = _question(line)
    if cache.get(key):
        return
    _add(line)
    # Not before it stands: a line that is rolled back must be written again.
    transaction.on_commit(lambda: cache.set(key, True, STANDS.total_seconds()))


def broken() -> Iterator[str]:
    """Name, in words for operators, each place where a chain does not fit together."""
    chains = dict(Chain.objects.values_list("repository", "digest"))
    before, number, repository = "", 0, None
    rows = Decided.objects.order_by("repository", "number")
    for row in rows.iterator(chunk_size=AT_ONCE):
        if row.repository_id != repository:
            if repository is not None:
                yield from _wrong_end(chains, repository, before)
            before, number, repository = "", 0, row.repository_id
        number += 1
        if row.number != number:
            yield f"decision {number} on repository {repository} is missing"
            number = row.number
        if row.before != before or row.digest != digest_of(row):
            yield f"decision {row.number} on repository {repository} was changed"
        before = row.digest
    if repository is not None:
        yield from _wrong_end(chains, repository, before)
    for left in sorted(pk for pk, digest in chains.items() if digest):
        yield f"the last decisions on repository {left} are missing"


def digest_of(row: Decided) -> str:
    """Give the SHA-256 over all that the line says and the digest of the line before."""
    said = [
        row.before,
        row.repository_id,
        row.number,
        row.at.isoformat(),
        row.stands_until.isoformat(),
        row.moment,
        row.allowed,
        row.code,
        row.facts,
        row.person_id,
        row.case_id,
        row.agreement_id,
        row.text_sha256,
        row.revision,
        row.run,
    ]
    written = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(written.encode()).hexdigest()


def _wrong_end(chains: dict[int, str], repository: int, digest: str) -> Iterator[str]:
    if chains.pop(repository, "") != digest:
        yield f"the last decisions on repository {repository} are missing"


def _line(wish: Wish, decision: Decision) -> Decided:
    agreement = decision.agreement
    person = wish.person or wish.on_behalf_of
    return Decided(
        repository=wish.repository,
        moment=str(wish.moment),
        allowed=decision.allowed,
        code=decision.code,
        facts=dict(decision.facts),
        person=person,
        case=wish.case,
        agreement=agreement,
        text_sha256=agreement.text_sha256 if agreement else "",
        revision=wish.revision,
        run=wish.run,
    )


def _question(line: Decided) -> str:
    """Name who asked what and what was answered: the same again needs no line of its own.

    Of a run each is written, as it is another use; `until` is of no account without one.
    """
    asked = (line.repository_id, line.person_id, line.case_id, line.moment, line.run)
    told = (line.revision, line.allowed, line.code, line.agreement_id)
    return "decided:" + ":".join(str(part) for part in (*asked, *told))


@transaction.atomic
def _add(line: Decided) -> None:
    locked = Chain.objects.select_for_update()
    chain = locked.filter(repository=line.repository).first()
    if chain is None:
        Chain.objects.get_or_create(repository=line.repository)
        chain = locked.get(repository=line.repository)
    # By the clock under the lock: whoever waited for it comes later than who had it.
    line.at = timezone.now()
    line.stands_until = line.at + STANDS
    # Also asked here: another process of ours has a memory of its own.
    if _stands(line):
        return
    line.number, line.before = chain.length + 1, chain.digest
    line.digest = digest_of(line)
    line.save(force_insert=True)
    Chain.objects.filter(pk=chain.pk).update(length=line.number, digest=line.digest)


def _stands(line: Decided) -> bool:
    same = Decided.objects.filter(
        repository=line.repository,
        person=line.person,
        case=line.case,
        moment=line.moment,
        run=line.run,
        revision=line.revision,
        allowed=line.allowed,
        code=line.code,
        agreement=line.agreement,
    )
    return same.filter(at__lte=line.at, stands_until__gt=line.at).exists()
