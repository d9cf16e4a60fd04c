"""`fabriek slurm`: what an operator asks of the cluster; the server's own commands do it."""

from typing import Annotated

import typer

from fabriek.cli.groups import group
from fabriek.cli.server import hand_over

app = group("Compare Slurm with the factory's books, and mend it (on the server).")


@app.callback()
def slurm() -> None:
    """Compare Slurm with the factory's books, and mend it (on the server)."""


@app.command()
def diff(
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Say where Slurm's budgets differ from ours; ends with 1 when they do, 2 if unknown."""
    hand_over("slurm_diff", *(["--json"] if as_json else []))


@app.command()
def apply() -> None:
    """Make Slurm's budgets as ours are, and say what could not be mended."""
    hand_over("slurm_apply")


@app.command()
def show(
    account: Annotated[str, typer.Argument(help="The account, such as a26-0007.")],
) -> None:
    """Show limit and use of one account, by Slurm and by our ledger."""
    hand_over("slurm_show", account)


@app.command()
def reconcile(
    days: Annotated[int, typer.Option(help="How many days back to draw again.")] = 3,
) -> None:
    """Draw Slurm's accounting again and correct bills, as the loop does by night."""
    hand_over("slurm_reconcile", "--days", str(days))


@app.command()
def drift(
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Say where Slurm's accounting and our ledger differ; ends with 1 when they do."""
    hand_over("slurm_drift", *(["--json"] if as_json else []))


@app.command(name="import")
def import_(
    file: Annotated[
        str, typer.Argument(help="What sacct printed, plain or .gz; - for a pipe.")
    ],
    zone: Annotated[str, typer.Option(help="Time zone of written moments.")] = "",
) -> None:
    """Bring in old lines of sacct as history; no ledger is changed."""
    hand_over("slurm_import", *(["--zone", zone] if zone else []), "--", file)
