"""Where the command line keeps the portal's address and your token."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

DEFAULT_URL = "http://localhost:8000"


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    url: str
    token: str


def path() -> Path:
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "fabriek" / "account.json"


def read() -> Account:
    """Take FABRIEK_URL and FABRIEK_TOKEN first, then what `fabriek login` kept."""
    kept = _kept()
    url = os.environ.get("FABRIEK_URL") or kept.get("url") or DEFAULT_URL
    token = os.environ.get("FABRIEK_TOKEN") or kept.get("token") or ""
    return Account(url=url.rstrip("/"), token=token)


def write(account: Account) -> Path:
    """Keep the account in a file that only its owner can read."""
    place = path()
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = place.with_suffix(".part")
    opened = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(opened, "w") as file:
        json.dump({"url": account.url, "token": account.token}, file)
    part.replace(place)
    return place


def language() -> str:
    """Refusals come in the language of the terminal."""
    words = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG")
    return "nl" if (words or "").startswith("nl") else "en"


def _kept() -> dict[str, str]:
    try:
        found = json.loads(path().read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
