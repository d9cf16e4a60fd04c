"""One look at a revision: every file by its kind, then all of them together."""

from collections import Counter, defaultdict
from pathlib import Path

import duckdb

from fabriek.quality.worker import (
    checks,
    columns,
    doubles,
    engine,
    headings,
    kinds,
    many_texts,
    media,
    memory,
    near,
    notes,
    privacy,
    rules,
    splits,
    tables,
    texts,
)
from fabriek.quality.worker.job import Given, Job, Json, Trouble, problem
from fabriek.quality.worker.names import Names
from fabriek.quality.worker.table import Table

MOST_TABLES = 300
OF_ROWS = ("csv", "jsonl", "json", "parquet", "text")
MOST_PROBLEMS = 500
NO_ROWS = frozenset({"broken_json", "no_json"})  # text all the same


def look(job: Job, names: Names) -> Json:
    by_kind: dict[str, list[Given]] = defaultdict(list)
    for file in job.files:
        by_kind[kinds.kind_of(file)].append(file)
    result: Json = {
        "rules": rules.CURRENT,
        "kinds": {kind: len(files) for kind, files in by_kind.items()},
    }
    problems = _unread(by_kind)
    if (there := job.asked.get("file_count", 0)) > len(job.files):
        problems.append(problem("files_left_out", "wrong", count=there, of=len(job.files)))
    result |= _tables(job, by_kind, names, problems)
    for kind, read in (("image", media.pictures), ("audio", media.sounds)):
        if by_kind[kind]:
            result[kind], found = read(by_kind[kind], job)
            problems += found
    result["names"] = _names_said(job, names)  # at the end: it may have stopped meanwhile
    order = {"wrong": 0, "attention": 1, "note": 2}
    problems.sort(key=lambda one: (order[one["severity"]], one["path"], one["code"]))
    result["problems"] = problems[:MOST_PROBLEMS]
    result["problem_count"] = len(problems)
    headings.mask(result)
    return result


def _names_said(job: Job, names: Names) -> str:
    if not names.are_read:
        return "absent" if not job.asked.get("names") else "failed"
    return "all" if job.asked.get("all_names") else "sampled"


def _unread(by_kind: dict[str, list[Given]]) -> list[Json]:
    """Tell of files that are not opened: pickles, archives."""
    told = []
    if pickles := by_kind["pickle"]:
        one = problem("pickle", "wrong", count=len(pickles))
        told.append(one | {"paths": [file.path for file in pickles[:20]]})
    unread: dict[str, list[Given]] = defaultdict(list)
    for file in by_kind["zip"]:
        wrong, _names = kinds.inside_zip(file.at)
        code = {"bomb": "bomb", "broken_zip": "broken_zip", "pickle": "pickle_in_zip"}.get(
            wrong
        )
        if code:
            told.append(problem(code, "wrong", path=file.path))
        else:
            unread[kinds.unread_kind(file.path) or "archive"].append(file)
    for file in by_kind["other"]:
        unread[kinds.unread_kind(file.path) or "not_read"].append(file)
    return told + [_left(code, files) for code, files in unread.items()]


def _left(code: str, files: list[Given]) -> Json:
    """Tell of files that were left alone; what people wrote may hold anything."""
    one = problem(code, "note" if code == "not_read" else "attention", count=len(files))
    return one | {"paths": [file.path for file in files[:20]]}


def _tables(
    job: Job, by_kind: dict[str, list[Given]], names: Names, problems: list[Json]
) -> Json:
    given = sorted(
        ((kind, file) for kind in OF_ROWS for file in by_kind[kind]),
        key=lambda one: one[1].path,
    )
    rest = given[MOST_TABLES:]
    more = many_texts.read([file for kind, file in rest if kind == "text"], job)
    if rest:
        code = "many_texts" if all(kind == "text" for kind, _file in rest) else "many_files"
        problems.append(problem(code, "attention", count=len(given), of=MOST_TABLES))
    connection = engine.connect(job)
    taken = memory.Memory(job=job)
    files, findings, read = _each(connection, given[:MOST_TABLES], names, problems, taken)
    problems += more.problems
    findings += more.findings
    taken.begin(None)
    findings += notes.findings(connection, by_kind["note"], names, problems, taken)
    taken.begin(None)
    result = {"files": files, "findings": findings}
    if read:
        result |= _together(connection, job, read, files, problems, more)
    return result


