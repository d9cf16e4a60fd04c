"""DuckDB for one job: bounded memory and disk, no other files, no extensions, all locked."""

import re
from pathlib import Path

import duckdb

from fabriek.quality.worker.job import Job, Trouble, free_bytes

THREADS = 2
LEFT_FREE_BYTES = 2**28


def connect(job: Job) -> duckdb.DuckDBPyConnection:
    """Open a database of our own; the queries are ours too, and names in them quoted."""
    folder = job.temporary
    room = min(job.disk_bytes, free_bytes(folder) - LEFT_FREE_BYTES)
    if room <= 0:
        raise Trouble("disk_full")
    connection = duckdb.connect()  # in memory; what does not fit goes to our folder
    for setting in (
        f"memory_limit='{job.memory_bytes // 2**20}MiB'",
        f"threads={THREADS}",
        f"temp_directory={quoted_text(folder)}",
        f"max_temp_directory_size='{room // 2**20}MiB'",
        "autoinstall_known_extensions=false",
        "autoload_known_extensions=false",
        "enable_progress_bar=false",
        "preserve_insertion_order=true",
        "python_enable_replacements=false",
        f"allowed_directories=[{quoted_text(job.folder)}]",
        "enable_external_access=false",
        "lock_configuration=true",
    ):
        connection.execute(f"SET {setting}")
    return connection


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def quoted_text(text: str | Path) -> str:
    return "'" + str(text).replace("'", "''") + "'"


# What DuckDB says may hold a value out of a row: only its kind is told on.
_KINDS = (
    (duckdb.OutOfMemoryException, "too_much_memory"),
    (MemoryError, "too_much_memory"),
    (duckdb.ConversionException, "broken_values"),
    (duckdb.InvalidInputException, "broken_file"),
    (duckdb.IOException, "broken_file"),
)
_FULL = re.compile(r"no space left|max_temp_directory_size|could not write", re.IGNORECASE)


# What a file can make happen; UnicodeError is a ValueError.
OF_A_FILE = (duckdb.Error, ValueError, RecursionError)


def trouble_of(error: Exception) -> Trouble:
    """Say what is wrong with a file; a file can make a query of ours wrong as well."""
    if _FULL.search(str(error)):
        return Trouble("disk_full")
    code = next((code for kind, code in _KINDS if isinstance(error, kind)), "broken_file")
    return Trouble(code)
