"""The first rows of a file for people, what looks personal masked; nothing of it is kept."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

from fabriek.datasets import preview
from fabriek.datasets.preview import Preview, Row
from fabriek.quality.findings import Column
from fabriek.quality.worker import headings, rules
from fabriek.store.models import File, Revision

HIDDEN = "•••"
MOST_FILES = 50
# More than is shown: what is personal is masked whole, before a cell is cut.
READ_CHARACTERS = 2_000

Json = dict[str, Any]


def preview_of(
    revision: Revision, columns: Iterable[Column], looked_at: Iterable[Json]
) -> Preview | None:
    """Show rows straight from the store; a column with personal data is hidden as a whole.

    `looked_at`: the files as the look read them, which tells where a column has another name.
    """
    files: list[File] = list(revision.files.select_related("blob")[:MOST_FILES])
    among = preview.showable(files)
    if not among:
        return None
    shown = preview.of(among[0], characters=READ_CHARACTERS)
    personal = {column.name for column in columns}
    names = [headings.shown(name.strip()) for name in shown.columns]
    given = shown.rows
    told = next((one for one in looked_at if one["path"] == shown.path), {})
    if told.get("kind") == "csv" and (others := _names(told)) != names:
        # No heading, or two columns of one name: the look gave them names of its own.
        given = given if set(names) & set(others) else [shown.columns, *given][: preview.ROWS]
        names = others if len(others) == len(names) else []
    headed = [preview.cut(name) for name in names]
    return replace(shown, columns=headed, rows=hidden(given, names, personal))


def hidden(rows: Iterable[Row], names: Sequence[str], personal: Collection[str]) -> list[Row]:
    """Hide columns and mask cells; where `names` are not known, hide all if one is personal."""
    columns = {at for at, name in enumerate(names) if name in personal}
    return [_row(row, columns, all_of_it=bool(personal) and not names) for row in rows]


def _names(told: Json) -> list[str]:
    return [column["name"] for column in told.get("columns", [])[: preview.COLUMNS]]


def _row(row: Row, columns: set[int], *, all_of_it: bool) -> Row:
    """Hide columns; where it is not known which are whose, all of them."""
    return [
        HIDDEN if all_of_it or at in columns else _masked(cell) for at, cell in enumerate(row)
    ]


def _masked(cell: str) -> str:
    return preview.cut(rules.masked(cell, rules.current().hits(cell)))
