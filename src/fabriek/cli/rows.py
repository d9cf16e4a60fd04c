"""What a model will see of rows, printed: roles by name, what is learned from underlined."""

from rich.text import Text

from fabriek.cli import show
from fabriek.cli.http import Json

WHY = {"first": "one of the first", "longest": "the longest one", "lot": "chosen by lot"}
BARS, WIDTH = 12, 40


def show_rows(told: Json) -> None:
    """Print remarks first, then the rows, then how long all of them are."""
    for remark in told["remarks"]:
        mark = {"wrong": "✗ ", "attention": "! "}.get(remark["tone"], "")
        show.note(f"{mark}{remark['text']}")
    for row in told["rows"]:
        show.note(
            f"\n{row['file']}, line {row['line']} ({WHY.get(row['why'], row['why'])}): "
            f"{row['tokens']} tokens, {row['learned']} learned from"
        )
        show.out.print(_row(row["runs"]), soft_wrap=True)
    if told["lengths"]:
        longer = "cut in pieces" if told["are_cut"] else "left out"
        show.note(
            f"\n{told['count']} rows, {told['tokens']} tokens, {told['learned']} learned from. "
            f"Rows of more than {told['longest_used']} tokens are {longer}."
        )
        for line in _histogram(told["lengths"]):
            show.note(line)


def _row(runs: list[Json]) -> Text:
    """Write before each run whose words they are, and whether they are learned from."""
    text = Text()
    for run in runs:
        if run["role"] == "gap":
            text.append(f"\n… {run['tokens'][0]} tokens are not shown …\n", style="dim")
            continue
        if run["role"] != "signs":
            text.append(f"[{run['role']}{', learned' if run['learned'] else ''}] ", style="dim")
        style = "underline" if run["learned"] else "dim" if run["role"] == "signs" else ""
        text.append(_plain("".join(run["tokens"])), style=style)
    return text


def _plain(text: str) -> str:
    """Take out what could steer the terminal: rows are made by strangers."""
    return "".join(one if one.isprintable() or one in "\n\t" else "�" for one in text)


def _histogram(lengths: list[list[int]]) -> list[str]:
    longest = max(size for size, _rows in lengths)
    step = max(1, -(-(longest + 1) // BARS))
    rows = [0] * (longest // step + 1)
    for size, some in lengths:
        rows[size // step] += some
    most = max(rows)
    return [
        f"{at * step:>7} to {at * step + step - 1:<7} {'█' * round(WIDTH * some / most)} {some}"
        for at, some in enumerate(rows)
    ]
