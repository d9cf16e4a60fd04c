"""`fabriek cases`: propose a case and follow it."""

from typing import Annotated

import typer

from fabriek.cli import http, show
from fabriek.cli.groups import group, lists_alone

app = group("Propose a case and follow it.")

Code = Annotated[str, typer.Argument(help="The code of the case, such as C26-0001.")]


@app.command("list")
def list_cases(
    q: Annotated[str, typer.Option(help="Words to search for.")] = "",
    state: Annotated[str, typer.Option(help="draft, open, closed or withdrawn.")] = "",
) -> None:
    """List the cases you may see."""
    show.table(
        ("code", "state", "organisation", "title"),
        (
            (case["code"], case["state"], case["organisation"]["name"], case["title"])
            for case in http.everything("cases/", q=q, state=state)
        ),
        empty="There are no cases yet. Begin with: fabriek cases new",
    )


lists_alone(app, list_cases)


@app.command("show")
def show_case(code: Code) -> None:
    """Show where a case stands."""
    print_case(http.get(f"cases/{code}"))


@app.command()
def new(
    title: Annotated[str, typer.Option(prompt="Title", help="What you want to build.")],
    problem: Annotated[str, typer.Option(prompt="Problem", help="Why, in your own words.")],
    sector: Annotated[str, typer.Option(prompt=True, help="mobility, safety, care, other.")],
    trl_now: Annotated[int, typer.Option(prompt="TRL now", help="How ready it is: 1 to 9.")],
    trl_aimed: Annotated[int, typer.Option(prompt="TRL aimed at", help="1 to 9.")],
    organisation: Annotated[
        str, typer.Option(help="KvK number, when you are in several.")
    ] = "",
    data: Annotated[str, typer.Option(help="What data there is.")] = "",
    confidential: Annotated[bool, typer.Option(help="Never named in reports.")] = False,
) -> None:
    """Describe a new case. It stays a draft until you propose it."""
    case = http.post(
        "cases/",
        {
            "organisation_id": _organisation(organisation),
            "title": title,
            "problem": problem,
            "sector": sector,
            "trl_now": trl_now,
            "trl_aimed": trl_aimed,
            "data_description": data,
            "is_confidential": confidential,
        },
    )
    print_case(case)


@app.command()
def propose(code: Code) -> None:
    """Propose a draft to the factory."""
    print_case(http.post(f"cases/{code}/propose"))


@app.command()
def close(code: Code) -> None:
    """Close a case that is finished."""
    print_case(http.post(f"cases/{code}/close"))


@app.command()
def withdraw(code: Code) -> None:
    """Withdraw a case."""
    print_case(http.post(f"cases/{code}/withdraw"))


def print_case(case: http.Json) -> None:
    show.facts(
        [
            ("Case", f"{case['code']} · {case['title']}"),
            ("State", case["state"]),
            ("Organisation", case["organisation"]["name"]),
        ]
    )
    show.steps(case)


def _organisation(number: str) -> int:
    """Take the only organisation there is, or the one with this number."""
    ours: list[http.Json] = http.get("people/me")["roles"]
    found = [role for role in ours if not number or number.upper() == _number(role)]
    if len(found) == 1:
        return int(found[0]["organisation_id"])
    if not ours:
        typer.echo("Register your organisation first, in the portal.", err=True)
    else:
        typer.echo("Say which organisation, by its number: --organisation", err=True)
        for role in ours:
            typer.echo(f"  {_number(role)}  {role['organisation']}", err=True)
    raise typer.Exit(1)


def _number(role: http.Json) -> str:
    return str(role["kvk_number"] or role["foreign_number"])
