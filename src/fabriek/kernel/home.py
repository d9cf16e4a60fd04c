"""What settings find or make in the factory's own folder: the folder, its key, its database."""

import os
import secrets
from pathlib import Path
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

CONNECT_WITHIN_S = 5


def made(home: Path) -> Path:
    """Make the factory's folder, and those above it that lack.

    Nobody else may look into them, but jobs that run as other accounts pass through them.
    """
    lacking = [folder for folder in (home, *home.parents) if not folder.exists()]
    try:
        for folder in reversed(lacking):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o711)
    except OSError as error:
        raise ImproperlyConfigured(
            f"FABRIEK_HOME={home}: this folder cannot be made ({error.strerror}). Make it, or "
            "choose another."
        ) from error
    return home


def secret_key(given: str, home: Path) -> str:
    """Take the key as it was given, else from the factory's own folder, made once.

    The file is created exclusively and then read back, so that two processes which start
    together end up with the same key.
    """
    if given:
        return given
    path = made(home) / "secret-key"
    try:
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip() or secrets.token_urlsafe(48)
    with os.fdopen(opened, "w") as file:
        key = secrets.token_urlsafe(48)
        file.write(key)
    return key


def database(url: str, home: Path) -> dict[str, object]:
    """Understand `sqlite:///path` and `postgresql://user:password@host:port/name`."""
    if not url:
        url = f"sqlite:///{made(home) / 'fabriek.sqlite3'}"
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": unquote(parts.path[1:]),
            # Opening it anew for each call would cost as much as two queries.
            "CONN_MAX_AGE": 600,
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                # What was written is put in place four times more seldom than by default: each
                # time somebody waits for the disk, and a line of the log fills many pages.
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; "
                "PRAGMA wal_autocheckpoint=4000;",
            },
        }
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.scheme not in {"postgresql", "postgres"} or port == -1:
        # Not as it was given: there may be a password in it.
        raise ImproperlyConfigured(
            "FABRIEK_DATABASE cannot be read: write sqlite:////folder/file.sqlite3 or "
            "postgresql://user:password@host:port/name."
        )
    host = dict(word.split("=", 1) for word in parts.query.split("&") if "=" in word)
    return {
        "ENGINE": "fabriek.kernel.postgresql",
        "NAME": unquote(parts.path[1:]),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(host.get("host", parts.hostname or "")),
        "PORT": str(port or ""),
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            # What `kernel.prepared` asks is planned once for each connection.
            "prepare_threshold": 0,
            # A server that takes the connection and says nothing would hold who asks for ever.
            "connect_timeout": CONNECT_WITHIN_S,
        },
    }