def _each(
    connection: duckdb.DuckDBPyConnection,
    given: list[tuple[str, Given]],
    names: Names,
    problems: list[Json],
    taken: memory.Memory,
) -> tuple[list[Json], list[Json], list[Table]]:
    """Read one file after another; what is told of them is by path, whichever came first."""
    job = taken.job
    files, findings, read = [], [], []
    for number, (kind, file) in _in_order(job, given):
        job.tell("tables", done=number, of=len(given), path=file.path)
        try:
            taken.begin(file)
            table = tables.load(connection, job, file, kind, number=number)
            told, found = _one(connection, job, table, names)
        except (Trouble, MemoryError, *engine.OF_A_FILE) as error:
            trouble = taken.trouble_of(error)
            told_of = problem(trouble.code, "wrong", path=file.path)
            problems.append(told_of | {"count": int(trouble.facts.get("count", 0))})
            files.append({"path": file.path, "kind": kind, "broken": trouble.code})
            findings += _read_as_text(job, file, trouble, problems)
            continue
        problems += told.pop("problems")
        files.append(told)
        findings += found
        read.append(table)
    for by_path in (files, findings):
        by_path.sort(key=lambda one: str(one["path"]))
    return files, findings, sorted(read, key=lambda table: table.path)


def _in_order(job: Job, given: list[tuple[str, Given]]) -> list[tuple[int, tuple[str, Given]]]:
    """Take first what failed behind others before: alone it shows whose fault that was."""
    first = job.asked.get("first")
    return sorted(enumerate(given, start=1), key=lambda one: one[1][1].at.name != first)


def _read_as_text(job: Job, file: Given, trouble: Trouble, problems: list[Json]) -> list[Json]:
    """Look for personal data in what holds no row, where it is text."""
    if trouble.code not in NO_ROWS:
        return []
    table = tables.as_text(job, file)
    problems += table.problems
    return privacy.unread(table)


def _one(
    connection: duckdb.DuckDBPyConnection, job: Job, table: Table, names: Names
) -> tuple[Json, list[Json]]:
    """Profile one file; what is personal loses its values before anything is written down."""
    profiled = columns.profile(connection, table)
    problems = [*table.problems]
    problems += checks.of(
        connection, table, profiled, context_tokens=job.asked["context_tokens"]
    )
    if differing := doubles.differing_answers(connection, table):
        problems.append(differing)
    job.tell("personal", path=table.path)
    found = privacy.scan(connection, table, names, all_names=bool(job.asked.get("all_names")))
    personal = {one["column"] for one in found}
    shown = [
        columns.without_values(column)
        if column["name"] in personal
        else columns.with_labels_only(column, names)
        for column in profiled
    ]
    told: Json = {
        "path": table.path,
        "kind": table.kind,
        "rows": table.rows,
        "encoding": table.encoding,
        "delimiter": table.delimiter,
        "split": splits.split_of(table.path),
        "columns": shown,
        "column_count": len(table.columns),
        "characters": sum(column.get("characters", 0) for column in profiled),
        "problems": problems,
    }
    return told, found


def _together(
    connection: duckdb.DuckDBPyConnection,
    job: Job,
    read: list[Table],
    files: list[Json],
    problems: list[Json],
    more: many_texts.Read,
) -> Json:
    job.tell("doubles")
    splits.read(connection, read)
    problems += doubles.exact(connection, read)
    problems += doubles.leaks(connection, read)
    job.tell("near")
    problems += near.near(connection, read)
    job.tell("languages")
    sampled = [text for table in read for text in texts.samples(connection, table)]
    characters = more.characters + sum(file.get("characters", 0) for file in files)
    tokenizer = job.asked.get("tokenizer")
    result: Json = {
        "rows": more.rows + sum(table.rows for table in read),
        "characters": characters,
        "tokens": texts.tokens(
            sampled, characters=characters, tokenizer=Path(tokenizer) if tokenizer else None
        ),
        "splits": _splits(read),
    }
    result["languages"] = texts.languages(sampled)
    return result


def _splits(read: list[Table]) -> Json:
    counted = sum((table.parts for table in read), Counter())
    return {part: rows for part, rows in counted.items() if part}
