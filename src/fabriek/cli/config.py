"""Where the command line keeps the portal's address and your token.

Read before pathlib and the like are loaded: see `data_unchanged`.
"""

import json
import os
from typing import NamedTuple

DEFAULT_URL = "http://localhost:8000"


class Account(NamedTuple):
    """`ca`: a file with the authority behind the portal's certificate; empty: a known one."""

    url: str
    token: str
    ca: str = ""


def folder() -> str:
    base = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")  # noqa: PTH111
    return f"{base}/fabriek"


def path() -> str:
    return f"{folder()}/account.json"


def read() -> Account:
    """Take FABRIEK_URL, _TOKEN and _CA_FILE first, then what `fabriek login` kept."""
    kept = _kept()
    url = os.environ.get("FABRIEK_URL") or kept.get("url") or DEFAULT_URL
    token = os.environ.get("FABRIEK_TOKEN") or kept.get("token") or ""
    ca = os.environ.get("FABRIEK_CA_FILE") or kept.get("ca") or ""
    return Account(url=url.rstrip("/"), token=token, ca=ca)


def write(account: Account) -> str:
    """Keep the account in a file that only its owner can read."""
    os.makedirs(folder(), mode=0o700, exist_ok=True)  # noqa: PTH103
    part = f"{folder()}/account.part"
    opened = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(opened, "w") as file:
        json.dump({name: told for name, told in account._asdict().items() if told}, file)
    os.replace(part, path())  # noqa: PTH105
    return path()


def language() -> str:
    """Refusals come in the language of the terminal."""
    words = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG")
    return "nl" if (words or "").startswith("nl") else "en"


def _kept() -> dict[str, str]:
    try:
        with open(path(), encoding="utf-8") as file:  # noqa: PTH123
            found = json.load(file)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
