"""Text that comes with data: read for personal data, as its lines are no rows to learn from.

Each is a column of its own, called by its path, so that it can be decided about.
"""

import duckdb

from fabriek.quality.worker import columns, engine, privacy, tables
from fabriek.quality.worker.job import Given, Job, Json, Trouble, problem
from fabriek.quality.worker.memory import Memory
from fabriek.quality.worker.names import Names

MOST_NOTES = 2_000
NUMBERED_FROM = 1_000_000  # apart from tables


def findings(
    connection: duckdb.DuckDBPyConnection,
    files: list[Given],
    names: Names,
    problems: list[Json],
    taken: Memory,
) -> list[Json]:
    """Read them all, and tell of those that cannot be."""
    found: list[Json] = []
    job = taken.job
    if len(files) > MOST_NOTES:
        problems.append(problem("many_notes", "attention", count=len(files), of=MOST_NOTES))
    for number, file in enumerate(files[:MOST_NOTES], start=NUMBERED_FROM):
        job.tell("personal", path=file.path)
        try:
            found += _of(connection, job, file, names, number)
        except (Trouble, MemoryError, *engine.OF_A_FILE) as error:
            told = problem(taken.trouble_of(error).code, "wrong", path=file.path)
            problems.append(told)
    return found


def _of(
    connection: duckdb.DuckDBPyConnection, job: Job, file: Given, names: Names, number: int
) -> list[Json]:
    table = tables.load(connection, job, file, "text", number=number)
    columns.take_sample(connection, table)
    found = privacy.scan(connection, table, names, all_names=bool(job.asked.get("all_names")))
    tables.forget(connection, table)
    return [one | {"column": file.path} for one in found]
