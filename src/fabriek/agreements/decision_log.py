"""The log of decisions: one chain for each repository, in which no line can be changed unseen.

A line is put behind the one that was read as the last, if it still is the last: so of two at
once one looks again. The end of the chain is locked until the end of the transaction around
it, which is why decisions are taken outside one.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import groupby
from operator import attrgetter
from typing import Any

from django.core.cache import cache
from django.db import connection, transaction
from django.db.models import Field
from django.utils import timezone
from django.utils.crypto import salted_hmac

from fabriek.agreements import decision_heads
from fabriek.agreements.traces import Chain, Decided
from fabriek.agreements.wishes import Decision, Moment, Wish
from fabriek.kernel.prepared import cursor_that_plans_once, sent

STANDS = timedelta(hours=1)
# Another process may have given another answer meanwhile: for so long we do not look.
REMEMBERED = timedelta(minutes=1)
# Whoever writes while we look has a later clock than we had.
AHEAD = timedelta(minutes=1)
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
    heads = decision_heads.noted_heads()
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
# In two questions to the database, as whoever reads a file waits for them: where is the end,
# and a line behind that. Django takes longer to write them than the database to answer.
def _add(line: Decided) -> None:
    if _added(line):
        return
    with transaction.atomic():  # somebody was before us: now nobody can be
        list(Chain.objects.select_for_update().filter(repository=line.repository_id))
        if not _added(line):
            raise RuntimeError("a chain grew under its lock")


def _added(line: Decided) -> bool:
    """Tell whether it is said now; no, when another line came while we looked."""
    chain, length, digest, *answer = _end(line)
    if answer == _values(line, ANSWER):
        return True  # asked here as well: another process of ours has a memory of its own
    # By the clock after we looked: who comes later in the chain, has the later time.
    line.at = timezone.now()
    line.stands_until = line.at + STANDS
    line.number, line.before = length + 1, digest
    line.digest = digest_of(line)
    if length:
        return _put(line, LONGER, [line.number, line.digest, chain, length, digest]) is not None
    return _begun(line)


def _begun(line: Decided) -> bool:
    """Begin a chain with it, which the journal notes at the same moment."""
    words = [line.repository_id, line.number, line.digest]
    if connection.vendor == "postgresql":
        note = decision_heads.statement(
            line.repository_id, line.number, line.digest, source="grown"
        )
        return _put(line, BEGINNING, words, note=note) is not None
    with transaction.atomic():
        chain = _put(line, BEGINNING, words)
        if chain is None:
            return False
        head = {"length": line.number, "digest": line.digest}
        decision_heads.note_one(Chain(pk=chain, repository_id=line.repository_id, **head))
    return True


def _end(line: Decided) -> tuple[Any, ...]:
    """Give key, length and end of its chain, and the last answer to it that still stands."""
    asked, told = _question_asked(line)
    # With the first of the moments only the lines of the last hour are looked through.
    now = timezone.now()
    moments = [
        AT.get_db_prep_save(moment, connection) for moment in (now - STANDS, now + AHEAD, now)
    ]
    words = [*moments, *_values(line, asked), line.repository_id]
    found = _row(f"{END} {STANDING} AND {' AND '.join(told)} {NEWEST}", words)
    return found or (None, 0, "", None, None, None)


def _question_asked(line: Decided) -> tuple[list["Field[Any, Any]"], list[str]]:
    """Say what makes a line one about the same question, and which fields it names.

    Of the last hour PostgreSQL has no figures, takes all indexes for equally good, and then
    reads all that was decided about a dataset of which everybody asks. So we let it find the
    lines of the person: there is no index that serves `IS NOT DISTINCT FROM`.
    """
    if connection.vendor == "postgresql" and line.person_id is not None:
        others = [field for field in ASKED if field != PERSON]
        told = [f"{field.column} IS NOT DISTINCT FROM %s" for field in others]
        return [PERSON, *others], [f"{PERSON.column} = %s", *told]
    named = [field for field in ASKED if getattr(line, field.attname) is not None]
    told = [
        f"{field.column} = %s" if field in named else f"{field.column} IS NULL"
        for field in ASKED
    ]
    return named, told


def _put(
    line: Decided, first: str, words: list[Any], *, note: decision_heads.Statement | None = None
) -> int | None:
    """Let the chain grow by the statement `first`, and add the line: both, or neither.

    Give the key of the chain; nothing, when its end is not the one that we read. `note`: what
    goes with it, where one statement does all.
    """
    values = _values(line, WRITTEN)
    if connection.vendor == "postgresql":
        beside, more = (f", noted AS ({note[0]})", note[1]) if note else ("", [])
        at_once = f"WITH grown AS ({first}){beside} {INSERT} SELECT {PLACES} FROM grown {GROWN}"  # noqa: S608
        found = _row(at_once, [*words, *more, *values])
        return found[0] if found else None
    with transaction.atomic():
        found = _row(first, words)
        if found:
            _row(f"{INSERT} VALUES ({PLACES}) RETURNING id", values)
    return found[0] if found else None


def _row(text: str, words: list[Any]) -> tuple[Any, ...] | None:
    with cursor_that_plans_once() as cursor:
        cursor.execute(text, sent(words))
        rows = cursor.fetchall()
    return rows[0] if rows else None


def _values(line: Decided, fields: Sequence["Field[Any, Any]"]) -> list[Any]:
    return [
        field.get_db_prep_save(getattr(line, field.attname), connection) for field in fields
    ]


def _fields(*names: str) -> list["Field[Any, Any]"]:
    return [field for field in Decided._meta.concrete_fields if field.name in names]


WRITTEN = [field for field in Decided._meta.concrete_fields if not field.primary_key]
(AT,), (PERSON,) = _fields("at"), _fields("person")
ASKED = _fields("repository", "person", "case", "moment", "run", "revision")
ANSWER = _fields("allowed", "code", "agreement")
LINES, CHAINS = Decided._meta.db_table, Chain._meta.db_table
COLUMNS = ", ".join(str(field.column) for field in WRITTEN)
PLACES = ", ".join("%s" for _field in WRITTEN)
INSERT = f"INSERT INTO {LINES} ({COLUMNS})"
GROWN = "RETURNING (SELECT id FROM grown)"
BEGINNING = (
    f"INSERT INTO {CHAINS} (repository_id, length, digest) VALUES (%s, %s, %s) "  # noqa: S608
    "ON CONFLICT DO NOTHING RETURNING id"
)
LONGER = (
    f"UPDATE {CHAINS} SET length = %s, digest = %s "  # noqa: S608
    "WHERE id = %s AND length = %s AND digest = %s RETURNING id"
)
COLUMNS_ANSWER = ", ".join(str(field.column) for field in ANSWER)
END = (
    f"SELECT ends.id, length, digest, {COLUMNS_ANSWER} "  # noqa: S608
    f"FROM {CHAINS} AS ends LEFT JOIN ("
)
STANDING = (
    f"SELECT {COLUMNS_ANSWER} FROM {LINES} "  # noqa: S608
    "WHERE at >= %s AND at <= %s AND stands_until > %s"
)
NEWEST = "ORDER BY at DESC, number DESC LIMIT 1) AS answers ON 1 = 1 WHERE repository_id = %s"
