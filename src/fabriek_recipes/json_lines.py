"""Lines of a file and the JSON on them, each problem told by its line; one line is held."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from fabriek_recipes.csv_writing import HasLines
from fabriek_recipes.events import Json
from fabriek_recipes.row_problems import RowProblem, problem
from fabriek_recipes.words import _

LINE_BYTES_MAX = 1024 * 1024


def lines(file: HasLines) -> Iterator[tuple[int, bytes | None]]:
    """Give each line its number; one over the bound is None, and never held in memory."""
    number = 0
    while line := file.readline(LINE_BYTES_MAX + 1):
        number += 1
        if len(line) <= LINE_BYTES_MAX or line.endswith(b"\n"):
            # Windows programs begin a file with a mark that is not part of the first row.
            yield number, line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
            continue
        while (rest := file.readline(LINE_BYTES_MAX)) and not rest.endswith(b"\n"):
            pass
        yield number, None


@dataclass(frozen=True, slots=True)
class Parsed:
    """What stands on a line, which may be nothing at all."""

    value: Json


def parsed(number: int, line: bytes | None) -> Parsed | RowProblem:
    """Read the JSON of a line."""
    if line is None:
        return too_long(number)
    try:
        return Parsed(json.loads(line.decode("utf-8").rstrip("\r\n")))
    except UnicodeDecodeError:
        return problem(number, _("Line %(line)s is not UTF-8 text; save the file as UTF-8."))
    except json.JSONDecodeError as why:
        return not_json(number, why.pos + 1)
    except (ValueError, RecursionError):
        return too_large(number)


def too_long(number: int) -> RowProblem:
    """Say that it is over the bound."""
    most = LINE_BYTES_MAX // 1024
    text = _("Line %(line)s is longer than %(most)s KiB; split the row.")
    return problem(number, text, most=most)


def not_json(number: int, column: int) -> RowProblem:
    """Say where it stops being JSON."""
    text = _("Line %(line)s is not valid JSON near character %(column)s; mend or remove it.")
    return problem(number, text, column=column)


def too_large(number: int) -> RowProblem:
    """Say that Python cannot hold what it says."""
    text = _("Line %(line)s holds a number or nesting too large to read; mend or remove it.")
    return problem(number, text)
