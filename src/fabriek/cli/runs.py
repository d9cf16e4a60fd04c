"""`fabriek runs`: follow runs, read their logs, stop and continue them."""

import time
from typing import Annotated

import typer

from fabriek.cli import http, show
from fabriek.cli.groups import group, lists_alone

app = group("Follow runs.")

Code = Annotated[str, typer.Argument(help="The code of the run, such as R26-0001.")]
UNFINISHED = {"waiting", "queued", "running"}
LOOK_EVERY_S = 2.0


@app.command("list")
def list_runs(
    case: Annotated[str, typer.Option(help="Only of this case.")] = "",
    state: Annotated[str, typer.Option(help="waiting, running, succeeded, ...")] = "",
) -> None:
    """List runs, newest first."""
    show.table(
        ("code", "case", "recipe", "state", "GPU-hours", "asked", "expected to start"),
        (
            (
                run["code"],
                run["case"],
                run["recipe"],
                run["state"],
                show.hours(run["gpu_seconds_used"]),
                show.moment(run["asked_at"]),
                show.moment(run["starts_expected_at"]),
            )
            for run in http.everything("runs/", case=case, state=state)
        ),
        empty="There are no runs yet. Begin with: fabriek run",
    )


lists_alone(app, list_runs)


@app.command("show")
def show_run(code: Code) -> None:
    """Show where a run stands."""
    print_run(http.get(f"runs/{code}"))


@app.command()
def logs(
    code: Code,
    follow_it: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the run ends.")
    ] = False,
) -> None:
    """Print what the run says."""
    offset, is_over = _print_log(code, 0)
    while follow_it and not is_over:
        time.sleep(LOOK_EVERY_S)
        offset, is_over = _print_log(code, offset)


@app.command()
def cancel(code: Code) -> None:
    """Stop a run. What it used is billed, the rest comes back."""
    print_run(http.post(f"runs/{code}/cancel"))


@app.command()
def pause(code: Code) -> None:
    """Let a run save and make room; go on later with: fabriek runs continue."""
    print_run(http.post(f"runs/{code}/pause"))


@app.command("continue")
def go_on(
    code: Code,
    step: Annotated[int, typer.Option(help="From the checkpoint of this step.")] = 0,
) -> None:
    """Continue a run that ended early, from its last checkpoint or an earlier one."""
    print_run(http.post(f"runs/{code}/continue" + (f"?step={step}" if step else "")))


@app.command()
def save(
    code: Code,
    to: Annotated[str, typer.Option(help="new, or a dataset of the case.")] = "new",
    title: Annotated[str, typer.Option(help="Name of that new dataset.")] = "",
) -> None:
    """Save the answers that a run left in a dataset of the case."""
    print_run(http.post(f"runs/{code}/answers", {"answers_to": to, "answers_title": title}))


@app.command()
def mend(code: Code) -> None:
    """Start a run that failed again, with what its recipe proposes to change."""
    changes = http.get(f"runs/{code}")["mending"]
    for name, value in changes.items():
        show.note(f"{name}: {value}")
    print_run(http.post(f"runs/{code}/mend"))


def follow(code: str) -> None:
    """Watch a run until it ends; Ctrl-C stops the watching, not the run."""
    try:
        with show.out.status(code) as status:
            while (run := http.get(f"runs/{code}"))["state"] in UNFINISHED:
                status.update(_doing(run))
                time.sleep(LOOK_EVERY_S)
    except KeyboardInterrupt:
        typer.echo(f"\n{code} goes on. Look again: fabriek runs show {code}")
        return
    print_run(run)
    if run["state"] != "succeeded":
        raise typer.Exit(1)


def print_run(run: http.Json) -> None:
    show.facts(
        [
            ("Run", f"{run['code']} · {run['recipe']} · {run['case']}"),
            ("State", run["state"]),
            ("GPU-hours", f"{show.hours(run['gpu_seconds_used'])} used, "
                          f"about {show.hours(run['gpu_seconds_estimated'])} estimated"),
        ]
    )  # fmt: skip
    if run["cancel_asked_at"] and run["state"] in UNFINISHED:
        show.note("The run is being stopped. This takes a few seconds.")
    show.scores(run["scores"])
    told = [run["waiting"], run["expected_start"], run["reason_sentence"], *run["warnings"]]
    told.append((run.get("answers") or {}).get("sentence", ""))
    for sentence in told:
        if sentence:
            show.note(sentence)
    if run["state"] not in UNFINISHED and len(kept := run["checkpoints"]) > 1:
        steps = ", ".join(str(one["step"]) for one in kept)
        show.note(f"Kept from steps {steps}: fabriek runs continue {run['code']} --step STEP")
    show.steps(run)


def _doing(run: http.Json) -> str:
    far = "" if run["percent"] is None else f" {run['percent']:.0f}%"
    return f"{run['code']} · {run['state']} · {run['waiting'] or run['stage']}{far}"


def _print_log(code: str, offset: int) -> tuple[int, bool]:
    """Print all there is from `offset`; tell where it ends, and whether more can come."""
    while True:
        answer = http.get(f"runs/{code}/log", offset=str(offset))
        typer.echo(answer["text"], nl=False)
        if answer["next_offset"] == offset:
            return offset, bool(answer["is_over"])
        offset = int(answer["next_offset"])
