"""How things look in a terminal: tables, facts, next steps."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from json import dumps

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fabriek import figures
from fabriek.cli.http import Json

# What goes to a file or another program is not folded to the width of a screen.
UNFOLDED = 1000
NAME_WIDTH = 18  # of “exact_match_before”, the longest
out = Console(highlight=False, width=None if sys.stdout.isatty() else UNFOLDED)


def table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """Print rows; `empty` says why there are none and what the first step is."""
    listed = [[_cell(value) for value in row] for row in rows]
    if not listed:
        note(empty)
        return
    grid = Table(box=None, header_style="bold", pad_edge=False)
    for heading in headings:
        grid.add_column(heading, overflow="fold")
    for row in listed:
        grid.add_row(*(Text(cell) for cell in row))
    out.print(grid)


def facts(pairs: Iterable[tuple[str, object]]) -> None:
    for name, value in pairs:
        note(f"{name:<{NAME_WIDTH}} {_cell(value)}")


def scores(measured: Mapping[str, float | None] | None) -> None:
    """Print scores as the pages write them."""
    facts(
        (name, "not measured" if value is None else figures.score(name, value))
        for name, value in (measured or {}).items()
    )


def note(text: str) -> None:
    out.print(text, markup=False, soft_wrap=True)


def steps(thing: Json) -> None:
    """Print what can be done next: the same words as on the page."""
    for step in thing.get("next_steps") or []:
        note(f"→ {_cell(step['sentence'])} ({_cell(step['label'])})")


def json(value: object) -> None:
    """Print for programs; as ASCII, so that nothing in a name can steer the terminal."""
    out.print(dumps(value, indent=2), markup=False, soft_wrap=True)


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
    """Write a moment of the API as the clock of this terminal has it."""
    return f"{datetime.fromisoformat(text).astimezone():%Y-%m-%d %H:%M}" if text else "-"


def _cell(value: object) -> str:
    """Write any value on one line; signs that could steer the terminal become spaces."""
    text = "".join(sign if sign.isprintable() else " " for sign in str(value))
    return "-" if value is None or not text else text
