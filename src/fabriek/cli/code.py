"""`fabriek code`: see the code that was sent for a case, let old revisions of it go."""

from typing import Annotated

import typer

from fabriek.cli import http, show
from fabriek.cli.data_drop import (
    AsJson,
    DryRun,
    How,
    KeepLast,
    OlderThan,
    Revisions,
    Yes,
    let_go,
    wish_of,
)
from fabriek.cli.groups import group

app = group("See code that was sent, and remove old revisions of it.")
BAD_USE = 2


@app.command("list")
def list_code(case: Annotated[str, typer.Argument(help="Of which case.")]) -> None:
    """List the code of a case, the newest revision of each."""
    show.table(
        ("revision", "name", "files", "size", "commit"),
        (
            (
                one["reference"],
                one["title"],
                one["files"],
                show.size(one["size_bytes"]),
                f"{one['commit'][:12]}{' and more' if one['has_changes'] else ''}",
            )
            for one in http.everything("code/", case=case)
        ),
        empty="Nothing was sent yet. Send a folder: fabriek run script --folder .",
    )


@app.command()
def drop(
    code: Annotated[str, typer.Argument(help="The code, such as P26-0001.")],
    revisions: Revisions = None,
    *,
    keep_last: KeepLast = None,
    older_than: OlderThan = None,
    why: Annotated[str, typer.Option(help="Must be said; kept with the history.")] = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Remove old revisions of code that no run needs. A lead of the case's organisation may.

    First it says what would go, why others stay, and what comes free.
    """
    if not why.strip() and not dry_run:
        typer.echo("Say why they go: --why “…”. Nothing was removed.", err=True)
        raise typer.Exit(BAD_USE)
    wish = wish_of(revisions or [], keep_last, older_than)
    let_go(f"code/{code}/retention", wish, why=why, how=How(dry_run, yes, as_json))
