"""`fabriek data drop`: let old revisions of a dataset go, after seeing what that does."""

from typing import Annotated, NamedTuple

import typer

from fabriek.cli import http, show
from fabriek.cli.http import Json

ALL_BUT_THE_NEWEST: Json = {"keep_last": 1}
NOT_SAID = (
    "With --yes, say which: revision numbers, --keep-last or --older-than. Nothing was removed."
)


# What dropping is asked alike, of data and of code.
Revisions = Annotated[list[int] | None, typer.Argument(help="Revision numbers.")]
KeepLast = Annotated[int | None, typer.Option(help="Keep this many, at the end.")]
OlderThan = Annotated[int | None, typer.Option(help="Only those older than so many days.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


class How(NamedTuple):
    """Whether only to tell, whether to ask, and whether a program reads it."""

    dry_run: bool
    yes: bool
    as_json: bool


def drop(
    code: Annotated[str, typer.Argument(help="The dataset, such as D26-0001.")],
    revisions: Revisions = None,
    *,
    keep_last: KeepLast = None,
    older_than: OlderThan = None,
    why: Annotated[str, typer.Option(help="Kept with the history.")] = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Remove old revisions that nothing needs: no run, no model, no name, no agreement.

    `drop D26-0001 1 2` removes those two, `drop D26-0001 --keep-last 3` all but the last three.
    First it says what would go, why others stay, and what comes free; what it then removes
    is just that. Without a choice these are all but the newest, and it asks.
    """
    wish = wish_of(revisions or [], keep_last, older_than)
    let_go(f"datasets/{code}/retention", wish, why=why, how=How(dry_run, yes, as_json))


def let_go(address: str, wish: Json, *, why: str, how: How) -> None:
    """Show what would go, ask, and let just that go; `address`: of whose revisions."""
    dry_run, yes, as_json = how
    if yes and not wish and not dry_run:
        typer.echo(NOT_SAID, err=True)
        raise typer.Exit(2)
    plan = http.get(address, **(wish or ALL_BUT_THE_NEWEST))
    if dry_run or not plan["go"]:
        _tell(plan, "would go", as_json=as_json)
        return
    if not yes:
        _tell(plan, "would go", as_json=False, is_aside=as_json)
        typer.confirm(
            "Their files cannot be brought back. Remove them?", abort=True, err=as_json
        )
    # Just those that were shown: what was saved meanwhile is another thing to ask.
    shown = [line["number"] for line in plan["go"]]
    done = http.post(address, {"revisions": shown, "why": why})
    _tell(done, "removed", as_json=as_json)


def wish_of(revisions: list[int], keep_last: int | None, older_than: int | None) -> Json:
    """Say nothing of what was not asked."""
    asked = {"revisions": revisions, "keep_last": keep_last, "older_than_days": older_than}
    return {name: value for name, value in asked.items() if value not in (None, [])}


def _tell(plan: Json, word: str, *, as_json: bool, is_aside: bool = False) -> None:
    """Say it for people or programs; aside, where what a program reads comes later."""
    if as_json:
        show.json(plan)
        return
    for line in plan["stay"]:
        typer.echo(f"  revision {line['number']} stays: {line['why']}", err=is_aside)
    for line in plan["go"]:
        typer.echo(f"  revision {line['number']} {word}", err=is_aside)
    freed = show.size(plan["freed_bytes"])
    typer.echo(f"{len(plan['go'])} revision(s) {word}; {freed} comes free.", err=is_aside)
