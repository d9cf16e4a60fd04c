"""`fabriek sweep`: search for good settings, follow a search, stop it, train its winner."""

from typing import Annotated
from uuid import uuid4

import typer

from fabriek.cli import http, runs, show
from fabriek.cli.groups import group, lists_alone
from fabriek.cli.run import knobs_from

app = group("Search for good settings of a recipe.")

Code = Annotated[str, typer.Argument(help="The code of the search, such as S26-0001.")]
# What a recipe's settings are called in its schema is what they are called here, with dashes.
OPEN = {"allow_extra_args": True, "ignore_unknown_options": True}
SECONDS_PER_HOUR = 3600
BAD_USE = 2


@app.command("list")
def list_sweeps(
    case: Annotated[str, typer.Option(help="Only of this case.")] = "",
) -> None:
    """List searches, newest first."""
    show.table(
        ("code", "case", "recipe", "state", "trials", "GPU-hours at most", "asked"),
        (
            (
                one["code"],
                one["case"],
                one["recipe"],
                one["state"],
                one["trials"],
                show.hours(one["gpu_seconds_budget"]),
                show.moment(one["asked_at"]),
            )
            for one in http.everything("sweeps/", case=case)
        ),
        empty="There are no searches yet. Begin with: fabriek sweep start",
    )


lists_alone(app, list_sweeps)


@app.command(context_settings=OPEN)
def start(
    context: typer.Context,
    recipe: Annotated[str, typer.Argument(help="Which recipe; leave it out for a list.")] = "",
    case: Annotated[str, typer.Option(help="The case that pays.")] = "",
    budget: Annotated[
        float, typer.Option(help="GPU-hours that all its runs together may use at most.")
    ] = 0.0,
    data: Annotated[str, typer.Option(help="A dataset: D26-0001, or D26-0001@2.")] = "",
    model: Annotated[str, typer.Option(help="The base model: M26-0001.")] = "",
    search: Annotated[
        list[str] | None,
        typer.Option(
            help="A setting and where to search it: learning-rate=0.0001..0.01, :even or "
            ":factors behind it; method=lora,full. Without any: what is suggested."
        ),
    ] = None,
    trials: Annotated[int, typer.Option(help="How many to try; 0: by the budget.")] = 0,
    halving: Annotated[int, typer.Option(help="One in so many goes on: 2, 3, 4; 0: all.")] = 3,
    at_once: Annotated[int, typer.Option(help="Runs at the same time.")] = 2,
    score: Annotated[str, typer.Option(help="By which the best is chosen.")] = "",
    gpus: Annotated[int, typer.Option(help="How many GPUs for each run.")] = 1,
    nodes: Annotated[int, typer.Option(help="Over how many nodes each.")] = 1,
    seed: Annotated[int, typer.Option(help="The same in each run.")] = 1,
    price_only: Annotated[
        bool, typer.Option("--price", help="Only say what it would cost.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Start without asking.")] = False,
) -> None:
    """Begin a search; shows the price first.

    The recipe's own settings are options too, for what is the same in each trial.
    """
    known = {one["recipe"]: one for one in http.get("sweeps/recipes")["items"]}
    if recipe not in known:
        _list_recipes(known, recipe)
    if not case or budget <= 0:
        _explain(known[recipe])
    offered = {one["name"]: one for one in http.get("runs/recipes")["items"]}
    wish = {
        "case": case,
        "recipe": recipe,
        "gpu_seconds_budget": round(budget * SECONDS_PER_HOUR),
        "knobs": knobs_from(context.args, offered[recipe]["knobs"]),
        "inputs": _inputs(offered[recipe], {"dataset": data, "model": model}),
        "ranges": [_range(one) for one in search or ()],
        "score": score,
        "trials": trials or None,
        "halving": halving,
        "at_once": at_once,
        "gpus": gpus,
        "nodes": nodes,
        "seed": seed,
    }
    _show_price(http.post("sweeps/price", wish))
    if price_only:
        return
    if not yes and not typer.confirm("Start it?", default=True):
        raise typer.Exit(1)
    _print(http.post("sweeps/", wish | {"wish_id": str(uuid4())}))


@app.command("show")
def show_sweep(code: Code) -> None:
    """Show where a search stands, and its trials, the best first."""
    _print(http.get(f"sweeps/{code}"))


@app.command()
def stop(code: Code) -> None:
    """Stop a search for good, with its runs; what it found is kept."""
    _print(http.post(f"sweeps/{code}/stop"))


@app.command("go-on")
def go_on(code: Code) -> None:
    """Let a search that stands still go on."""
    _print(http.post(f"sweeps/{code}/go-on"))


@app.command()
def keep(code: Code) -> None:
    """Train the winner at full length; its model is kept."""
    run = http.post(f"sweeps/{code}/keep")["run"]
    runs.print_run(http.get(f"runs/{run}"))


def _inputs(recipe: http.Json, given: dict[str, str]) -> dict[str, str]:
    """Name what was given as the recipe does; what it has no use for is refused by name."""
    names: dict[str, str] = {}
    for need in recipe["inputs"]:
        names.setdefault(need["kind"], need["name"])
    return {names.get(kind, kind): code for kind, code in given.items() if code}


