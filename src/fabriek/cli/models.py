"""`fabriek models`: see models and fetch them."""

from pathlib import Path, PurePosixPath
from typing import Annotated

import typer

from fabriek.cli import http, show

app = typer.Typer(no_args_is_help=True, help="See models and fetch them.")

Code = Annotated[str, typer.Argument(help="The code of the model, such as M26-0001.")]


@app.command("list")
def list_models(q: Annotated[str, typer.Option(help="Words to search for.")] = "") -> None:
    """List models: of your cases, and open ones."""
    show.table(
        ("code", "case", "licence", "title"),
        (
            (model["code"], model["case"], model["licence"], model["title"])
            for model in http.everything("models/", q=q)
        ),
        empty="There are no models yet. Make one with: fabriek run",
    )


@app.command("show")
def show_model(code: Code) -> None:
    """Show what a model is, and what it is worth."""
    model = http.get(f"models/{code}")
    show.facts(
        [
            ("Model", f"{model['code']} · {model['title']}"),
            ("Case", model["case"]),
            ("Licence", model["licence"]),
        ]
    )
    show.facts((model["scores"] or {}).items())
    show.steps(model)


@app.command()
def card(code: Code) -> None:
    """Print the model card."""
    typer.echo(http.get(f"models/{code}/card")["card"])


@app.command()
def pull(
    code: Code,
    folder: Annotated[
        Path, typer.Argument(help="Where to put it; its code when left out.")
    ] = Path(),
) -> None:
    """Fetch the files of a model into a folder."""
    target = folder if folder != Path() else Path(code)
    files = http.get(f"models/{code}/files")["items"]
    for file in files:
        place = target / _inside(file["path"])
        place.parent.mkdir(parents=True, exist_ok=True)
        size_bytes = http.fetch_file(f"models/{code}/files/{file['path']}", place)
        typer.echo(f"{show.size(size_bytes):>10}  {place}")
    typer.echo(f"{len(files)} file(s) in {target}")


def _inside(path: str) -> PurePosixPath:
    """Never write outside the folder, whatever a portal says."""
    found = PurePosixPath(path)
    if found.is_absolute() or ".." in found.parts:
        typer.echo(f"The portal names a file outside the folder: {path}", err=True)
        raise typer.Exit(1)
    return found
