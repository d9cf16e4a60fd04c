"""Files of rows are read before they are kept: a mistake shows now, not in a run."""

from pathlib import Path

from django.utils.translation import gettext as _

from fabriek.kernel.errors import Invalid
from fabriek.store.models import Blob
from fabriek.store.paths import shortened
from fabriek.store.queries import the_store
from fabriek_recipes import rows
from fabriek_recipes.pairs import check_pairs
from fabriek_recipes.rows import RowProblem

ENDING = ".jsonl"


def is_checked(path: str) -> bool:
    return path.casefold().endswith(ENDING)


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
