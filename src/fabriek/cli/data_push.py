"""`fabriek data push`: what people type. What sends is loaded where something may be new."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from fabriek.cli import data_found, ends
from fabriek.cli.data_excluded import Unfit
from fabriek.cli.data_found import Look
from fabriek.cli.data_unchanged import TO_GO_ON

SENDING = "fabriek.cli.data_sending"
GIT = ".git"

Code = Annotated[str, typer.Argument(help="The code of the dataset, such as D26-0001.")]
Exclude = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PATTERN",
        help="Leave out what is called so, such as '*.tmp' or '.git/'; may be said again.",
    ),
]


@ends.interruptible(TO_GO_ON)
def push(
    context: typer.Context,
    code: Code,
    sources: Annotated[list[str], typer.Argument(help="Files or folders.")],
    message: Annotated[str, typer.Option("--message", "-m", help="What changed.")] = "",
    exclude: Exclude = None,
    delete: Annotated[
        bool, typer.Option("--delete", help="Leave out what is no longer in the folder.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be sent.")
    ] = False,
) -> None:
    """Push files as one new revision. Bytes that are there already are not sent again.

    Broken off by Ctrl-C or the network? Run the same command: it goes on where it stopped.
    """
    if delete and (len(sources) != 1 or not Path(sources[0]).is_dir()):
        ends.stop("With --delete, push exactly one folder: the dataset becomes what is in it.")
    look = looked(sources, exclude or [], seen=context.obj)
    _require_sound(look)
    sending = import_module(SENDING)
    sending.push(code, look, message=message, delete=delete, dry_run=dry_run)


def looked(
    sources: Sequence[str], exclude: Sequence[str] = (), *, seen: Look | None = None
) -> Look:
    """Look at what was named, unless it was `seen` a moment ago; tell what is left out."""
    try:
        whole = [data_found.absolute(source) for source in sources]
        is_seen = seen is not None and (seen.sources, seen.exclude) == (whole, list(exclude))
        look = seen if seen and is_seen else data_found.look(whole, exclude)
    except Unfit as why:
        ends.stop(str(why))
    for line in look.told:
        typer.echo(line, err=True)
    return look


def _require_sound(look: Look) -> None:
    if not look.file_count and look.exclude:
        ends.stop("--exclude leaves out every file in what you named. Nothing was sent.")
    if not look.file_count:
        ends.stop("There is no file in what you named.")
    _require_no_git(look.names)
    empty = [
        name for name, size_bytes in zip(look.names, look.sizes, strict=True) if not size_bytes
    ]
    if empty:
        more = f" So are {len(empty) - 1} more." if len(empty) > 1 else ""
        ends.stop(
            f"“{empty[0]}” is empty (0 bytes).{more} See whether it was saved well, and send "
            f"it again, or leave it out: --exclude '{empty[0]}'. [empty_file]"
        )


def _require_no_git(names: Sequence[str]) -> None:
    """Say it before all is sent: the portal takes nothing of git's own."""
    found = next((name for name in names if GIT in name.lower().split("/")), None)
    if found is None:
        return
    parts = found.split("/")
    at = [part.lower() for part in parts].index(GIT)
    own = "/".join(parts[: at + 1])
    pattern = f"{own}/" if at + 1 < len(parts) else own
    ends.stop(
        f"“{found}” is git's own, and no dataset can hold it. Leave it out: "
        f"--exclude '{pattern}'. [path]"
    )
