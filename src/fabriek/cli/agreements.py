"""`fabriek agreements`: ask for data of others, and answer who asks for yours."""

from typing import Annotated

import typer

from fabriek.cli import http, show
from fabriek.cli.groups import group, lists_alone

app = group("Ask for data, sign and follow agreements on it.")

Code = Annotated[str, typer.Argument(help="The code of the agreement, such as G26-0001.")]
Yes = Annotated[bool, typer.Option("--yes", help="Sign without being asked again.")]


@app.command("ls")
def list_agreements(
    q: Annotated[str, typer.Option(help="Words to search for.")] = "",
    state: Annotated[str, typer.Option(help="asked, offered, in_force, refused ...")] = "",
    data: Annotated[str, typer.Option(help="The code of a dataset.")] = "",
) -> None:
    """List the agreements you may see; what waits for you comes first."""
    show.table(
        ("code", "state", "data", "owner", "case", "until", "title"),
        (
            (
                each["code"],
                f"{each['state']}, waits for you" if each["waits"] else each["state"],
                each["dataset"],
                each["owner"],
                each["case"],
                show.moment(each["ends_at"]),
                each["title"],
            )
            for each in http.everything("agreements/", q=q, state=state, dataset=data)
        ),
        empty="There are no agreements yet. Ask for data with: fabriek agreements ask DATA",
    )


lists_alone(app, list_agreements)


@app.command("show")
def show_agreement(
    code: Code,
    text: Annotated[bool, typer.Option("--text", help="Print the whole text too.")] = False,
) -> None:
    """Show where an agreement stands, what was said, and what you can do."""
    agreement = http.get(f"agreements/{code}")
    print_agreement(agreement)
    for each in agreement["timeline"]:
        by = f" · {each['by']}" if each["by"] else ""
        note = f": {each['note']}" if each["note"] else ""
        show.note(f"{show.moment(each['at'])} {each['sentence']}{note}{by}")
    if text:
        _print_text(agreement["text"])


@app.command()
def ask(
    data: Annotated[str, typer.Argument(help="The code of the dataset, such as D26-0001.")],
    case: Annotated[str, typer.Option(prompt="Case", help="For which of your cases.")],
    until: Annotated[
        str, typer.Option(prompt="Last day (such as 2026-12-31)", help="The last day.")
    ],
    purpose: Annotated[
        list[str], typer.Option(help="training, evaluation, research or statistics; repeat it.")
    ] = ["training"],  # noqa: B006  Typer reads it
    product: Annotated[
        str, typer.Option(help="statistics, model_api or model_weights.")
    ] = "model_api",
    place: Annotated[str, typer.Option(help="open, shared or secure.")] = "shared",
    conditions: Annotated[str, typer.Option(help="Other conditions, in words.")] = "",
    yes: Yes = False,
) -> None:
    """Ask for data; you read the text before it is sent."""
    body: dict[str, object] = {
        "dataset": data,
        "case": case,
        "terms": {
            "purposes": purpose,
            "product": product,
            "place": place,
            "duties": ["delete"],
            "ends_on": until,
            "conditions": conditions,
        },
        "language": http.language(),
    }
    written = http.post("agreements/texts", body)
    _print_text(written["text"])
    _confirm("Send this?", yes=yes)
    body["text_sha256"] = written["text_sha256"]
    print_agreement(http.post("agreements/questions", body))


@app.command()
def sign(code: Code, yes: Yes = False) -> None:
    """Read the text and sign it, in the name of your organisation."""
    agreement = http.get(f"agreements/{code}")
    _print_text(agreement["text"])
    _confirm("Sign this?", yes=yes)
    signed = {"text_sha256": agreement["text_sha256"]}
    print_agreement(http.post(f"agreements/{code}/sign", signed))


@app.command()
def say(
    code: Code,
    words: Annotated[str, typer.Argument(help="Your question or answer.")],
) -> None:
    """Ask the other side something, or answer."""
    print_agreement(http.post(f"agreements/{code}/messages", {"text": words}))


@app.command()
def refuse(
    code: Code,
    reason: Annotated[str, typer.Option(prompt="Reason", help="The other side reads it.")],
) -> None:
    """Refuse what was asked or offered."""
    print_agreement(http.post(f"agreements/{code}/refuse", {"reason": reason}))


@app.command()
def withdraw(code: Code) -> None:
    """Take back what your side asked or offered."""
    print_agreement(http.post(f"agreements/{code}/withdraw"))


@app.command()
def revoke(
    code: Code,
    reason: Annotated[str, typer.Option(prompt="Reason", help="All parties read it.")],
) -> None:
    """End an agreement on your data before its last day; the data is closed at once."""
    print_agreement(http.post(f"agreements/{code}/revoke", {"reason": reason}))


def print_agreement(agreement: http.Json) -> None:
    signed = [party["name"] for party in agreement["parties"] if party["signed_at"]]
    waits = [party["name"] for party in agreement["parties"] if not party["signed_at"]]
    show.facts(
        [
            ("Agreement", agreement["code"]),
            ("Data", f"{agreement['dataset']} · {agreement['title']}"),
            ("Owner", agreement["owner"]),
            ("Case", f"{agreement['case']} · {agreement['user']}"),
            ("State", agreement["state"]),
            ("What for", ", ".join(agreement["purposes"])),
            ("What may come out", agreement["product"]),
            ("Where", agreement["place"]),
            ("Until", show.moment(agreement["ends_at"])),
            ("Signed", ", ".join(signed)),
            ("Not signed yet", ", ".join(waits)),
        ]
    )
    if agreement["reason"]:
        show.facts([("Reason", agreement["reason"])])
    show.steps(agreement)


def _print_text(text: str) -> None:
    for line in text.splitlines():
        show.note("".join(sign if sign.isprintable() else " " for sign in line))


def _confirm(question: str, *, yes: bool) -> None:
    if not yes and not typer.confirm(question):
        raise typer.Exit(1)
