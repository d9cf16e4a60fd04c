"""How a command ends before its time: with a sentence that says why, and how to go on.

Light, as the commands that are typed most load little else.
"""

from collections.abc import Callable
from functools import wraps
from typing import NoReturn, ParamSpec

import typer

from fabriek.cli.begin import INTERRUPTED

Given = ParamSpec("Given")


def stop(*lines: str) -> NoReturn:
    """Say why this cannot go on, and end the command."""
    for line in lines:
        typer.echo(line, err=True)
    raise typer.Exit(1)


def interruptible(
    how_to_go_on: str,
) -> Callable[[Callable[Given, None]], Callable[Given, None]]:
    """Let Ctrl-C end a command with a sentence that says how to go on."""

    def decorate(command: Callable[Given, None]) -> Callable[Given, None]:
        @wraps(command)
        def run(*args: Given.args, **kwargs: Given.kwargs) -> None:
            try:
                command(*args, **kwargs)
            except KeyboardInterrupt:
                typer.echo(f"Stopped. {how_to_go_on}", err=True)
                raise typer.Exit(INTERRUPTED) from None

        return run

    return decorate
