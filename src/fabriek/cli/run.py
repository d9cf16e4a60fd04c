"""`fabriek run RECIPE`: start a recipe. Its options are the recipe's own knobs."""

from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer

from fabriek.cli import code_pack, http, rows, runs, show

app = typer.Typer(no_args_is_help=True, add_completion=False)

# What a recipe's settings are called in its schema is what they are called here, with dashes.
SECONDS_PER_HOUR = 3600
OPEN = {"allow_extra_args": True, "ignore_unknown_options": True}


@app.command(context_settings=OPEN)
def run(
    context: typer.Context,
    recipe: Annotated[str, typer.Argument(help="Which recipe; leave it out for a list.")] = "",
    case: Annotated[str, typer.Option(help="The case that pays.")] = "",
    data: Annotated[
        list[str] | None,
        typer.Option(help="A dataset: D26-0001, or D26-0001@2; own code takes up to three."),
    ] = None,
    model: Annotated[str, typer.Option(help="The base model: M26-0001.")] = "",
    model_b: Annotated[str, typer.Option(help="A second model, to compare with.")] = "",
    answers_to: Annotated[
        str,
        typer.Option(help="Save answers in a dataset of the case: its code, or new."),
    ] = "",
    answers_title: Annotated[str, typer.Option(help="Name of that new dataset.")] = "",
    general: Annotated[str, typer.Option(help="General text, mixed in: a dataset.")] = "",
    folder: Annotated[
        Path | None, typer.Option(help="Of own code: the folder to send, such as .")
    ] = None,
    git: Annotated[
        bool, typer.Option("--git", help="Of that folder, only what is committed.")
    ] = False,
    name: Annotated[str, typer.Option(help="Of own code: its name; else the folder's.")] = "",
    code: Annotated[str, typer.Option(help="Own code that was sent: P26-0001@2.")] = "",
    hours: Annotated[
        float | None, typer.Option(help="Stop after at most; own code is set aside so much.")
    ] = None,
    gpus: Annotated[int, typer.Option(help="How many GPUs, over all nodes.")] = 1,
    nodes: Annotated[int, typer.Option(help="Over how many nodes.")] = 1,
    price_only: Annotated[
        bool, typer.Option("--price", help="Only say what it would cost.")
    ] = False,
    look: Annotated[
        bool, typer.Option("--look", help="Only show what the model will see of the data.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Ten steps on few GPUs, to correct the price by.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Start without asking.")] = False,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Watch it until it ends.")
    ] = False,
) -> None:
    """Start a recipe; shows the price first.

    The recipe's own settings are options too: see fabriek run RECIPE.
    """
    offered = {one["name"]: one for one in http.get("runs/recipes")["items"]}
    if recipe not in offered:
        _list_recipes(offered, recipe)
    if not case:
        _explain(offered[recipe])
    knobs = knobs_from(context.args, offered[recipe]["knobs"])
    if folder:
        code = code_pack.send(folder, case=case, name=name, from_git=git)
    given = _data(data) | {"model": model, "model_b": model_b, "general": general, "code": code}
    wish = {
        "case": case,
        "recipe": recipe,
        "knobs": knobs,
        "inputs": _inputs(offered[recipe], given),
        "gpus": gpus,
        "nodes": nodes,
        "timeout_s": None if hours is None else round(hours * SECONDS_PER_HOUR),
        "dry_run": dry_run,
        "answers_to": answers_to,
        "answers_title": answers_title,
    }
    if look:
        rows.show_rows(http.post("runs/rows", wish))
        return
    _show_price(http.post("runs/price", wish))
    if price_only:
        return
    if not yes and not typer.confirm("Start it?", default=True):
        raise typer.Exit(1)
    started = http.post("runs/", wish | {"wish_id": str(uuid4())})
    runs.print_run(started)
    if follow:
        runs.follow(started["code"])


def _data(codes: list[str] | None) -> dict[str, str]:
    """Name the first, the second and the third dataset as recipes do."""
    names = ("dataset", *(f"dataset_{number}" for number in range(2, len(codes or ()) + 1)))
    return dict(zip(names, codes or (), strict=False))


def _inputs(recipe: http.Json, given: dict[str, str]) -> dict[str, str]:
    """Name what was given as the recipe does; what it has no use for is refused by name."""
    names: dict[str, str] = {}
    for need in recipe["inputs"]:
        names.setdefault(need["kind"], need["name"])  # a second one goes by its own name
    return {names.get(kind, kind): code for kind, code in given.items() if code}


