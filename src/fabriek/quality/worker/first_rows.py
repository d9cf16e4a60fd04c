"""The first rows of one file, as a look reads it: so its columns have the same names."""

from fabriek.quality.worker import engine, kinds, tables
from fabriek.quality.worker.engine import quoted
from fabriek.quality.worker.job import Job, Json, Trouble

BYTES = "BLOB"
# As DuckDB writes types of which a value is more than one.
NESTED = ("STRUCT", "MAP", "UNION")


def first_rows(job: Job) -> Json:
    (file,) = job.files
    kind = kinds.kind_of(file)
    if kind not in tables.LOADS:
        raise Trouble("broken_file")
    connection = engine.connect(job)
    table = tables.load(connection, job, file, kind, number=1)
    names = list(table.columns)[: job.asked["columns"]]
    most = int(job.asked["characters"])
    asked = ", ".join(_written(name, table.columns[name], most) for name in names)
    try:
        found = connection.execute(
            f"SELECT {asked} FROM {table.view} LIMIT {int(job.asked['rows'])}"  # noqa: S608
        ).fetchall()
    except engine.OF_A_FILE as error:
        raise engine.trouble_of(error) from None
    return {"columns": names, "rows": [[cell or "" for cell in row] for row in found]}


def _written(name: str, kind: str, most: int) -> str:
    """Write a cell as text: what is nested as JSON, of bytes only how many they are."""
    column = quoted(name)
    if kind == BYTES:
        return f"octet_length({column}) || ' bytes'"
    if BYTES in kind:
        return f"CASE WHEN {column} IS NULL THEN NULL ELSE '[…]' END"
    if kind.startswith(NESTED) or kind.endswith("]"):
        return f"left(to_json({column})::VARCHAR, {most})"
    return f"left({column}::VARCHAR, {most})"
