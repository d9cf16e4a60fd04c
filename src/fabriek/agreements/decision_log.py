"""The log of decisions: one chain for each repository, in which no line can be changed unseen.

A chain is made longer under the lock of its last link, so that of two at once one waits. It is
held until the end of the transaction around it, which is why decisions are taken outside one.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import groupby
from operator import attrgetter
from typing import Any

from django.core.cache import cache
from django.db import connection, transaction
from django.db.models import Field, QuerySet
from django.utils import timezone
from django.utils.crypto import salted_hmac

from fabriek.agreements.decision_heads import note_one, noted_heads
from fabriek.agreements.traces import Chain, Decided
from fabriek.agreements.wishes import Decision, Moment, Wish
from fabriek.kernel.prepared import Prepared

STANDS = timedelta(hours=1)
# Another process may have given another answer meanwhile: for so long we do not look.
REMEMBERED = timedelta(minutes=1)
SALT = "fabriek.agreements.decisions"
UNTOLD = frozenset({"open", "own"})  # to see these is every page: no line is worth it
AT_ONCE = 2000


def write(wish: Wish, decision: Decision) -> None:
    """Add a line, unless the last answer to this question was the same, within the hour."""
    if wish.moment == Moment.SEE and decision.code in UNTOLD:
        return
    key, answer = _question(wish), _answer(decision)
    if cache.get(key) == answer:
        return
    _add(_line(wish, decision))
    # Not before it stands: a line that is rolled back must be written again.
    transaction.on_commit(lambda: cache.set(key, answer, REMEMBERED.total_seconds()))


def broken() -> Iterator[str]:
    """Name, in words for operators, each place where a chain does not fit together."""
    chains = dict(Chain.objects.values_list("repository", "digest"))
    heads = noted_heads()
    rows = Decided.objects.order_by("repository", "number").iterator(chunk_size=AT_ONCE)
    for repository, lines in groupby(rows, key=attrgetter("repository_id")):
        before, number = "", 0
        for row in lines:
            yield from _wrong(row, number + 1, before)
            if heads.pop((repository, row.number), row.digest) != row.digest:
                yield f"{_named(row)} is not the one that the journal noted"
            before, number = row.digest, row.number
        if chains.pop(repository, "") != before:
            yield f"the last decisions on repository {repository} are missing"
    for left in sorted(pk for pk, digest in chains.items() if digest):
        yield f"the last decisions on repository {left} are missing"
    for repository, number in sorted(heads):
        yield f"decision {number} on repository {repository}, noted in the journal, is missing"


def _wrong(row: Decided, number: int, before: str) -> Iterator[str]:
    if row.number != number:
        yield f"decision {number} on repository {row.repository_id} is missing"
    if row.before != before or row.digest != digest_of(row):
        yield f"{_named(row)} was changed"


def _named(row: Decided) -> str:
    return f"decision {row.number} on repository {row.repository_id}"


def digest_of(row: Decided) -> str:
    """Give the HMAC-SHA-256 over all that the line says and the digest of the line before.

    With the factory's own key, else whoever may write to the database makes a new chain that
    fits.
    """
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
    return salted_hmac(SALT, written, algorithm="sha256").hexdigest()


def _line(wish: Wish, decision: Decision) -> Decided:
    agreement = decision.agreement
    return Decided(
        repository_id=wish.repository.pk,
        moment=str(wish.moment),
        allowed=decision.allowed,
        code=decision.code,
        facts=dict(decision.facts),
        person_id=_person(wish),
        case_id=wish.case.pk if wish.case else None,
        agreement_id=agreement.pk if agreement else None,
        text_sha256=agreement.text_sha256 if agreement else "",
        revision=wish.revision,
        run=wish.run,
    )


def _person(wish: Wish) -> int | None:
    person = wish.person or wish.on_behalf_of
    return person.pk if person else None


def _question(wish: Wish) -> str:
    """Name who asked what. Of a run each counts, as it is another use."""
    case = wish.case and wish.case.pk
    asked = (wish.repository.pk, _person(wish), case, str(wish.moment), wish.run, wish.revision)
    return "decided:" + ":".join(str(part) for part in asked)


def _answer(decision: Decision) -> tuple[bool, str, int | None]:
    agreement = decision.agreement
    return decision.allowed, decision.code, agreement.pk if agreement else None


# --- writing one ---------------------------------------------------------------------------
# Django takes longer to write these four queries than the database to answer them.
@transaction.atomic
def _add(line: Decided) -> None:
    chain, length, digest = _locked(line.repository_id)
    # By the clock under the lock: whoever waited for it comes later than who had it.
    line.at = timezone.now()
    line.stands_until = line.at + STANDS
    with connection.cursor() as cursor:
        # Also asked here: another process of ours has a memory of its own.
        cursor.execute(*_last(line))
        if cursor.fetchone() == tuple(_values(line, ANSWER)):
            return
        line.number, line.before = length + 1, digest
        line.digest = digest_of(line)
        cursor.execute(INSERT, _values(line, WRITTEN))
        cursor.execute(UPDATE, [line.number, line.digest, chain])
    if line.number == 1:
        note_one(Chain.objects.get(pk=chain))


def _locked(repository: int) -> tuple[int, int, str]:
    """Give the key, the length and the end of its chain, which is ours until we are done."""
    rows = _CHAIN.rows(repository)
    if not rows:
        new = Chain(repository_id=repository)
        Chain.objects.bulk_create([new], ignore_conflicts=True)
        rows = _CHAIN.rows(repository)
    chain, length, digest = rows[0]
    return chain, length, digest


def _last(line: Decided) -> tuple[str, list[Any]]:
    """Ask what was answered last to the same question, if that still stands."""
    asked = [field for field in ASKED if getattr(line, field.attname) is not None]
    told = [
        f"{field.column} = %s" if field in asked else f"{field.column} IS NULL"
        for field in ASKED
    ]
    # With the first of the moments only the lines of the last hour are looked through.
    moments = [
        AT.get_db_prep_save(moment, connection) for moment in (line.at - STANDS, line.at)
    ]
    words = [*moments, moments[-1], *_values(line, asked)]
    return f"{STANDING} AND {' AND '.join(told)} {NEWEST}", words


def _values(line: Decided, fields: Sequence["Field[Any, Any]"]) -> list[Any]:
    return [
        field.get_db_prep_save(getattr(line, field.attname), connection) for field in fields
    ]


def _chain(repository: int) -> "QuerySet[Chain, Any]":
    rows = Chain.objects.select_for_update().filter(repository=repository)
    return rows.values_list("pk", "length", "digest")


def _fields(*names: str) -> list["Field[Any, Any]"]:
    return [field for field in Decided._meta.concrete_fields if field.name in names]


_CHAIN = Prepared(_chain)
WRITTEN = [field for field in Decided._meta.concrete_fields if not field.primary_key]
(AT,) = _fields("at")
ASKED = _fields("repository", "person", "case", "moment", "run", "revision")
ANSWER = _fields("allowed", "code", "agreement")
COLUMNS = ", ".join(str(field.column) for field in WRITTEN)
PLACES = ", ".join("%s" for _field in WRITTEN)
INSERT = f"INSERT INTO {Decided._meta.db_table} ({COLUMNS}) VALUES ({PLACES})"  # noqa: S608
UPDATE = f"UPDATE {Chain._meta.db_table} SET length = %s, digest = %s WHERE id = %s"  # noqa: S608
COLUMNS_ANSWER = ", ".join(str(field.column) for field in ANSWER)
STANDING = (
    f"SELECT {COLUMNS_ANSWER} FROM {Decided._meta.db_table} "  # noqa: S608
    "WHERE at >= %s AND at <= %s AND stands_until > %s"
)
NEWEST = "ORDER BY at DESC, number DESC LIMIT 1"
