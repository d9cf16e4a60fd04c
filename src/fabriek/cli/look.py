"""`fabriek data look`: see what is in data before training on it."""

import time
from typing import Annotated

import typer

from fabriek.cli import http, show
from fabriek.cli.http import Json

PAUSE_S = 1.0
FAILED = {"failed", "cancelled"}
OVER = {"done"} | FAILED


def look(
    code: Annotated[str, typer.Argument(help="The code of the dataset, such as D26-0001.")],
    revision: Annotated[int, typer.Option(help="Which revision; the newest when absent.")] = 0,
    again: Annotated[bool, typer.Option("--again", help="Look anew.")] = False,
    all_names: Annotated[
        bool, typer.Option("--all-names", help="Look for names in all rows, not in some.")
    ] = False,
    wait: Annotated[bool, typer.Option(help="Wait until it is over.")] = True,
) -> None:
    """Look at data: what is wrong, with row numbers, and where personal data seems to be."""
    asked = f"?revision={revision}" if revision else ""
    found = None if again or all_names else _last(code, asked)
    if found is None:
        joined = "&" if asked else "?"
        found = http.post(f"looks/{code}{asked}{joined}all_names={str(all_names).lower()}")
    while wait and found["state"] not in OVER:
        time.sleep(PAUSE_S)
        found = http.get(f"looks/{code}{asked}")
    _tell(code, found, asked)


def _last(code: str, asked: str) -> Json | None:
    """Give the look that is there; none is no mistake."""
    answer = http.send("GET", f"looks/{code}{asked}")
    return None if answer.status_code == 404 else http.read(answer)  # noqa: PLR2004


def _tell(code: str, found: Json, asked: str) -> None:
    result = found["result"]
    show.facts(
        [
            ("Dataset", f"{code}@{found['revision']}"),
            ("State", found["state"]),
            ("Now", found["doing"] if found["state"] not in OVER else ""),
            ("Rows", result.get("rows")),
            ("Tokens", (result.get("tokens") or {}).get("count")),
        ]
    )
    if found["trouble"]:
        show.note(found["trouble"])
    if found["state"] in FAILED:
        raise typer.Exit(1)
    if found["state"] != "done":
        return
    show.table(
        ("", "what", "where", "rows"),
        (
            (one["severity"], f"{one['what']} {one['mend']}", _where(one), _rows(one))
            for one in found["problems"]
        ),
        empty="Nothing was found that is wrong.",
    )
    columns = http.get_list(f"looks/{code}/personal{asked}")
    show.table(
        ("column", "seems to hold", "decided"),
        (
            (one["column"], ", ".join(one["kinds"]), one["choice"] or "not yet")
            for one in columns
        ),
        empty="Nothing was found that looks like personal data. That is no proof.",
    )


def _where(one: Json) -> str:
    path = one["path"] or ", ".join(one["paths"][:5])
    return " · ".join(part for part in (path, one["column"]) if part)


def _rows(one: Json) -> str:
    named = ", ".join(map(str, one["rows"][:10]))
    return f"{named} …" if one["count"] > len(one["rows"][:10]) and named else named
