"""`fabriek data push` where nothing changed, before the libraries of commands are loaded.

Only what is typed plainly, and what was pushed before, is looked at here. All else, and all
trouble, is for the ordinary way, which tells what is wrong.
"""

import os
import sys
from collections.abc import Sequence
from typing import NamedTuple

from fabriek.cli import data_found, data_index, data_question
from fabriek.cli.begin import INTERRUPTED
from fabriek.cli.data_excluded import Unfit
from fabriek.cli.data_found import Look

NOTHING_NEW = "Nothing was new. This revision holds these files already:"
TO_GO_ON = "What was sent is kept: run the same command to go on from there."
WITH_A_WORD = {"-m", "--message", "--exclude"}


class Typed(NamedTuple):
    """What was typed after `fabriek data push`."""

    code: str
    sources: list[str]
    exclude: list[str]
    is_whole: bool


def answered(words: Sequence[str]) -> Look | None:
    """End the command where nothing is new; else give what was seen, if anything was."""
    try:
        typed = _typed(words)
        return _answered(typed) if typed else None
    except KeyboardInterrupt:
        print(f"Stopped. {TO_GO_ON}", file=sys.stderr)  # noqa: T201  typer is not loaded yet
        sys.exit(INTERRUPTED)
    except (OSError, Unfit):
        return None


def _answered(typed: Typed) -> Look | None:
    sources = [data_found.absolute(each) for each in typed.sources]
    with data_index.opened() as index:
        place = data_index.place_of(sources, typed.exclude, is_whole=typed.is_whole)
        fingerprint, digest = index.look_at(place)
    if not digest:
        return None
    with data_question.asked(typed.code) as question:
        look = data_found.look(sources, typed.exclude)
        newest = question.newest_if(digest) if look.fingerprint() == fingerprint else ""
    if newest:
        _end(newest, look)
    return look


def _typed(words: Sequence[str]) -> Typed | None:
    """Read it; what stands otherwise than it mostly does is not for us to read."""
    plain: list[str] = []
    exclude: list[str] = []
    is_whole = False
    rest = iter(words)
    for word in rest:
        if word == "--delete":
            is_whole = True
        elif word in WITH_A_WORD:
            value = next(rest, None)
            if value is None:
                return None
            if word == "--exclude":
                exclude.append(value)
        elif word.startswith("-"):
            return None
        else:
            plain.append(word)
    code, sources = plain[:1], plain[1:]
    if not sources or not all(plain) or (is_whole and not _is_one_folder(sources)):
        return None
    return Typed(code[0], sources, exclude, is_whole)


def _is_one_folder(sources: Sequence[str]) -> bool:
    return len(sources) == 1 and os.path.isdir(sources[0])  # noqa: PTH112


def _end(newest: str, look: Look) -> None:
    for line in look.told:
        print(line, file=sys.stderr)  # noqa: T201
    print(f"{NOTHING_NEW}\n{newest} · {look.file_count} file(s)", flush=True)  # noqa: T201
    sys.exit(0)
