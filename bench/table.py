"""Results as tables: plain columns for the terminal, Markdown for the file."""

from collections.abc import Sequence
from dataclasses import dataclass, field

Cell = str | int | float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """`note` says under which conditions; a cell that is None was not measured."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""
    ok: bool = field(default=True)

    def plain(self) -> str:
        lines = _columns([list(self.header), *_written(self.rows)])
        rule = "-" * max(map(len, lines))
        note = [self.note] if self.note else []
        return "\n".join([self.title, rule, lines[0], rule, *lines[1:], *note, ""])

    def markdown(self) -> str:
        head = [f"## {self.title}", ""]
        table = [self.header, ["---"] * len(self.header), *_written(self.rows)]
        lines = [f"| {' | '.join(row)} |" for row in table]
        return "\n".join([*head, *lines, *(["", self.note] if self.note else []), ""])


def _written(rows: Sequence[Sequence[Cell]]) -> list[list[str]]:
    return [[_cell(cell) for cell in row] for row in rows]


def _cell(cell: Cell) -> str:
    if cell is None:
        return "–"
    if isinstance(cell, float):
        return f"{cell:,.3f}" if abs(cell) < 1 else f"{cell:,.1f}"
    return f"{cell:,}" if isinstance(cell, int) else cell


def _columns(rows: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
