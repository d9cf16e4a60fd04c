"""The `fabriek` command: a thin face on the HTTP API. It imports no server code.

A command's module is loaded only when that command is asked for, so that `fabriek --help` and
the completion of words stay quick.
"""

from importlib import import_module

import typer
from typer.core import TyperGroup
from typer.main import get_command

COMMANDS = {
    "login": ("fabriek.cli.account", "Keep your token, so that every command knows you."),
    "whoami": ("fabriek.cli.account", "Show who you are here, and what you may do."),
    "cases": ("fabriek.cli.cases", "Propose a case and follow it."),
    "apply": ("fabriek.cli.apply", "Apply for GPU-hours, or go on with an application."),
    "data": ("fabriek.cli.data", "Make datasets, push and pull their files."),
    "agreements": ("fabriek.cli.agreements", "Ask for data, and sign agreements on it."),
    "run": ("fabriek.cli.run", "Start a recipe; shows the price first."),
    "code": ("fabriek.cli.code", "See code that was sent, and remove old revisions of it."),
    "runs": ("fabriek.cli.runs", "Follow runs: list, show, logs, cancel, continue."),
    "sweep": ("fabriek.cli.sweep", "Search for good settings: start, show, list, stop."),
    "machine": ("fabriek.cli.machine", "See free GPUs, the queue and where your runs stand."),
    "shell": ("fabriek.cli.shell", "Work on the machine in a terminal."),
    "models": ("fabriek.cli.models", "See models and fetch them."),
    "try": ("fabriek.cli.trying", "Ask a model something, beside its base model."),
    "up": ("fabriek.cli.server", "Serve a factory from this machine."),
    "demo": ("fabriek.cli.server", "Walk a whole case from idea to model, for real."),
    "doctor": ("fabriek.cli.server", "Say what this machine lacks, and how to mend it."),
    "slurm": ("fabriek.cli.slurm", "Compare Slurm with our books, and mend it."),
}
HELP = "Work with an AI factory from the terminal. Begin with: fabriek login"


class LazyGroup(TyperGroup):
    """Knows the names and short helps of all commands without loading any."""

    def list_commands(self, ctx):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201, ARG002
        return list(COMMANDS)

    def get_command(self, ctx, cmd_name):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        module = import_module(COMMANDS[cmd_name][0])
        found = get_command(module.app)
        # A module with several top-level commands holds a group: take the one of this name.
        inner = getattr(found, "commands", {}).get(cmd_name)
        return inner or found

    def format_commands(self, ctx, formatter):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201, ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, short) for name, (_, short) in COMMANDS.items()])


app = typer.Typer(
    cls=LazyGroup, no_args_is_help=True, help=HELP, rich_markup_mode=None, add_completion=True
)


@app.callback()
def main() -> None:
    """Work with an AI factory from the terminal. Begin with: fabriek login."""
