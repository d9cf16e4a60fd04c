"""`fabriek data push`: what people type. It loads what sends only where something is new."""

import time
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from fabriek.cli import data_found, data_index, data_question, ends
from fabriek.cli.data_found import Files

SENDING = "fabriek.cli.data_sending"

Code = Annotated[str, typer.Argument(help="The code of the dataset, such as D26-0001.")]


@ends.interruptible("What was sent is kept: run the same command to go on from there.")
def push(
    code: Code,
    sources: Annotated[list[Path], typer.Argument(help="Files or folders.", exists=True)],
    message: Annotated[str, typer.Option("--message", "-m", help="What changed.")] = "",
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
    if delete and (len(sources) != 1 or not sources[0].is_dir()):
        ends.stop("With --delete, push exactly one folder: the dataset becomes what is in it.")
    sources = [source.absolute() for source in sources]
    seen_at_ns = time.time_ns()
    files = data_found.found(sources)
    _require_sound(files)
    looks = data_index.fingerprint(files)
    if not dry_run and (newest := _known(code, looks)):
        say_nothing_new(newest, len(files))
        return
    sending = import_module(SENDING)
    seen = sending.Seen(sources=sources, files=files, looks=looks, at_ns=seen_at_ns)
    sending.push(code, seen, message=message, delete=delete, dry_run=dry_run)


def say_nothing_new(revision: str, count: int) -> None:
    typer.echo("Nothing was new. This revision holds these files already:")
    typer.echo(f"{revision} · {count} file(s)")


def _require_sound(files: Files) -> None:
    if not files:
        ends.stop("There is no file in what you named.")
    empty = [name for name, file in files.items() if not file.size_bytes]
    if empty:
        more = f" So are {len(empty) - 1} more." if len(empty) > 1 else ""
        ends.stop(
            f"“{empty[0]}” is empty (0 bytes).{more} See whether it was saved well, and send "
            "it again. [empty_file]"
        )


def _known(code: str, looks: bytes) -> str:
    """Name the newest revision where all looks as it did when that was these files."""
    with data_index.opened() as index:
        digest = index.digest_at(looks)
    return data_question.newest_if(code, digest) if digest else ""