def _range(word: str) -> http.Json:
    """Read `learning-rate=0.0001..0.01:factors`, `method=lora,full` or a bare name."""
    name, _sign, where = word.partition("=")
    found: http.Json = {"name": name.removeprefix("--").replace("-", "_")}
    where, _sign, spread = where.partition(":")
    if spread:
        if spread not in {"factors", "even"}:
            _refuse(word)
        found["log"] = spread == "factors"
    if ".." in where:
        low, _sign, high = where.partition("..")
        try:
            found |= {"low": float(low), "high": float(high)}
        except ValueError:
            _refuse(word)
    elif where:
        words = {"true": True, "false": False}
        found["choices"] = [words.get(one, one) for one in where.split(",")]
    return found


def _refuse(word: str) -> None:
    typer.echo(
        f"“{word}” cannot be read. Write --search learning-rate=0.0001..0.01:factors, or "
        "--search method=lora,full",
        err=True,
    )
    raise typer.Exit(BAD_USE)


def _list_recipes(known: dict[str, http.Json], asked: str) -> None:
    if asked:
        typer.echo(f"“{asked}” has no settings to search. These have:", err=True)
    show.table(
        ("recipe", "searched when you say nothing"),
        ((one["recipe"], ", ".join(one["suggested"])) for one in known.values()),
        empty="This factory offers no recipe of which settings can be searched.",
    )
    raise typer.Exit(1 if asked else 0)


def _explain(recipe: http.Json) -> None:
    show.table(
        ("setting", "where", "spread", "suggested"),
        (
            (
                one["name"].replace("_", "-"),
                _where(one),
                "" if one["choices"] else "factors" if one["log"] else "even",
                "yes" if one["name"] in recipe["suggested"] else "",
            )
            for one in recipe["ranges"]
        ),
        empty="It has no settings to search.",
    )
    show.note(f"The best is chosen by: {', '.join(recipe['scores'])}")
    if not recipe["goes_on"]:
        show.note("It saves nothing half-way to go on from, so each trial is a whole run.")
    typer.echo(
        f"Start it: fabriek sweep start {recipe['recipe']} --case CODE --data CODE --budget 20"
    )
    raise typer.Exit(0)


def _where(one: http.Json) -> str:
    if one["choices"]:
        return ", ".join(str(choice) for choice in one["choices"])
    return f"{one['low']:g} to {one['high']:g}"


def _show_price(price: http.Json) -> None:
    show.note(
        f"{price['trials']} trials will use about {show.hours(price['gpu_seconds'])} "
        f"GPU-hours, and never more than {show.hours(price['gpu_seconds_budget'])}."
    )
    for place, one in enumerate(price["rounds"], start=1):
        is_whole = one["until_share"] == 1
        far = "in full" if is_whole else f"up to {one['until_share']:.0%} of their steps"
        show.note(
            f"  round {place}: {one['trials']} trials {far}, "
            f"about {show.hours(one['gpu_seconds_each'])} each"
        )
    if not price["is_enough"]:
        show.note(
            "That is probably not enough for all of them; what is not reached is left out."
        )
    show.note(
        f"Energy: about {price['energy_wh'] / 1000:.3g} kWh, at most "
        f"{price['energy_wh_most'] / 1000:.3g} kWh. {price['energy_method']}"
    )
    if (least := price["gpu_seconds_left_least"]) is not None:
        show.note(f"Left after it: at least {show.hours(least)} GPU-hours.")
    show.note(
        f"Then, to train the winner in full: about {show.hours(price['winner_gpu_seconds'])}."
    )
    if price["is_secure"]:
        show.note("This runs on the secure part of the machine: nobody can look in.")
    for told in (price["memory_note"], *price["warnings"]):
        if told:
            show.note(told)


def _print(sweep: http.Json) -> None:
    show.facts(
        [
            ("Search", f"{sweep['code']} · {sweep['recipe']} · {sweep['case']}"),
            ("State", sweep["state"]),
            ("GPU-hours", f"{show.hours(sweep['gpu_seconds_spent'])} used, at most "
                          f"{show.hours(sweep['gpu_seconds_budget'])}"),
        ]
    )  # fmt: skip
    if sweep["reason_sentence"]:
        show.note(sweep["reason_sentence"])
    if sweep["trials_tried"]:
        _print_trials(sweep)
    if sweep["winner"]:
        show.note(
            "It was chosen as the best of many on the rows kept apart: on new data expect a "
            "little less."
        )
    show.steps(sweep)


def _print_trials(sweep: http.Json) -> None:
    sign = 1 if sweep["is_lower_better"] else -1
    parts = sorted(
        sweep["trials_tried"],
        key=lambda one: (
            -one["round"],
            one["score"] is None,
            sign * (one["score"] or 0),
            one["number"],
        ),
    )
    names = [one["name"] for one in sweep["ranges"]]
    show.table(
        (
            "trial",
            "round",
            *(name.replace("_", "-") for name in names),
            "score",
            "state",
            "run",
        ),
        (
            (
                f"{one['number']}{' *' if one['number'] == sweep['winner'] else ''}",
                one["round"],
                *(one["knobs"].get(name) for name in names),
                None if one["score"] is None else f"{one['score']:.4g}",
                one["trouble"] or one["state"],
                one["run"],
            )
            for one in parts
        ),
        empty="No trial has begun yet.",
    )
