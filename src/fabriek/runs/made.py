"""What a run wrote for people to read: which files, and who may have what stands in them.

Answers to rows say what stands in the rows, so that nobody gets them who may not read the rows
themselves, and likewise for the model that wrote them.
"""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from io import BufferedReader
from itertools import islice

from fabriek.agreements import policy
from fabriek.agreements.policy import Moment
from fabriek.kernel import strange
from fabriek.people.models import Person
from fabriek.runs import folders, lineage, own_files, rules
from fabriek.runs.models import Run
from fabriek.runs.states import UNFINISHED
from fabriek.store.models import Repository
from fabriek_recipes import run_folder

FOLDER = f"{run_folder.OUTPUTS}/answers"
# No other name is ever opened: a job may leave anything in its folder.
NAME = re.compile(r"part-\d{5}\.jsonl")
# Numbers have five digits, so that more pages there are not.
SHOWN_MAX, PAGES_MAX = 100, 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class MadeFile:
    name: str
    size_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class MadeFiles:
    """One page of them, and the numbers of the pages beside it; 0 for none.

    `are_too_many`: own code left so many that none is listed.
    """

    items: Sequence[MadeFile] = ()
    earlier: int = 0
    later: int = 0
    are_too_many: bool = False


def files(run: Run, *, page: int = 1) -> MadeFiles:
    """Name the files that a run left; none while it is at work or when they are gone.

    Recipes number them from 0 without a gap, so that a page asks for its own names only: what
    else lies there, however much, is never read.
    """
    if run.state in UNFINISHED or not 1 <= page <= PAGES_MAX:
        return MadeFiles()
    first = (page - 1) * SHOWN_MAX
    if run.recipe in rules.OWN_CODE:
        try:
            found = list(_named(run, first))
        except strange.TooMany:
            return MadeFiles(are_too_many=True)
    else:
        found = list(_numbered(run, range(first, first + SHOWN_MAX + 1)))
    return MadeFiles(
        items=found[:SHOWN_MAX],
        earlier=page - 1,
        later=page + 1 if len(found) > SHOWN_MAX else 0,
    )


def _numbered(run: Run, numbers: Iterable[int]) -> Iterator[MadeFile]:
    """Look at each until one is not there."""
    place = folders.place(run)
    for number in numbers:
        name = f"part-{number:05d}.jsonl"
        try:
            with strange.opened(place, f"{FOLDER}/{name}") as file:
                size_bytes = os.fstat(file.fileno()).st_size
        except OSError:
            return
        yield MadeFile(name=name, size_bytes=size_bytes)


def _named(run: Run, first: int) -> Iterator[MadeFile]:
    """Look at what own code left under names of its own."""
    for name, size_bytes in islice(own_files.listed(run), first, first + SHOWN_MAX + 1):
        yield MadeFile(name=name, size_bytes=size_bytes)


def may_read_rows(run: Run, person: Person) -> bool:
    """Tell whether this person may read all that the run worked on; nothing is logged."""
    return may_read(lineage.worked_on(run), person)


def may_read(several: Iterable[tuple[Repository, int | None]], person: Person) -> bool:
    """Tell whether this person may read each of these revisions; nothing is logged."""
    return all(policy.would(_read(person, *one)).allowed for one in several)


def require_read(run: Run, person: Person) -> None:
    """Let somebody have what a run wrote about its rows.

    Raises: NotAllowed, with the reason in words.
    """
    for one in lineage.worked_on(run):
        policy.require(_read(person, *one))


@contextmanager
def opened(run: Run, name: str) -> Iterator[BufferedReader]:
    """Open one of the files.

    Raises: FileNotFoundError, when there is no such file, or something else in its place.
    """
    try:
        with _opener(run, name) as file:
            yield os.fdopen(os.dup(file.fileno()), "rb")
    except OSError as error:
        raise FileNotFoundError(name) from error


def _opener(run: Run, name: str) -> AbstractContextManager[BufferedReader]:
    """Raise: FileNotFoundError."""
    if run.state not in UNFINISHED:
        if run.recipe in rules.OWN_CODE:
            return own_files.opened(run, name)
        if NAME.fullmatch(name):
            return strange.opened(folders.place(run), f"{FOLDER}/{name}")
    raise FileNotFoundError(name)


def _read(person: Person, repository: Repository, number: int | None) -> policy.Wish:
    return policy.Wish(
        moment=Moment.READ, repository=repository, person=person, revision=number
    )
