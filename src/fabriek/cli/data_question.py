"""The one question of a push that finds nothing new, asked without the libraries of the rest.

Those take longer to load than 20,000 files to look at. Whatever is out of the ordinary gets no
answer here: the ordinary way asks again, and tells what is wrong.
"""

import json
import os
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import quote, urlsplit

from fabriek.cli import config

TIMEOUT_S = 10
ANSWER_BYTES_MAX = 2**20
OK = 200
PROXIES = ("http_proxy", "https_proxy", "all_proxy")


def newest_if(code: str, digest: str) -> str:
    """Name the newest revision where its files are these, each with these bytes; or nothing."""
    if any(os.environ.get(name) or os.environ.get(name.upper()) for name in PROXIES):
        return ""
    try:
        found = json.loads(_answer(f"datasets/{quote(code, safe='')}/revisions?size=1"))
        newest = found["items"][0]
        is_it = newest["digest"] == digest and not newest.get("damaged")
        return f"{code}@{int(newest['number'])}" if is_it else ""
    except (OSError, HTTPException, ValueError, LookupError, TypeError):
        return ""


def _answer(path: str) -> bytes:
    """Give what the portal says. Raises: OSError, HTTPException, ValueError."""
    account = config.read()
    place = urlsplit(account.url)
    kind = {"http": HTTPConnection, "https": HTTPSConnection}.get(place.scheme)
    if kind is None or not place.hostname:
        raise ValueError(account.url)
    headers = {"Accept-Language": config.language()}
    if account.token:
        headers["Authorization"] = f"Bearer {account.token}"
    connection = kind(place.hostname, place.port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", f"{place.path}/api/{path}", headers=headers)
        answer = connection.getresponse()
        if answer.status != OK:
            raise ValueError(answer.status)
        content: bytes = answer.read(ANSWER_BYTES_MAX)
        return content
    finally:
        connection.close()
