"""The one question of a push that finds nothing new, asked without the libraries of the rest.

Those take longer to load than 20,000 files to look at. Whatever is out of the ordinary gets no
answer here: the ordinary way asks again, and tells what is wrong.
"""

import json
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import SplitResult, quote, urlsplit

from fabriek.cli import config

TIMEOUT_S = 10
ANSWER_BYTES_MAX = 2**20
OK = 200
PROXIES = ("http_proxy", "https_proxy", "all_proxy")
TROUBLE = (OSError, HTTPException, ValueError)


class Question:
    """What is the newest revision? While the portal looks, one may do so too."""

    def __init__(self, code: str) -> None:
        self.code = code
        self._connection: HTTPConnection | None = None

    def ask(self) -> None:
        """Ask, and wait for nothing. Raises: as `TROUBLE`."""
        if any(os.environ.get(name) or os.environ.get(name.upper()) for name in PROXIES):
            return
        account = config.read()
        place = urlsplit(account.url)
        headers = {"Accept-Language": config.language()}
        if account.token:
            headers["Authorization"] = f"Bearer {account.token}"
        dataset = f"datasets/{quote(self.code, safe='')}"
        path = f"{place.path}/api/{dataset}/revisions?size=1"
        self._connection = _connection(place, account.ca)
        self._connection.request("GET", path, headers=headers)

    def newest_if(self, digest: str) -> str:
        """Name the newest revision where its files are these, with these bytes; or nothing."""
        try:
            newest = json.loads(self._answer())["items"][0]
            is_it = newest["digest"] == digest and not newest.get("damaged")
            return f"{self.code}@{int(newest['number'])}" if is_it else ""
        except (*TROUBLE, LookupError, TypeError):
            return ""

    def _answer(self) -> bytes:
        """Give what the portal says. Raises: as `TROUBLE`."""
        if self._connection is None:
            raise ValueError("nothing was asked")
        answer = self._connection.getresponse()
        if answer.status != OK:
            raise ValueError(answer.status)
        content: bytes = answer.read(ANSWER_BYTES_MAX)
        return content

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


def _connection(place: SplitResult, ca: str) -> HTTPConnection:
    """Give one to the portal, whose certificate may be signed by `ca`. Raises: as `TROUBLE`."""
    if place.scheme not in {"http", "https"} or not place.hostname:
        raise ValueError(place.geturl())
    if place.scheme == "http":
        return HTTPConnection(place.hostname, place.port, timeout=TIMEOUT_S)
    context = ssl.create_default_context()
    if ca:
        context.load_verify_locations(ca)
    return HTTPSConnection(place.hostname, place.port, timeout=TIMEOUT_S, context=context)


@contextmanager
def asked(code: str) -> Iterator[Question]:
    """Ask at once; a portal that cannot be asked answers nothing."""
    question = Question(code)
    try:
        try:
            question.ask()
        except TROUBLE:
            question.close()
        yield question
    finally:
        question.close()
