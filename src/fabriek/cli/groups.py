"""Groups of commands about one kind of thing: `fabriek cases`, `fabriek cases show CODE`."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import ClassVar

import typer
from typer.core import TyperGroup
from typer.main import get_command


def group(about: str) -> typer.Typer:
    return typer.Typer(help=about, add_completion=False)


def lists_alone(app: typer.Typer, list_all: Callable[[], None]) -> None:
    """Let the group list its things when nothing more is typed: that is what people expect."""

    @app.callback(invoke_without_command=True)
    def alone(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            list_all()


class LazyParts(TyperGroup):
    """Knows its commands by name, and loads the module of the one that is typed.

    `parts`: for each command the module and the function in it.
    """

    parts: ClassVar[Mapping[str, tuple[str, str]]] = {}

    def list_commands(self, ctx):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201, ARG002
        return list(self.parts)

    def get_command(self, ctx, cmd_name):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
        if cmd_name not in self.parts:
            return super().get_command(ctx, cmd_name)
        alone = typer.Typer(add_completion=False)
        alone.command(cmd_name)(part(self.parts[cmd_name]))
        return get_command(alone)


def part(place: tuple[str, str]) -> Callable[..., None]:
    """Load a command by its module and its name there."""
    module, name = place
    found: Callable[..., None] = getattr(import_module(module), name)
    return found
