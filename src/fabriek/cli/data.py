"""`fabriek data`: make datasets and push files into the data facility."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from fabriek.cli import http, show
from fabriek.cli.groups import group, lists_alone

app = group("Make datasets and push files.")

ASKED_AT_ONCE = 5000

Code = Annotated[str, typer.Argument(help="The code of the dataset, such as D26-0001.")]


@app.command("ls")
def list_data(
    code: Annotated[str, typer.Argument(help="A dataset, to see its files.")] = "",
    q: Annotated[str, typer.Option(help="Words to search for.")] = "",
) -> None:
    """List your datasets, or the files of one."""
    if code:
        _list_files(code)
        return
    show.table(
        ("code", "case", "licence", "title"),
        (
            (found["code"], found["case"], found["licence"], found["title"])
            for found in http.everything("datasets/", q=q)
        ),
        empty="There are no datasets yet. Begin with: fabriek data new",
    )


lists_alone(app, list_data)


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


@app.command()
def push(
    code: Code,
    sources: Annotated[list[Path], typer.Argument(help="Files or folders.", exists=True)],
    message: Annotated[str, typer.Option("--message", "-m", help="What changed.")] = "",
) -> None:
    """Push files as one new revision. Bytes that are there already are not sent again."""
    files = _named(sources)
    with _progress() as progress:
        hashes = _hashed(files, progress)
        needed = _missing(code, set(hashes.values()))
        for name, path in files.items():
            if hashes[name] in needed:
                _send(code, name, path, hashes[name], progress)
                needed.discard(hashes[name])
    revision = http.post(
        f"datasets/{code}/revisions",
        {
            "message": message or f"{len(files)} file(s) from the command line",
            "files": [{"path": name, "sha256": digest} for name, digest in hashes.items()],
        },
    )
    if not revision["is_new"]:
        typer.echo("Nothing was new. This revision holds these files already:")
    typer.echo(f"{code}@{revision['number']} · {revision['file_count']} file(s)")


def _named(sources: list[Path]) -> dict[str, Path]:
    """Name each file, and never let one silently take the place of another."""
    files: dict[str, Path] = {}
    for name, path in _found(sources):
        if files.setdefault(name, path) != path:
            http.stop(f"{files[name]} and {path} would both be called {name}. Push one folder.")
    if not files:
        http.stop("There is no file in what you named.")
    return files


def _found(sources: list[Path]) -> Iterator[tuple[str, Path]]:
    """Give each file its own name, or its path below a folder. Links in it stay out."""
    for source in sources:
        if source.is_file():
            yield source.name, source
            continue
        for path in sorted(source.rglob("*")):
            if path.is_symlink():
                typer.echo(f"{path} is a link: left out.", err=True)
            elif path.is_file():
                yield path.relative_to(source).as_posix(), path


def _missing(code: str, hashes: set[str]) -> set[str]:
    """Ask which bytes must be sent, as many at a time as the portal takes."""
    asked = sorted(hashes)
    found: set[str] = set()
    for start in range(0, len(asked), ASKED_AT_ONCE):
        part = {"sha256": asked[start : start + ASKED_AT_ONCE]}
        found.update(http.post(f"datasets/{code}/missing", part)["sha256"])
    return found


def _hashed(files: dict[str, Path], progress: Progress) -> dict[str, str]:
    total = sum(path.stat().st_size for path in files.values())
    task = progress.add_task("Reading", total=total)
    return {name: _sha256(path, progress, task) for name, path in files.items()}


def _sha256(path: Path, progress: Progress, task: TaskID) -> str:
    digest = hashlib.sha256()
    for chunk in _chunks(path):
        digest.update(chunk)
        progress.advance(task, len(chunk))
    return digest.hexdigest()


def _send(code: str, name: str, path: Path, digest: str, progress: Progress) -> None:
    size_bytes = path.stat().st_size
    task = progress.add_task(f"Sending {name}"[:40], total=size_bytes)

    def chunks() -> Iterator[bytes]:
        for chunk in _chunks(path):
            progress.advance(task, len(chunk))
            yield chunk

    asked = {"path": name, "sha256": digest}
    http.send_file(f"datasets/{code}/files", chunks(), size_bytes, params=asked)


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(http.CHUNK_BYTES):
            yield chunk


def _list_files(code: str) -> None:
    found = http.get(f"datasets/{code}")
    now = found["revision"]
    show.facts(
        [
            ("Dataset", f"{found['code']} · {found['title']}"),
            ("Case", found["case"]),
            ("Revision", now and f"{code}@{now}"),
        ]
    )
    show.table(
        ("size", "path"),
        (
            (show.size(file["size_bytes"]), file["path"])
            for file in (http.everything(f"datasets/{code}/files") if now else ())
        ),
        empty=f"It holds no files yet. Push some: fabriek data push {code} FILES",
    )


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=show.out,
        transient=True,
    )
