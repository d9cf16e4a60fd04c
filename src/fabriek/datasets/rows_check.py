"""Files of rows are read before they are kept: a mistake shows now, not in a run."""

from pathlib import Path

from django.utils.translation import gettext as _

from fabriek.kernel.errors import Invalid
from fabriek.store.models import Blob
from fabriek.store.paths import shortened
from fabriek.store.queries import the_store
from fabriek_recipes import rows
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
    """Find the first row that is neither a question with its answer nor a text."""
    problem = next(iter(rows.check(file, 1, plain=True)), None)
    if problem is None:
        return None
    # For files of questions and answers the other reader says better what is missing.
    as_answer = next(iter(rows.check(file, 1)), None)
    return as_answer if as_answer and as_answer.line == problem.line else problem
