"""`fabriek try MODEL`: ask a model something, and see what its base says to the same."""

import sys
import time
from collections.abc import Iterator
from typing import Annotated
from uuid import uuid4

import typer

from fabriek.cli import http, show

app = typer.Typer(no_args_is_help=True, add_completion=False)

LOOK_EVERY_S = 0.5
ENDED, OPEN = "ended", "open"
TITLES = {"model": "The model", "base": "Its base model"}


@app.command("try")
def try_(
    model: Annotated[str, typer.Argument(help="The model: M26-0001.")],
    prompt: Annotated[
        str, typer.Option(help="Ask this, and end. Without it you are asked what to ask.")
    ] = "",
    system: Annotated[str, typer.Option(help="An instruction before each question.")] = "",
    temperature: Annotated[
        float, typer.Option(help="0 takes the likeliest word each time; higher draws by lot.")
    ] = 0.0,
    tokens: Annotated[int, typer.Option(help="How long an answer may be.")] = 256,
    seed: Annotated[int, typer.Option(help="Both sides draw with the same one.")] = 1,
    alone: Annotated[
        bool, typer.Option("--alone", help="Each question stands alone: nothing is remembered.")
    ] = False,
    minutes: Annotated[int, typer.Option(help="It ends by itself after so many.")] = 15,
    allocation: Annotated[str, typer.Option(help="Who pays; else the first that can.")] = "",
) -> None:
    """Ask a model something, beside its base model. Leaving ends the session and its cost."""
    wish = {
        "model": model,
        "allocation": allocation,
        "minutes": minutes,
        "wish_id": str(uuid4()),
    }
    begun = http.post("try/", wish)
    code = begun["code"]
    show.note(
        f"{code}: {show.hours(begun['gpu_seconds_held'])} GPU-hours are set aside at most; "
        "what you do not use comes back. What you ask is gone when it ends."
    )
    manner = {"system": system, "temperature": temperature, "tokens_max": tokens, "seed": seed}
    try:
        _wait(code)
        # The session may be one that is open in the page: what was asked there stays there.
        goes_on = False
        for question in [prompt] if prompt else _questions(alone=alone):
            turn = _ask(code, {"prompt": question, **manner, "goes_on": goes_on})
            # Mostly it has become too long to read; nothing here leaves a part of it out.
            is_refused = any(answer["refusal"] for answer in turn["answers"])
            if goes_on and is_refused:
                show.note("Your next question begins a new conversation.")
            goes_on = not alone and not is_refused
    except KeyboardInterrupt:
        typer.echo()
    finally:
        _end(code)


def _questions(*, alone: bool) -> Iterator[str]:
    """Ask for questions until an empty line or the end of what comes in."""
    kept = "Each question stands alone." if alone else "What is answered here is remembered."
    show.note(f"An empty line ends the session. {kept}")
    while True:
        try:
            typed = input("> " if sys.stdin.isatty() else "").strip()
        except EOFError:
            return
        if not typed:
            return
        yield typed


def _wait(code: str) -> None:
    with show.out.status(code) as status:
        while (session := http.get(f"try/{code}"))["phase"] != OPEN:
            if session["phase"] == ENDED:
                http.stop(session["why_ended"] or f"{code} is over.")
            status.update(f"{code} · {session['waiting'] or session['phase']}")
            time.sleep(LOOK_EVERY_S)


def _ask(code: str, question: dict[str, object]) -> http.Json:
    """Ask, wait, print what each side says, and give it."""
    number = http.post(f"try/{code}/ask", question)["number"]
    with show.out.status("…"):
        while not (turn := _turn(code, number))["is_over"]:
            time.sleep(LOOK_EVERY_S)
    for answer in turn["answers"]:
        typer.secho(TITLES.get(answer["side"], answer["side"]), bold=True)
        typer.echo(answer["refusal"] or answer["text"])
        typer.secho(f"{answer['tokens']} tokens, {answer['seconds']:.1f} s\n", dim=True)
    return turn


def _turn(code: str, number: int) -> http.Json:
    session = http.get(f"try/{code}")
    found: http.Json | None = next(
        (one for one in session["turns"] if one["number"] == number), None
    )
    if session["phase"] == ENDED or found is None:
        http.stop(session["why_ended"] or f"{code} is over.")
    return found


def _end(code: str) -> None:
    """Ask for the end; one that ended by itself meanwhile is fine."""
    if http.get(f"try/{code}")["phase"] != ENDED:
        http.post(f"try/{code}/end")
        typer.echo(f"{code} ends.")
