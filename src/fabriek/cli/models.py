"""`fabriek models`: see models and fetch them."""

import hashlib
from pathlib import Path, PurePosixPath
from typing import Annotated
from urllib.parse import quote

import typer

from fabriek.cli import http, show
from fabriek.cli.groups import group, lists_alone

app = group("See models and fetch them.")

SIGNATURE = "model.sig"  # where tools for signed models look for it

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
    for place in http.get_list(f"models/unfinished?q={quote(q)}"):
        show.note(f"{place['name']} is not a model yet. {' '.join(place['reasons'])}")


lists_alone(app, list_models)


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
    show.scores(model["scores"])
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
    answer = http.get(f"models/{code}/files")
    files = answer["items"]
    places = {file["path"]: target / _inside(file["path"]) for file in files}
    for file in files:
        _fetch(code, file, places[file["path"]])
    if answer.get("is_signed"):
        http.fetch_file(f"models/{code}/signature", target / SIGNATURE)
    typer.echo(f"{len(files)} file(s) in {target}")


def _fetch(code: str, file: http.Json, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.is_file() and _sha256(place) == file["sha256"]:
        typer.echo(f"{'there':>10}  {place}")
        return
    digest = http.fetch_file(f"models/{code}/files/{quote(file['path'])}", place)
    if digest != file["sha256"]:
        place.unlink()
        http.stop(f"{place} arrived damaged and was thrown away. Run the command again.")
    typer.echo(f"{show.size(file['size_bytes']):>10}  {place}")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _inside(path: str) -> PurePosixPath:
    """Never write outside the folder, whatever a portal says."""
    found = PurePosixPath(path)
    if found.is_absolute() or ".." in found.parts or not found.parts:
        http.stop(f"The portal names a file outside the folder: {path}. Nothing was fetched.")
    return found
