"""`fabriek up`, `demo` and `doctor`: hand over to the server's own commands."""

import importlib.util
import os
import sys
from enum import StrEnum
from typing import Annotated

import typer

from fabriek.cli import cluster

app = typer.Typer(no_args_is_help=True, add_completion=False)


class EngineChoice(StrEnum):
    LOCAL = "local"
    SLURM = "slurm"


def hand_over(command: str, *words: str) -> None:
    """Become `python -m fabriek`: this package stays free of server code."""
    if importlib.util.find_spec("django") is None:
        typer.echo(
            "The server is not installed here. Install it: pip install fabriek", err=True
        )
        raise typer.Exit(1)
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "fabriek", command, *words])  # noqa: S606


@app.command()
def up(
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="On which port.")] = 8000,
) -> None:
    """Serve a factory from this machine: the portal, its API and its loop."""
    hand_over("up", "--host", host, "--port", str(port))


@app.command()
def demo(
    data: Annotated[str, typer.Option(help="Your own rows: a .jsonl file.")] = "",
    exit_after: Annotated[
        bool, typer.Option("--exit", help="Stop after the summary; do not serve.")
    ] = False,
    port: Annotated[int, typer.Option(help="Where the portal is served after.")] = 8000,
    engine: Annotated[
        EngineChoice | None,
        typer.Option(help="What runs it: this machine, or a Slurm (in `var/slurm`)."),
    ] = None,
) -> None:
    """Walk a whole case from idea to model, for real, in the folder `var`."""
    try:
        cluster.choose(engine or "")
    except cluster.NoCluster as none:
        typer.echo(str(none), err=True)
        raise typer.Exit(1) from none
    # Letters would run through the progress display; they lie in var/mail instead.
    os.environ.setdefault("FABRIEK_MAIL", "filebased")
    words = ["--port", str(port)]
    words += ["--data", data] if data else []
    words += ["--exit"] if exit_after else []
    words += ["--engine", engine] if engine else []
    hand_over("demo", *words)


@app.command()
def doctor() -> None:
    """Say what this machine lacks, and how to mend it."""
    hand_over("doctor")
