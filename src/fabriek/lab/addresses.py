"""Where interactive work is found: each run has a host of its own.

What people open there runs what others wrote. On one host for all, a notebook of one case
could use the pass that the same browser has for another; browsers keep hosts apart.
"""

import re
from urllib.parse import urlsplit

from django.conf import settings

from fabriek.runs.models import Run

DOOR = "/_fabriek/enter"
CODE = re.compile(r"[a-z][0-9]{2}-[0-9]{4,9}", re.ASCII)


def origin(code: str) -> str:
    """Give the origin of the run with this code."""
    return str(settings.LAB_URL).replace("*", code.lower())


def door(run: Run, ticket: str) -> str:
    return f"{origin(run.code)}{DOOR}?ticket={ticket}"


def code_at(host: str) -> str:
    """Give the code of the run whose host this is, as it was sent; empty if it is none's."""
    before, star, after = urlsplit(str(settings.LAB_URL)).netloc.partition("*")
    host = host.lower()
    code = host.removeprefix(before).removesuffix(after)
    found = star and CODE.fullmatch(code) and host == f"{before}{code}{after}"
    return code.upper() if found else ""


def is_secure() -> bool:
    return str(settings.LAB_URL).startswith("https://")


def port(*, beside: int) -> int:
    """Give the port on loopback for the gateway beside a portal on the port `beside`.

    Where no proxy stands before it, it is the one that browsers are told.
    """
    told = urlsplit(str(settings.LAB_URL).replace("*", "each"))
    direct = told.port if (told.hostname or "").endswith(".localhost") else None
    return int(settings.LAB_PORT) or direct or beside + 1
