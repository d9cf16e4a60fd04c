"""The command of own code: split into words as a shell does it, and started without one."""

from __future__ import annotations

import re
import shlex
from pathlib import Path, PurePosixPath

from fabriek_recipes.words import Sentence, _

SHELLS = frozenset({"bash", "sh", "dash", "zsh", "ksh"})
# Words that only mean something to a shell; a program would get them as they stand.
OF_A_SHELL = re.compile(r"(?:&&|\|\|?|;|&|\d?>>?|<|<<|\d?>&\d)(?:.*)", re.DOTALL)
VARIABLE = re.compile(r"\$(?:[A-Za-z_{(])")
ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=.*", re.DOTALL)
PYTHON = re.compile(r"python(?:3(?:\.\d+)?)?")
SHOWN_CHARACTERS = 60


def words_of(command: str) -> list[str]:
    """Split the command into words.

    Raises:
        ValueError: a quote that was opened is not closed, or there is nothing.
    """
    words = shlex.split(command)
    if not words or not words[0]:
        raise ValueError("nothing to start")
    return words


def is_of_shell(words: list[str]) -> bool:
    """Tell whether a shell was asked for by name."""
    return PurePosixPath(words[0]).name in SHELLS


def problems(command: str, code: Path | None) -> tuple[Sentence, ...]:
    """Say what is wrong with a command before it costs anything; `code`: the folder sent."""
    if not command.strip():
        return (Sentence(_("Write the command that starts your code: python train.py.")),)
    if "\0" in command or "\n" in command.strip():
        return (Sentence(_("Write the command on one line.")),)
    try:
        words = words_of(command)
    except ValueError:
        text = _("A quote in the command is opened and not closed. Close it.")
        return (Sentence(text),)
    if not is_of_shell(words) and (wrong := _for_a_shell(words)):
        return (wrong,)
    return _missing(words, code) if code else ()


def _for_a_shell(words: list[str]) -> Sentence | None:
    if ASSIGNMENT.fullmatch(words[0]):
        text = _("Put “env” before “%(word)s”: the command is started without a shell.")
        return Sentence(text, word=_shown(words[0]))
    for word in words:
        if OF_A_SHELL.fullmatch(word) or VARIABLE.search(word):
            text = _(
                "“%(word)s” is for a shell, and the command is started without one. Where you "
                "want a shell, write: bash -c '…'."
            )
            return Sentence(text, word=_shown(word))
    return None


def _missing(words: list[str], code: Path) -> tuple[Sentence, ...]:
    """Look for the files that the command names, where it is plain that they are files."""
    wanted = script_of(words)
    if wanted and is_inside(wanted) and not (code / wanted).is_file():
        text = _("The command starts “%(file)s”, and there is no such file in what was sent.")
        return (Sentence(text, file=_shown(wanted)),)
    return ()


def script_of(words: list[str]) -> str:
    """Name the file that a command starts; empty where it starts something installed."""
    first = words[0]
    if "/" in first:
        return first
    runs_files = PYTHON.fullmatch(first) or first in SHELLS
    if runs_files and len(words) > 1 and not words[1].startswith("-"):
        return words[1]
    return ""


def is_inside(name: str) -> bool:
    """Tell whether a name stays in the folder that was sent: of others nothing is looked at."""
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts


def _shown(word: str) -> str:
    return word if len(word) <= SHOWN_CHARACTERS else f"{word[: SHOWN_CHARACTERS - 1]}…"
