"""Calls to the API. A refusal is printed as its own sentence, and the command exits 1."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import httpx
import typer

from fabriek.cli import config

Json = dict[str, Any]
PAGE_SIZE = 200
CHUNK_BYTES = 2**20
TIMEOUT = httpx.Timeout(30, read=600)


def client() -> httpx.Client:
    account = config.read()
    return client_for(account)


def client_for(account: config.Account) -> httpx.Client:
    headers = {"Accept-Language": language()}
    if account.token:
        headers["Authorization"] = f"Bearer {account.token}"
    return httpx.Client(
        base_url=f"{account.url}/api/", headers=headers, timeout=TIMEOUT, follow_redirects=False
    )


def language() -> str:
    """Refusals come in the language of the terminal."""
    words = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG")
    return "nl" if (words or "").startswith("nl") else "en"


def get(path: str, **params: object) -> Json:
    asked = {name: str(value) for name, value in params.items() if value not in (None, "")}
    return _json("GET", path, params=asked)


def post(path: str, body: Mapping[str, object] | None = None) -> Json:
    return _json("POST", path, json=dict(body or {}))


def put(path: str, body: Mapping[str, object]) -> Json:
    return _json("PUT", path, json=dict(body))


def everything(path: str, **params: object) -> Iterator[Json]:
    """Go through all pages of a list."""
    page = 1
    while True:
        answer = get(path, page=page, size=PAGE_SIZE, **params)
        yield from answer["items"]
        if page * answer["size"] >= answer["count"]:
            return
        page += 1


def send_file(
    address: str, chunks: Iterator[bytes], size_bytes: int, *, params: Mapping[str, str]
) -> Json:
    """Stream bytes up; they never lie in memory as a whole."""
    headers = {"Content-Length": str(size_bytes), "Content-Type": "application/octet-stream"}
    return _json("PUT", address, content=chunks, params=dict(params), headers=headers)


def fetch_file(path: str, target: Path) -> int:
    """Stream a file down beside its place, and put it there when it is whole."""
    part = target.with_name(f".{target.name}.part")
    size_bytes = 0
    with reached(), client() as http, http.stream("GET", path) as answer:
        if answer.is_error:
            answer.read()
            refuse(answer)
        with part.open("wb") as file:
            for chunk in answer.iter_bytes(CHUNK_BYTES):
                size_bytes += file.write(chunk)
    part.replace(target)
    return size_bytes


def _json(method: str, path: str, **request: Any) -> Json:  # noqa: ANN401  httpx's own
    with reached(), client() as http:
        answer = http.request(method, path, **request)
    if answer.is_error:
        refuse(answer)
    body: Json = answer.json() if answer.content else {}
    return body


def refuse(answer: httpx.Response) -> NoReturn:
    body = _body(answer)
    said = body.get("detail") or f"The portal answered {answer.status_code}. Try again later."
    typer.echo(f"{said} [{body.get('code', answer.status_code)}]", err=True)
    fields: Json = body.get("fields") or {}
    for name, text in fields.items():
        typer.echo(f"  {name}: {text}", err=True)
    raise typer.Exit(1)


def _body(answer: httpx.Response) -> Json:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


@contextmanager
def reached(url: str = "") -> Iterator[None]:
    """Say in words when the portal cannot be reached."""
    try:
        yield
    except httpx.TransportError as error:
        url = url or config.read().url
        typer.echo(f"{url} cannot be reached: {error}.", err=True)
        typer.echo("Is the address right? See: fabriek login --help", err=True)
        raise typer.Exit(1) from error
