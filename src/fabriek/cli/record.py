"""`fabriek data record` and `fabriek data find`: what others read of your data, and theirs."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated

import typer

from fabriek.cli import http, show

LISTS = {"keywords", "languages", "tasks", "offer_purposes", "offer_duties"}
WIDTH = 60

Code = Annotated[str, typer.Argument(help="The code of the dataset, such as D26-0001.")]


def record(
    code: Code,
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", help="Fill in: --set theme=HEAL --set keywords=care,triage"),
    ] = None,
    listed: Annotated[
        str, typer.Option("--list", help="Who may find it: nobody, members or everybody.")
    ] = "",
    card: Annotated[
        bool, typer.Option("--card", help="Print README.md as it would be.")
    ] = False,
    write_card: Annotated[
        bool, typer.Option("--write-card", help="Save README.md as a new revision.")
    ] = False,
) -> None:
    """Show the record of a dataset and what is missing; or fill it in."""
    found = None
    if sets:
        found = http.patch(f"catalogue/{code}/record", _changes(sets))
    if listed:
        found = http.post(f"catalogue/{code}/listed", {"listed_for": listed})
    if card:
        typer.echo(http.get(f"catalogue/{code}/card")["card"], nl=False)
        return
    if write_card:
        saved = http.post(f"catalogue/{code}/card")
        typer.echo(f"README.md is saved: {code}@{saved['number']}")
        return
    _show(found or http.get(f"catalogue/{code}/record"))


class Kind(StrEnum):
    """What is looked for, where not both."""

    DATASETS = "datasets"
    MODELS = "models"


def find(
    words: Annotated[list[str] | None, typer.Argument(help="What to look for.")] = None,
    *,
    kind: Annotated[Kind | None, typer.Option(help="One of the two only.")] = None,
    theme: Annotated[str, typer.Option(help="Such as HEAL, TRAN, ENVI.")] = "",
    access: Annotated[str, typer.Option(help="PUBLIC, RESTRICTED or NON_PUBLIC.")] = "",
    licence: Annotated[str, typer.Option(help="Such as CC-BY-4.0.")] = "",
    language: Annotated[str, typer.Option(help="Such as nl.")] = "",
    open_: Annotated[bool, typer.Option("--open", help="What is open to everybody.")] = False,
) -> None:
    """Search the catalogue: your data, what others let you find, and open models."""
    asked = {"theme": theme, "access": access, "licence": licence, "language": language}
    asked |= {"q": " ".join(words or []), "open": "yes" if open_ else ""}
    show.table(
        ("code", "owner", "access", "you can", "title"),
        (
            (hit["code"], hit["owner"], hit["access"] or "not said", may, hit["title"][:WIDTH])
            for hit, may in _hits(kind, asked)
        ),
        empty="Nothing fits this. Try fewer words.",
    )


def _hits(kind: Kind | None, asked: Mapping[str, str]) -> Iterator[tuple[http.Json, str]]:
    """Give what fits with what may be done with it: datasets first, as on the page."""
    if kind != Kind.MODELS:
        for hit in http.everything("catalogue/", **asked):
            yield hit, hit["way"]["kind"]
    if kind != Kind.DATASETS:
        for hit in http.everything("catalogue/models/", **asked):
            yield hit, "open"


def _changes(sets: list[str]) -> dict[str, object]:
    """Read `name=value`; lists have a comma between their words, nothing empties a field."""
    changes: dict[str, object] = {}
    for given in sets:
        name, sign, value = given.partition("=")
        if not sign or not name:
            http.stop(f"{given} is not of the form name=value, such as theme=HEAL.")
        if name in LISTS:
            changes[name] = [word for part in value.split(",") if (word := part.strip())]
        elif name.startswith("period_"):
            changes[name] = value or None
        else:
            changes[name] = value
    return changes


def _show(found: http.Json) -> None:
    told = {
        name: found[name]
        for name in (*NAMES, *sorted(LISTS))
        if found[name] not in ("", None, [])
    }
    show.facts(
        (name, ", ".join(value) if isinstance(value, list) else value)
        for name, value in told.items()
    )
    show.facts([("found by", found["listed_for"])])
    for standing in found["standings"]:
        done = "complete" if standing["is_valid"] else f"needs {', '.join(standing['missing'])}"
        far = f"{standing['filled']} of {standing['asked']}"
        show.facts([(standing["output"], f"{far} · {done}")])
    show.table(
        ("field", "asked by", "how to fill it in"),
        (
            (
                gap["field"],
                ", ".join(gap["outputs"]) + (" (needed)" if gap["is_must"] else ""),
                gap["how"],
            )
            for gap in found["gaps"]
        ),
        empty="Nothing is missing.",
    )
    if found["readme_problem"]:
        show.note(found["readme_problem"])


NAMES = (
    "title_nl",
    "title_en",
    "text_nl",
    "text_en",
    "theme",
    "maker",
    "contact_name",
    "contact_email",
    "access",
    "period_from",
    "period_until",
    "place",
    "how_collected",
    "frequency",
    "source",
    "version_notes",
    "landing_page",
    "offer_product",
    "offer_place",
)
