"""`fabriek apply`: apply for GPU-hours from a terminal."""

import json
from pathlib import Path
from typing import Annotated

import typer

from fabriek.cli import http, show

app = typer.Typer(no_args_is_help=True)


@app.command()
def apply(
    what: Annotated[str, typer.Argument(help="A case to apply for, or an application.")] = "",
    mode: Annotated[str, typer.Option(help="The access mode; leave it out for a list.")] = "",
    answers: Annotated[
        Path | None,
        typer.Option(help="A JSON file: {section: {question: answer}}.", exists=True),
    ] = None,
    submit: Annotated[bool, typer.Option("--submit", help="Hand it in.")] = False,
) -> None:
    """Apply for GPU-hours, or go on with an application.

    Without --answers it prints a file to fill in. What you fill in stays, also when handing in
    is refused.
    """
    if not what:
        _list_modes()
    application = _start(what, mode) if mode else http.get(f"applications/{what}")
    code = application["code"]
    if answers:
        _save(code, answers)
    if submit:
        application = http.post(f"applications/{code}/submit")
    elif not answers and application["state"] == "draft":
        _print_questions(code)
        return
    show.facts([("Application", code), ("State", application["state"])])
    show.steps(application)


def _start(case: str, mode: str) -> http.Json:
    return http.post("applications/", {"case": case, "mode": mode})


def _save(code: str, answers: Path) -> None:
    try:
        given = json.loads(answers.read_text())
    except ValueError as error:
        typer.echo(f"{answers} is not JSON: {error}. Mend it and try again.", err=True)
        raise typer.Exit(1) from error
    versions = {one["key"]: one["version"] for one in _sections(code)}
    for section, values in given.items():
        body = {"values": values, "version": versions.get(section, 0)}
        http.put(f"applications/{code}/sections/{section}", body)
        typer.echo(f"{section}: kept")


def _print_questions(code: str) -> None:
    """Print what is answered so far as a file that can be filled in and given back."""
    filled = {
        one["key"]: {field["key"]: one["values"].get(field["key"]) for field in one["fields"]}
        for one in _sections(code)
    }
    typer.echo(json.dumps(filled, indent=2, ensure_ascii=False))
    typer.echo(f"Fill this in and run: fabriek apply {code} --answers FILE --submit", err=True)


def _sections(code: str) -> list[http.Json]:
    found: list[http.Json] = http.get(f"applications/{code}/sections")["items"]
    return found


def _list_modes() -> None:
    show.table(
        ("mode", "name", "what it is for"),
        (
            (one["code"], one["name"], one["summary"])
            for one in http.get("applications/modes")["items"]
        ),
        empty="No access mode is open now.",
    )
    raise typer.Exit(0)
