"""Environments of Python beside our own, for programs of others."""

import subprocess
import sys
from pathlib import Path


def make(folder: Path) -> tuple[str, ...]:
    """Make one with nothing in it; gives the command that installs into it.

    That is our own pip, as to give each environment one of its own takes a processor five
    seconds; and what is never imported is not compiled.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = str(folder / "bin" / "python")
    pip = (sys.executable, "-m", "pip", "--python", python)
    return (*pip, "install", "--quiet", "--disable-pip-version-check", "--no-compile")
