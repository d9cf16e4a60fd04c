"""`fabriek apply`: apply for GPU-hours from a terminal."""

import json
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from fabriek.cli import config, http, show

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.command()
def apply(
    what: Annotated[str, typer.Argument(help="A case to apply for, or an application.")] = "",
    mode: Annotated[str, typer.Option(help="The access mode, to start with.")] = "",
    answers: Annotated[
        Path | None,
        typer.Option(
            help="A JSON file: {section: {question: answer}}.", exists=True, dir_okay=False
        ),
    ] = None,
    submit: Annotated[bool, typer.Option("--submit", help="Hand it in.")] = False,
) -> None:
    """Apply for GPU-hours, or go on with an application.

    Without anything it lists the access modes; with a case it says which of them fit; with
    --mode it starts. Without --answers it prints a file to fill in. What you fill in stays,
    also when handing in is refused.
    """
    if not what:
        _list_modes()
    if not mode and what.upper().startswith("C"):
        _advise(what)
    given = _read(answers) if answers else {}
    application = _start(what, mode) if mode else http.get(f"applications/{what}")
    code = application["code"]
    for section, values in given.items():
        _save(code, section, values)
    if submit:
        application = http.post(f"applications/{code}/submit")
    elif given:
        application = http.get(f"applications/{code}")
    elif application["state"] == "draft":
        _print_questions(application)
        return
    _print_application(application)


def _start(case: str, mode: str) -> http.Json:
    return http.post("applications/", {"case": case, "mode": mode})


def _read(answers: Path) -> dict[str, http.Json]:
    try:
        given = json.loads(answers.read_text(encoding="utf-8"))
    except ValueError as error:
        http.stop(f"{answers} is not JSON: {error}. Mend it and try again.")
    if not isinstance(given, dict) or not all(isinstance(x, dict) for x in given.values()):
        http.stop(f"{answers} must hold {{section: {{question: answer}}}}.")
    return given


def _save(code: str, section: str, values: http.Json) -> None:
    """Keep the answers of one section, on top of whatever was kept before."""
    place = f"applications/{code}/sections/{section}"
    kept = http.get(place)
    saved = http.put(place, {"values": kept["values"] | values, "version": kept["version"]})
    wrong = [one for one in saved["questions"] if one["problem"]]
    typer.echo(f"{section}: kept" + (f", {len(wrong)} to mend" if wrong else ""))
    for one in wrong:
        typer.echo(f"  {section}.{one['key']}: {one['problem']}", err=True)


def _print_questions(application: http.Json) -> None:
    """Print what is answered so far as a file to fill in; what is asked goes beside it."""
    code = application["code"]
    filled = {}
    for part in application["sections"]:
        section = http.get(f"applications/{code}/sections/{part['section']}")
        filled[part["section"]] = {
            one["key"]: section["values"].get(one["key"], "") for one in section["questions"]
        }
        _explain(part, section["questions"])
    typer.echo(json.dumps(filled, indent=2, ensure_ascii=False))
    typer.echo(f"Fill this in and run: fabriek apply {code} --answers FILE --submit", err=True)


def _explain(part: http.Json, questions: list[http.Json]) -> None:
    typer.echo(f"{part['section']}: {part['title']}", err=True)
    for one in questions:
        notes = [one["unit"], ", ".join(one["choices"]), "" if one["required"] else "optional"]
        note = "; ".join(note for note in notes if note)
        typer.echo(f"  {one['key']}: {one['label']}" + (f" ({note})" if note else ""), err=True)


def _print_application(application: http.Json) -> None:
    show.facts(
        [
            ("Application", f"{application['code']} · {application['mode']}"),
            ("Case", f"{application['case']} · {application['title']}"),
            ("State", application["state"]),
        ]
    )
    if application["clock"]:
        show.facts([("Promise", application["clock"])])
    show.steps(application)


def _list_modes() -> NoReturn:
    show.table(
        ("mode", "name", "GPU-hours", "answer", "what it is for"),
        (
            (
                one["code"],
                one["name"],
                f"{one['min_gpu_hours']:,} to {one['max_gpu_hours']:,}",
                one["promise"],
                one["summary"],
            )
            for one in http.get_list("applications/modes")
        ),
        empty="No access mode is open now.",
    )
    raise typer.Exit(0)


def _advise(case: str) -> NoReturn:
    show.table(
        ("mode", "fits", "why"),
        (
            (one["mode"], "yes" if one["fits"] else "no", " ".join(one["reasons"]))
            for one in http.get_list(f"applications/advice/{case}")
        ),
        empty=f"Answer five questions for advice: {config.read().url}/cases/{case}/intake",
    )
    show.note(f"Start with: fabriek apply {case} --mode MODE (all modes: fabriek apply)")
    raise typer.Exit(0)