def knobs_from(words: list[str], schema: http.Json) -> dict[str, object]:
    """Read `--epochs 3 --method=full` by the recipe's schema; unknown ones are refused."""
    known = schema["properties"]
    found: dict[str, object] = {}
    rest = list(words)
    while rest:
        word, _, value = rest.pop(0).partition("=")
        name = word.removeprefix("--").replace("-", "_")
        if not word.startswith("--") or name not in known:
            _refuse_option(word, known)
        if not value:
            if not rest:
                typer.echo(f"{word} needs a value.", err=True)
                raise typer.Exit(2)
            value = rest.pop(0)
        found[name] = _typed(value, known[name])
    return found


def _typed(text: str, knob: http.Json) -> object:
    """Give a number where the schema wants one; what is none is refused by the portal."""
    kinds = {"integer": int, "number": float}
    if knob.get("type") == "boolean":
        return text.lower() in {"1", "true", "yes", "on"}
    try:
        return kinds.get(str(knob.get("type")), str)(text)
    except ValueError:
        return text


def _refuse_option(word: str, known: http.Json) -> None:
    typer.echo(f"This recipe has no option {word}. It has:", err=True)
    for name in known:
        typer.echo(f"  --{name.replace('_', '-')}", err=True)
    raise typer.Exit(2)


def _list_recipes(offered: dict[str, http.Json], asked: str) -> None:
    if asked:
        typer.echo(f"There is no recipe “{asked}”. These are offered:", err=True)
    show.table(
        ("recipe", "what it does"),
        ((one["name"], one["summary"]) for one in offered.values()),
        empty="This factory offers no recipes.",
    )
    raise typer.Exit(1 if asked else 0)


def _explain(recipe: http.Json) -> None:
    show.note(f"{recipe['name']}: {recipe['summary']}")
    show.note(recipe["when_to_use"])
    show.table(
        ("option", "default", "allowed", "what it sets"),
        (
            (f"--{name.replace('_', '-')}", knob.get("default"), _bounds(knob), _meaning(knob))
            for name, knob in recipe["knobs"]["properties"].items()
        ),
        empty="It has no settings.",
    )
    inputs = " ".join(_option(need) for need in recipe["inputs"])
    typer.echo(f"Start it: fabriek run {recipe['name']} --case CODE {inputs}")
    raise typer.Exit(0)


def _option(need: http.Json) -> str:
    named = str(need["name"]).replace("_", "-")
    name = "data" if named == "dataset" else named
    return f"--{name} CODE" if need["required"] else f"[--{name} CODE]"


def _bounds(knob: http.Json) -> str:
    if "enum" in knob:
        return ", ".join(str(choice) for choice in knob["enum"])
    least = knob.get("minimum", knob.get("exclusiveMinimum"))
    most = knob.get("maximum", knob.get("exclusiveMaximum"))
    if least is None or most is None:
        return ""
    above = "above " if "exclusiveMinimum" in knob else ""
    return f"{above}{least} to {most}"


def _meaning(knob: http.Json) -> str:
    """Say what a knob sets, and what each of its words stands for."""
    labels: dict[str, str] = knob.get("labels", {})
    told = "; ".join(
        f"{word}: {labels[word]}" for word in knob.get("enum", ()) if word in labels
    )
    return f"{knob['title']} ({told})" if told else str(knob["title"])


def _show_price(price: http.Json) -> None:
    left = price.get("gpu_seconds_left")
    of = f" of your {show.hours(left)}" if left is not None else ""
    show.note(
        f"This run will use about {show.hours(price['gpu_seconds'])} GPU-hours{of}; "
        f"{show.hours(price['gpu_seconds_held'])} are set aside, the rest comes back."
    )
    show.note(f"Energy: about {price['energy_wh'] / 1000:.3g} kWh. {price['energy_method']}")
    if price.get("gpu_seconds_left_held") is not None and price["gpu_seconds_left_held"] >= 0:
        show.note(
            f"Left after it: about {show.hours(price['gpu_seconds_left_expected'])} GPU-hours; "
            f"{show.hours(price['gpu_seconds_left_held'])} while it runs."
        )
    if price.get("is_secure"):
        show.note("This runs on the secure part of the machine: nobody can look in.")
    if price.get("measured"):
        show.note(price["measured"])
    if price.get("memory_note"):
        show.note(price["memory_note"])
    for reason in price["why"]:
        show.note(f"  {reason}")
    for warning in price.get("warnings", ()):
        show.note(warning)
