"""`python -m fabriek`: the server's own commands (migrate, seed, up, loop, demo, ...)."""

import os
import sys

from django.core.management import execute_from_command_line

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fabriek.settings")

if __name__ == "__main__":
    execute_from_command_line(["fabriek", *sys.argv[1:]])
