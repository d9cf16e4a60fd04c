"""Groups of commands about one kind of thing: `fabriek cases`, `fabriek cases show CODE`."""

from collections.abc import Callable

import typer


def group(about: str) -> typer.Typer:
    return typer.Typer(help=about, add_completion=False)


def lists_alone(app: typer.Typer, list_all: Callable[[], None]) -> None:
    """Let the group list its things when nothing more is typed: that is what people expect."""

    @app.callback(invoke_without_command=True)
    def alone(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            list_all()
