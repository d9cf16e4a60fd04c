"""`fabriek machine`: how the machine stands, and what that means for your runs."""

import typer

from fabriek.cli import http, show

app = typer.Typer(add_completion=False)
KINDS = {"sector": "others, {name}", "others": "all other cases", "total": "in all"}


@app.command("machine")
def machine() -> None:
    """Show free and used GPUs, the queue, your runs, and who uses the machine."""
    told = http.get("machine")
    for sentence in (told["says"], told["trouble"]):
        if sentence:
            show.note(sentence)
    if told["gpus"]:
        _print_machine(told)
    _print_runs(told["own_runs"])
    _print_users(told["users"])
    _print_shares(told["shares"])


def _print_machine(told: http.Json) -> None:
    gpus, queue = told["gpus"], told["queue"]
    show.facts(
        [
            ("Seen", show.moment(told["seen_at"])),
            ("GPUs", f"{gpus['free']} free, {gpus['used']} in use, "
                     f"{gpus['out_of_service']} out of service, of {gpus['total']}"),
            ("Queue", f"{queue['jobs']} waiting for {queue['gpus']} GPUs, "
                      f"{queue['runs']} of this factory"),
        ]
    )  # fmt: skip
    show.note("")
    show.table(
        ("node", "state", "in use", "GPUs", "kind", "why"),
        (
            (
                node["name"],
                node["state"],
                node["gpus_used"],
                node["gpus"],
                node["gpu_kind"],
                node["reason"],
            )
            for node in told["nodes"]
        ),
        empty="The machine tells of no GPUs.",
    )


def _print_runs(runs: list[http.Json]) -> None:
    show.note("")
    show.table(
        ("your run", "case", "state", "GPUs", "what it waits for"),
        (
            (
                run["code"],
                run["case"],
                run["state"],
                run["gpus"],
                f"{run['waiting']} {run['expected_start']}".strip(),
            )
            for run in runs
        ),
        empty="None of your runs runs or waits now.",
    )


def _print_users(users: list[http.Json]) -> None:
    show.note("")
    show.table(
        ("who", "running", "GPUs", "waiting"),
        ((_who(use), use["running"], use["gpus"], use["waiting"]) for use in users),
        empty="No runs of this factory run or wait now.",
    )


def _print_shares(shares: list[http.Json]) -> None:
    show.note("")
    show.table(
        ("share, last 12 months", "used", "agreed"),
        (
            (
                share["name"],
                "-" if share["percent"] is None else f"{share['percent']:.0f}%",
                f"{share['target_percent']}%",
            )
            for share in shares
        ),
        empty="No shares have been agreed yet.",
    )


def _who(use: http.Json) -> str:
    if use["kind"] == "case":
        return f"{use['code']} {use['name']}"
    return KINDS[use["kind"]].format(name=use["name"])
