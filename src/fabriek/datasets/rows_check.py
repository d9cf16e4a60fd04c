"""Files of rows are read before they are kept: a mistake shows now, not in a run."""

from collections.abc import Mapping
from pathlib import Path

from django.utils.translation import gettext as _

from fabriek.kernel.errors import Invalid
from fabriek.store import queries, refusals
from fabriek.store.models import Blob, Repository
from fabriek.store.paths import shortened
from fabriek.store.queries import the_store
from fabriek_recipes import rows
from fabriek_recipes.pairs import check_pairs
from fabriek_recipes.rows import RowProblem

ENDING = ".jsonl"


def is_checked(path: str) -> bool:
    return path.casefold().endswith(ENDING)


def require_new_sound(repository: Repository, named: Mapping[str, str]) -> None:
    """Read the files of rows that are new; what the newest revision holds was read before.

    Only bytes that may be named are read: else a guessed SHA-256 would be answered with what
    stands in somebody else's file.

    `named`: {path: SHA-256}. Raises: Invalid, as `require_sound`, or where one was never sent.
    """
    wanted = {path: sha256 for path, sha256 in named.items() if is_checked(path)}
    there = queries.listing(queries.latest(repository)) if wanted else {}
    known = {blob.sha256 for path, blob in there.items() if is_checked(path)}
    new = {path: sha256 for path, sha256 in wanted.items() if sha256 not in known}
    found = queries.claimed(repository, new.values())
    for path, sha256 in new.items():
        if sha256 not in found:
            raise refusals.never_sent(path)
        require_sound(path, found[sha256])


def require_sound(path: str, blob: Blob) -> None:
    """Read every row of a file.

    Raises:
        Invalid: names the first broken line by its number and says what to do.
    """
    with the_store().under_name(blob, f"rows{ENDING}") as file:
        problem = first_problem(file)
    if problem:
        said = _(problem.sentence.msgid) % problem.sentence.values
        raise Invalid(
            _("“%(path)s” was not saved. %(problem)s")
            % {"path": shortened(path), "problem": said},
            code="broken_row",
        )


def first_problem(file: Path) -> RowProblem | None:
    """Find the first row that is no example for a language model, or in other files no row."""
    if _is_other(file):
        found = (row for row in rows.read_fields(file) if isinstance(row, RowProblem))
        return next(found, None)
    problem = next(iter(rows.check(file, 1, plain=True)), None)
    if problem is None:
        return None
    as_pair = next(iter(check_pairs(file, 1)), None)
    if as_pair is None or as_pair.line > problem.line:
        return as_pair  # the reader that came further knows what the file is
    # For files of questions and answers the other reader says better what is missing.
    as_answer = next(iter(rows.check(file, 1)), None)
    return as_answer if as_answer and as_answer.line == problem.line else problem


def _is_other(file: Path) -> bool:
    """Tell a table, or the questions of a task, by the fields of the first row."""
    first = next(rows.read_fields(file))
    return not isinstance(first, RowProblem) and bool(first) and not first & rows.FIELDS
