"""`fabriek login` and `fabriek whoami`."""

import os
from typing import Annotated

import typer

from fabriek.cli import config, http, show

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.command()
def login(
    url: Annotated[str, typer.Option(help="The address of the portal.")] = "",
    token: Annotated[str, typer.Option(help="Your token; asked for when not given.")] = "",
    ca: Annotated[
        str,
        typer.Option(help="File of the authority behind its certificate, if a private one."),
    ] = "",
) -> None:
    """Keep your token, so that every command knows you.

    Make one in the portal, on the page “Tokens”.
    """
    address = (url or config.read().url).rstrip("/")
    if not token:
        typer.echo(f"Make a token at {address}/people/tokens and paste it here.")
        token = typer.prompt("Token", hide_input=True)
    account = config.Account(url=address, token=token.strip(), ca=_authority(ca, address))
    if not (account.token.isascii() and account.token.isprintable()):
        http.stop("This is no token: it holds other signs than a token has. Copy it once more.")
    with http.reached(address):
        answer = http.client_for(account).get("people/me")
    me = http.read(answer)
    place = config.write(account)
    typer.echo(f"Hello, {me['name'] or me['email']}. Your token is kept in {place}.")


def _authority(named: str, address: str) -> str:
    """Name its file; without a new one that of before, if it was of the same portal."""
    if named:
        return os.path.abspath(named)  # noqa: PTH100  a link stays one
    before = config.read()
    return before.ca if before.url == address else ""


@app.command()
def whoami() -> None:
    """Show who you are here, and what you may do."""
    me = http.get("people/me")
    show.facts([("Name", me["name"]), ("E-mail", me["email"]), ("Portal", config.read().url)])
    show.facts(("Organisation", f"{r['organisation']} ({r['role']})") for r in me["roles"])
    show.facts(
        ("Duty", f"{found['duty']} {found['funder_code']}".strip()) for found in me["duties"]
    )
