"""Who may write and not read, as what is there was made of data that is lent to others.

They are told of the bytes that they sent themselves, and of no others: a name of what is in a
file is what is in it, to who could try all that may be. So a commit of theirs always makes a
revision: that nothing differed would say that a guess was right.

Whether a path is there they can still find out, by two ways that stay open. They may leave
files out, as who used the data until its agreement ended takes it away by that, and a name with
a mistake must not pass for a removal. And a file cannot lie below another one: to add `a/b`
tells whether `a` is a file, whatever is answered to the first.
"""

from collections.abc import Collection, Iterable, Mapping

from fabriek.agreements import policy
from fabriek.agreements.inheritance import terms_of
from fabriek.agreements.policy import Moment, Wish
from fabriek.people.models import Person
from fabriek.store import queries, refusals
from fabriek.store.models import Repository


def is_blind(person: Person, repository: Repository) -> bool:
    """Tell it of somebody who may write here: what is wholly their own they may read."""
    if not terms_of(repository):
        return False
    wish = Wish(moment=Moment.READ, repository=repository, person=person)
    return not policy.would(wish).allowed


def missing(repository: Repository, sha256s: Iterable[str], *, by: Person) -> list[str]:
    """Name the bytes that this person must still send; see `store.queries.missing`."""
    return queries.missing(repository, sha256s, sent_by=only_by(by, repository))


def only_by(person: Person, repository: Repository) -> Person | None:
    """Say whose sending counts as here for this person. Nothing: anybody's."""
    return person if is_blind(person, repository) else None


def counts_of(repository: Repository, files: Mapping[str, str]) -> dict[str, int]:
    """Count what they sent, where all of a revision would tell what others did."""
    here = queries.claimed(repository, files.values())
    return {
        "file_count": len(files),
        "size_bytes": sum(here[sha256].size_bytes for sha256 in files.values()),
    }


def require_sent(repository: Repository, files: Mapping[str, str], *, by: Person) -> None:
    """Refuse what somebody names and did not send. `files`: SHA-256 by path. Raises: Invalid.

    That is all the same whether it is there or not.
    """
    found = sent(repository, set(files.values()), by=by) if files else ()
    for path, sha256 in files.items():
        if sha256 not in found:
            raise refusals.never_sent(path)


def sent(repository: Repository, sha256s: Collection[str], *, by: Person) -> Collection[str]:
    """Leave out what this person may not hear of, as somebody else sent it."""
    if not is_blind(by, repository):
        return sha256s
    return queries.sent_by(by, repository, sha256s)
