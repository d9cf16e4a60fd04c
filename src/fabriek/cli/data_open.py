"""`fabriek data open` and `close`: let everybody have a dataset, or nobody new."""

from typing import Annotated

import typer

from fabriek.cli import http

Code = Annotated[str, typer.Argument(help="The dataset, such as D26-0001.")]
LAST = "Copies that people make cannot be taken back. Open it to everybody?"


def open_(
    code: Code,
    *,
    why: Annotated[
        str, typer.Option(help="What makes it right, where it holds personal data.")
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Let everybody find a dataset, read its files and use them under its licence."""
    if not yes:
        typer.confirm(LAST, abort=True)
    http.post(f"catalogue/{code}/open", {"sure": True, "why": why})
    typer.echo(f"{code} is open to everybody.")


def close(
    code: Code,
    *,
    why: Annotated[str, typer.Option(help="Kept with the history.")] = "",
) -> None:
    """Close a dataset for new use; copies that people made stay with them."""
    http.post(f"catalogue/{code}/close", {"why": why})
    typer.echo(f"{code} is closed: new use needs an agreement.")
