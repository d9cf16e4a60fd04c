"""`fabriek data new`: make an empty dataset in a case."""

from typing import Annotated

import typer

from fabriek.cli import http


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
