"""`fabriek data`: make datasets, push and pull their files, and see what changed.

Each command is loaded when it is typed: what one needs, another need not wait for.
"""

import typer

from fabriek.cli.groups import LazyParts, lists_alone, part

LIST = ("fabriek.cli.data_look", "list_data")
COMMANDS = {
    "new": ("fabriek.cli.data_new", "new"),
    "ls": LIST,
    "open": ("fabriek.cli.data_open", "open_"),
    "push": ("fabriek.cli.data_push", "push"),
    "pull": ("fabriek.cli.data_pull", "pull"),
    "diff": ("fabriek.cli.data_compare", "diff"),
    "log": ("fabriek.cli.data_look", "log"),
    "verify": ("fabriek.cli.data_compare", "verify"),
    "drop": ("fabriek.cli.data_drop", "drop"),
    "close": ("fabriek.cli.data_open", "close"),
    "look": ("fabriek.cli.look", "look"),
    "record": ("fabriek.cli.record", "record"),
    "find": ("fabriek.cli.record", "find"),
}


class Parts(LazyParts):
    parts = COMMANDS


app = typer.Typer(
    cls=Parts, help="Make datasets, push and pull their files.", add_completion=False
)


def list_data() -> None:
    part(LIST)()


lists_alone(app, list_data)
