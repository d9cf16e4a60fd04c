"""The first rows of a file for people, what looks personal masked; nothing of it is kept."""

from collections.abc import Iterable
from dataclasses import replace

from fabriek.datasets import preview
from fabriek.datasets.preview import Preview
from fabriek.quality.findings import Column
from fabriek.quality.worker import headings, rules
from fabriek.store.models import File, Revision

HIDDEN = "•••"
MOST_FILES = 50


def preview_of(revision: Revision, columns: Iterable[Column]) -> Preview | None:
    """Show rows straight from the store; a column with personal data is hidden as a whole."""
    files: list[File] = list(revision.files.select_related("blob")[:MOST_FILES])
    among = preview.showable(files)
    if not among:
        return None
    shown = preview.of(among[0], among=())
    personal = {column.name for column in columns}
    names = [headings.shown(name.strip()) for name in shown.columns]
    hidden = [at for at, name in enumerate(names) if name in personal]
    is_text = not shown.columns and "text" in personal
    rows = [_row(row, hidden, is_text=is_text) for row in shown.rows]
    return replace(shown, columns=names, rows=rows)


def _row(row: list[str], hidden: list[int], *, is_text: bool) -> list[str]:
    if is_text:
        return [HIDDEN for _cell in row]
    return [HIDDEN if at in hidden else _masked(cell) for at, cell in enumerate(row)]


def _masked(cell: str) -> str:
    return rules.masked(cell, rules.current().hits(cell))
