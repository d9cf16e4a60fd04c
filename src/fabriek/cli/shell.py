"""`fabriek shell CASE`: a terminal on the machine, for as long as you need it."""

import time
from typing import Annotated
from uuid import uuid4

import typer

from fabriek.cli import config, http, runs, show, terminal

app = typer.Typer(no_args_is_help=True, add_completion=False)

LOOK_EVERY_S = 1.0


@app.command()
def shell(
    case: Annotated[str, typer.Argument(help="The case that pays.")] = "",
    gpus: Annotated[int, typer.Option(help="How many GPUs, on one computer.")] = 1,
    hours: Annotated[int, typer.Option(help="It stops by itself after so many.")] = 1,
    idle: Annotated[
        int, typer.Option(help="It also stops when nothing happens for so many minutes.")
    ] = 30,
    data: Annotated[str, typer.Option(help="A dataset to have there: D26-0001.")] = "",
    model: Annotated[str, typer.Option(help="A model to have there: M26-0001.")] = "",
    earlier: Annotated[
        str, typer.Option("--from", help="Begin with the files of this run: R26-0001.")
    ] = "",
    attach: Annotated[
        str, typer.Option(help="Go into a run that is there already: R26-0001.")
    ] = "",
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the run when you leave the shell.")
    ] = False,
) -> None:
    """Work on the machine in a terminal. Leaving the shell stops the run and its cost.

    Ctrl-] leaves the terminal alone: the shell and the run go on, and --attach goes back in.
    """
    if bool(case) == bool(attach):
        http.stop("Name a case, or a run to go into: fabriek shell CASE, or --attach RUN")
    if attach:
        _go_in(attach, stops=False)
        return
    wish = {
        "case": case,
        "gpus": gpus,
        "hours": hours,
        "idle_minutes": idle,
        "inputs": {name: code for name, code in (("dataset", data), ("model", model)) if code},
        "earlier": earlier,
        "wish_id": str(uuid4()),
    }
    begun = http.post("lab/", wish)
    show.note(
        f"{begun['code']}: {show.hours(begun['gpu_seconds_held'])} GPU-hours are set aside; "
        "what you do not use comes back."
    )
    _go_in(begun["code"], stops=not keep)


def _go_in(code: str, *, stops: bool) -> None:
    """Wait until the run is open, work in it, and stop it where that was asked."""
    try:
        _wait(code)
        door = http.post(f"lab/{code}/enter")
        show.note("Leave with exit. Ctrl-] leaves too, and everything goes on.")
        trust = http.trust(config.read())
        left = terminal.attach(door["url"], door["origin"], trust=trust)
    except KeyboardInterrupt:
        left = terminal.Left.ENDED  # before there was a shell: nobody waits for it any more
    if left is terminal.Left.REFUSED:
        http.stop(f"{code} did not let you in. Look at it: fabriek runs show {code}")
    if left is terminal.Left.ENDED and stops:
        _stop(code)
        return
    if left is terminal.Left.LOST:
        _tell_lost(code)
        return
    typer.echo(f"{code} goes on, and costs. Back in: fabriek shell --attach {code}")
    typer.echo(f"Stop it: fabriek runs cancel {code}")


def _wait(code: str) -> None:
    with show.out.status(code) as status:
        while not (lab := http.get(f"lab/{code}"))["is_open"]:
            run = http.get(f"runs/{code}")
            if lab["state"] not in runs.UNFINISHED:
                status.stop()
                runs.print_run(run)
                raise typer.Exit(1)
            status.update(f"{code} · {run['waiting'] or run['stage'] or lab['state']}")
            time.sleep(LOOK_EVERY_S)


def _stop(code: str) -> None:
    """Ask for the end; a run that ended by itself meanwhile is fine."""
    run = http.get(f"runs/{code}")
    if run["state"] in runs.UNFINISHED:
        http.post(f"runs/{code}/cancel")
        typer.echo(f"{code} is being stopped. Its files are kept: --from {code}")
    else:
        typer.echo(f"{code} is over. Its files are kept: --from {code}")


def _tell_lost(code: str) -> None:
    run = http.get(f"runs/{code}")
    if run["state"] not in runs.UNFINISHED:
        runs.print_run(run)
        raise typer.Exit(1)
    http.stop(
        f"The connection was lost; {code} goes on. Back in: fabriek shell --attach {code}"
    )
