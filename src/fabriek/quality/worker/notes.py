"""Text that comes with data: read for personal data, as its lines are no rows to learn from.

Each is a column of its own, called by its path, so that it can be decided about.
"""

import duckdb

from fabriek.quality.worker import columns, engine, privacy, tables
from fabriek.quality.worker.job import Given, Job, Json, Trouble, problem
from fabriek.quality.worker.names import Names

MOST_NOTES = 2_000
NUMBERED_FROM = 1_000_000  # apart from tables


def findings(
    connection: duckdb.DuckDBPyConnection,
    job: Job,
    files: list[Given],
    names: Names,
    problems: list[Json],
) -> list[Json]:
    """Read them all, and tell of those that cannot be."""
    found: list[Json] = []
    if len(files) > MOST_NOTES:
        problems.append(problem("many_notes", "attention", count=len(files), of=MOST_NOTES))
    for number, file in enumerate(files[:MOST_NOTES], start=NUMBERED_FROM):
        job.tell("personal", path=file.path)
        try:
            found += _of(connection, job, file, names, number)
        except (Trouble, *engine.OF_A_FILE) as error:
            trouble = error if isinstance(error, Trouble) else engine.trouble_of(error)
            problems.append(problem(trouble.code, "wrong", path=file.path))
    return found


def _of(
    connection: duckdb.DuckDBPyConnection, job: Job, file: Given, names: Names, number: int
) -> list[Json]:
    table = tables.load(connection, job, file, "text", number=number)
    columns.take_sample(connection, table)
    found = privacy.scan(connection, table, names, all_names=bool(job.asked.get("all_names")))
    tables.forget(connection, table)
    return [one | {"column": file.path} for one in found]
