"""`python -m fabriek`: the server's own commands (migrate, seed, up, loop, demo, ...)."""

import os
import sys

from django.core.management import execute_from_command_line

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fabriek.settings")

# These write what is no secret, for whoever serves or reads it.
FOR_ALL = {"collectstatic", "compilemessages", "makemessages", "makemigrations"}

if __name__ == "__main__":
    # Django finds a command by its module, which can have no dash: both may be typed.
    named, words = sys.argv[1:2], sys.argv[2:]
    if named and not named[0].startswith("-"):
        named = [named[0].replace("-", "_")]
    if not FOR_ALL.intersection(named):
        os.umask(0o077)  # jobs run as other accounts of this machine: nothing of ours is theirs
    execute_from_command_line(["fabriek", *named, *words])
