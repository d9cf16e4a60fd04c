"""`fabriek data`: make datasets, push and pull their files, and see what changed."""

from typing import Annotated

import typer

from fabriek.cli import http
from fabriek.cli.data_compare import diff, verify
from fabriek.cli.data_drop import drop
from fabriek.cli.data_look import list_data, log
from fabriek.cli.data_open import close, open_
from fabriek.cli.data_pull import pull
from fabriek.cli.data_push import push
from fabriek.cli.groups import group, lists_alone
from fabriek.cli.look import look
from fabriek.cli.record import find, record

app = group("Make datasets, push and pull their files.")


@app.command()
def new(
    case: Annotated[str, typer.Option(prompt="Case", help="The case it belongs to.")],
    title: Annotated[str, typer.Option(prompt="Title", help="What it is.")],
    personal: Annotated[
        bool, typer.Option(prompt="Personal data?", help="Does it hold personal data?")
    ],
    licence: Annotated[
        str, typer.Option(help="consortium-only, CC0-1.0, CC-BY-4.0, ...")
    ] = "consortium-only",
    description: Annotated[str, typer.Option(help="Where it comes from.")] = "",
) -> None:
    """Make an empty dataset in a case."""
    made = http.post(
        "datasets/",
        {
            "case": case,
            "title": title,
            "description": description,
            "licence": licence,
            "has_personal_data": personal,
        },
    )
    typer.echo(f"{made['code']} is made. Push files: fabriek data push {made['code']} FILES")


app.command("ls")(list_data)
app.command("open")(open_)
for command in (push, pull, diff, log, verify, drop, close, look, record, find):
    app.command()(command)
lists_alone(app, list_data)
