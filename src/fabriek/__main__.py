"""`python -m fabriek`: the server's own commands (migrate, seed, up, loop, demo, ...)."""

import os
import sys
from argparse import ArgumentParser
from collections.abc import Sequence

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fabriek.settings")

# These write what is no secret, for whoever serves or reads it.
FOR_ALL = {"collectstatic", "compilemessages", "makemessages", "makemigrations"}
SERVING = {"up", "demo"}
PORT = 8000
HERE = {"127.0.0.1", "0.0.0.0", "::1", "::", "localhost"}  # noqa: S104  only compared with


def main() -> None:
    """Run a command; of settings that are wrong a sentence is told, and no trace."""
    # Django finds a command by its module, which can have no dash: both may be typed.
    named, words = sys.argv[1:2], sys.argv[2:]
    if named and not named[0].startswith("-"):
        named = [named[0].replace("-", "_")]
    if not FOR_ALL.intersection(named):
        os.umask(0o077)  # jobs run as other accounts of this machine: nothing of ours is theirs
    if SERVING.intersection(named) and not os.environ.get("FABRIEK_URL"):
        # What links in mails begin with, for us and for the processes that we start.
        os.environ["FABRIEK_URL"] = address(words)
    try:
        _ = settings.INSTALLED_APPS  # read them here: Django would look for the command first
        execute_from_command_line(["fabriek", *named, *words])
    except ImproperlyConfigured as wrong:
        sys.exit(f"A setting is wrong. {wrong}")


def address(words: Sequence[str]) -> str:
    """Say where a portal that is started so is found, on this machine or by its host."""
    parser = ArgumentParser(add_help=False)
    parser.add_argument("--host", default="localhost")
    parser.add_argument("--port", type=int, default=PORT)
    given, _rest = parser.parse_known_args(words)
    host = "localhost" if given.host in HERE else given.host
    return f"http://[{host}]:{given.port}" if ":" in host else f"http://{host}:{given.port}"


if __name__ == "__main__":
    main()
