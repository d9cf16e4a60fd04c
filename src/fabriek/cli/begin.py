"""What the `fabriek` command starts with: the shortest way to what was typed.

A push that finds nothing new is answered before the libraries of commands are loaded, as those
take longer than 20,000 files to look at.
"""

import sys
from importlib import import_module

COMMANDS = "fabriek.cli.main"
UNCHANGED = "fabriek.cli.data_unchanged"
INTERRUPTED = 130  # how a shell says that Ctrl-C ended it


def main() -> None:
    """Do what was typed; what was seen by a push is handed on to it."""
    try:
        look = None
        if sys.argv[1:3] == ["data", "push"]:
            look = import_module(UNCHANGED).answered(sys.argv[3:])
        import_module(COMMANDS).app(obj=look)
    except KeyboardInterrupt:  # while something was still being loaded
        sys.exit(INTERRUPTED)
