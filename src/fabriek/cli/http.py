"""Calls to the API. A refusal is printed as its own sentence, and the command exits 1."""

import hashlib
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import httpx

from fabriek.cli import config, ends

Json = dict[str, Any]
language, stop = config.language, ends.stop
PAGE_SIZE = 200
CHUNK_BYTES = 2**20
TIMEOUT = httpx.Timeout(30, read=600)
ASK_ADDRESS = "Is the address right? See: fabriek login --help"
DISTRUSTED = (
    "Was its certificate signed by an authority of its own? Ask its staff for that authority's "
    "file, and name it once: fabriek login --ca FILE"
)


def client() -> httpx.Client:
    return client_for(config.read())


@cache
def client_for(account: config.Account) -> httpx.Client:
    """Give the one client of this account: a command that calls often connects once."""
    headers = {"Accept-Language": language()}
    if account.token:
        headers["Authorization"] = f"Bearer {account.token}"
    return httpx.Client(
        base_url=f"{account.url}/api/",
        headers=headers,
        timeout=TIMEOUT,
        follow_redirects=False,
        verify=trust(account),
    )


def trust(account: config.Account) -> ssl.SSLContext | bool:
    """Trust the authority that was named beside those whom everybody does; True: these."""
    if not account.ca:
        return True
    context = httpx.create_ssl_context()
    try:
        context.load_verify_locations(account.ca)
    except OSError:
        stop(
            f"{account.ca} is no file with a certificate. Name another one: "
            "fabriek login --ca FILE"
        )
    return context


def get(path: str, **params: object) -> Json:
    """Ask; a list is asked one by one, and what is empty is left out."""
    asked = {
        name: value if isinstance(value, list) else str(value)
        for name, value in params.items()
        if value not in (None, "", [])
    }
    found: Json = _json("GET", path, params=asked)
    return found


def get_list(path: str) -> list[Json]:
    found: list[Json] = _json("GET", path)
    return found


def post(path: str, body: Mapping[str, object] | None = None) -> Json:
    answer: Json = _json("POST", path, json=dict(body or {}))
    return answer


def put(path: str, body: Mapping[str, object]) -> Json:
    answer: Json = _json("PUT", path, json=dict(body))
    return answer


def patch(path: str, body: Mapping[str, object]) -> Json:
    answer: Json = _json("PATCH", path, json=dict(body))
    return answer


def everything(path: str, **params: object) -> Iterator[Json]:
    """Go through all pages of a list."""
    page = 1
    while True:
        answer = get(path, page=page, size=PAGE_SIZE, **params)
        yield from answer["items"]
        if page * answer["size"] >= answer["count"]:
            return
        page += 1


def send(method: str, path: str, **request: Any) -> httpx.Response:  # noqa: ANN401
    """Call and give the answer with its headers, whatever it says; trouble passes through."""
    return client().request(method, path, **request)


def get_text(path: str, *, hint: str = "", **params: object) -> httpx.Response:
    """Get what is no JSON, such as a listing; `hint`: what to say too where it is not there."""
    asked = {name: str(value) for name, value in params.items() if value not in (None, "")}
    with reached():
        answer = client().get(path, params=asked)
    if not answer.is_success:
        is_none = answer.status_code == httpx.codes.NOT_FOUND
        refuse(answer, *([hint] if hint and is_none else []))
    return answer


def post_stream(path: str, chunks: Iterator[bytes], size_bytes: int) -> Json:
    """Stream bytes up whose number is known; they never lie in memory as a whole."""
    headers = {"Content-Length": str(size_bytes), "Content-Type": "application/x-tar"}
    sent: Json = _json("POST", path, content=chunks, headers=headers)
    return sent


def fetch_file(path: str, target: Path) -> str:
    """Stream a file down beside its place, put it there when it is whole; give its SHA-256."""
    part = target.with_name(f".{target.name}.part")
    digest = hashlib.sha256()
    with reached(), client().stream("GET", path) as answer:
        if not answer.is_success:
            answer.read()
            refuse(answer)
        with part.open("wb") as file:
            for chunk in answer.iter_bytes(CHUNK_BYTES):
                digest.update(chunk)
                file.write(chunk)
    part.replace(target)
    return digest.hexdigest()


def _json(method: str, path: str, **request: Any) -> Any:  # noqa: ANN401  parsed by callers
    with reached():
        answer = client().request(method, path, **request)
    return read(answer)


def read(answer: httpx.Response) -> Any:  # noqa: ANN401  parsed by callers
    """Give what the portal said, or print its refusal and end the command."""
    if not answer.is_success:
        refuse(answer)
    try:
        return answer.json() if answer.content else {}
    except ValueError:
        stop(f"{answer.url.host} answers, but not as a factory does. Is the address right?")


def refuse(answer: httpx.Response, *more: str) -> NoReturn:
    if answer.is_redirect:
        place = answer.headers.get("Location", "?")
        stop(f"The portal has moved to {place}. Tell its address: fabriek login --url ADDRESS")
    body = _body(answer)
    said = body.get("detail") or f"The portal answered {answer.status_code}. Try again later."
    fields: Json = body.get("fields") or {}
    lines = [f"  {name}: {text}" for name, text in fields.items() if text != said]
    stop(f"{said} [{body.get('code', answer.status_code)}]", *lines, *more)


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
    except httpx.LocalProtocolError:
        stop("What was sent changed on its way: is the file still written to? Try again.")
    except (httpx.TransportError, httpx.InvalidURL) as error:
        url = url or config.read().url
        why = str(error).rstrip(".") or "it took too long"
        is_strange = "CERTIFICATE_VERIFY_FAILED" in why
        stop(f"{url} cannot be reached: {why}.", DISTRUSTED if is_strange else ASK_ADDRESS)
