"""How things look in a terminal: tables, facts, next steps."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

from fabriek.cli.http import Json

out = Console(highlight=False)


def table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """Print rows; `empty` says why there are none and what the first step is."""
    listed = [[_cell(value) for value in row] for row in rows]
    if not listed:
        out.print(empty, markup=False)
        return
    grid = Table(box=None, header_style="bold", pad_edge=False)
    for heading in headings:
        grid.add_column(heading, overflow="fold")
    for row in listed:
        grid.add_row(*row)
    out.print(grid)


def facts(pairs: Iterable[tuple[str, object]]) -> None:
    for name, value in pairs:
        out.print(f"{name:<14} {_cell(value)}", markup=False)


def steps(thing: Json) -> None:
    """Print what can be done next: the same words as on the page."""
    for step in thing.get("next_steps") or []:
        out.print(f"→ {step['sentence']} ({step['label']})", markup=False)


def hours(gpu_seconds: int | None) -> str:
    """GPU-seconds as hours, with as many decimals as they need."""
    if gpu_seconds is None:
        return "-"
    value = gpu_seconds / 3600
    return f"{value:,.3f}" if 0 < value < 1 else f"{value:,.1f}"


def size(size_bytes: int) -> str:
    value = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:  # noqa: PLR2004
            return f"{value:,.0f} {unit}" if unit == "B" else f"{value:,.1f} {unit}"
        value /= 1000
    return f"{value:,.1f} TB"


def moment(text: str | None) -> str:
    return (text or "-")[:16].replace("T", " ")


def _cell(value: object) -> str:
    return "-" if value is None or value == "" else str(value)
