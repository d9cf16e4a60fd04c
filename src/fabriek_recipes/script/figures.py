"""What own code says of itself while it runs: a file of lines, each a small JSON object.

{"step": 10, "loss": 0.31}        figures of a step; without a step the lines are counted
{"done": 3, "total": 10}          how far it is
{"stage": "Evaluating"}           what it does now
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path

from fabriek_recipes.events import Events, Json
from fabriek_recipes.words import Sentence, _

LINE_BYTES_MAX = 32 * 1024
PIECE_BYTES = 256 * 1024
# In one go, so that a flood does not keep the program from being minded.
PIECES_MAX = 8
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._/@%+-]{0,59}")
NAMES_MAX = 100
SCORES_MAX = 50
SCORES_BYTES_MAX = 64 * 1024
STEP_MAX = 2**53
TEXT_MAX = 40


class Figures:
    """Follows the file and passes on what it says; what cannot be read is said once."""

    def __init__(self, path: Path, events: Events) -> None:
        """Begin behind what an earlier start of this run left, which was told then."""
        self._path = path
        self._events = events
        self._offset = path.stat().st_size if path.is_file() else 0
        self._counted = 0
        self._has_complained = False
        self.latest: dict[str, float] = {}

    def catch_up(self, *, is_last: bool = False) -> None:
        """Pass on the lines that are whole; at the end also one without a line end."""
        for _piece in range(PIECES_MAX):
            lines = self._whole_lines(is_last=is_last)
            if lines is None:
                return
            for line in lines:
                self._tell(line)

    def _whole_lines(self, *, is_last: bool) -> list[bytes] | None:
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return None
        with os.fdopen(descriptor, "rb") as file:
            if file.seekable():
                file.seek(self._offset)
            piece = file.read(PIECE_BYTES) or b""
        end = piece.rfind(b"\n") + 1
        if not end and (is_last or len(piece) == PIECE_BYTES):
            end = len(piece)
        self._offset += end
        return piece[:end].split(b"\n") if end else None

    def _tell(self, line: bytes) -> None:
        if not line.strip():
            return
        try:
            self._pass_on(_parsed(line))
        except (ValueError, TypeError, RecursionError, OverflowError):
            self._complain(line)

    def _pass_on(self, said: Mapping[str, object]) -> None:
        match said:
            case {"stage": str(stage), **rest} if not rest:
                self._events.stage(stage[:TEXT_MAX])
            case {"done": int(done), "total": int(total), **rest} if not rest:
                self._events.progress(done, total, "steps")
            case _:
                values = {name: one for name, one in said.items() if name != "step"}
                self._figures(said.get("step"), values)

    def _figures(self, step: object, values: Mapping[str, object]) -> None:
        figures = plain(values)
        if not values or len(figures) < len(values) or len(figures) > NAMES_MAX:
            raise ValueError("no figures")
        if step is None:
            step = self._counted
        if isinstance(step, bool) or not isinstance(step, int) or not 0 <= step < STEP_MAX:
            raise ValueError("no step")
        self._counted = step + 1
        self._events.metrics(step, **figures)
        self.latest |= {name: one for name, one in figures.items() if math.isfinite(one)}

    def _complain(self, line: bytes) -> None:
        if self._has_complained:
            return
        self._has_complained = True
        text = _(
            "A line in FABRIEK_FIGURES could not be read, so it is left out: “%(line)s”. Write "
            'lines such as {"step": 10, "loss": 0.31}.'
        )
        shown = line[:80].decode("utf-8", "replace")
        self._events.warning("bad_figures", Sentence(text, line=shown))


def plain(values: Mapping[str, object]) -> dict[str, float]:
    """Keep what are numbers under names that one can read."""
    return {
        name: float(one)
        for name, one in values.items()
        if isinstance(one, int | float) and not isinstance(one, bool) and NAME.fullmatch(name)
    }


def scores(path: Path, latest: Mapping[str, float]) -> dict[str, float | None]:
    """Give what the program says it is worth: its metrics.json, else its last figures."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            raw = file.read(SCORES_BYTES_MAX + 1)
        told = plain(_parsed(raw))
    except (OSError, ValueError, TypeError, RecursionError, OverflowError):
        told = {}
    found = told or dict(latest)
    return {
        name: one if math.isfinite(one) else None
        for name, one in list(found.items())[:SCORES_MAX]
    }


def _parsed(text: bytes) -> Mapping[str, Json]:
    """Read one object. Raises: ValueError, RecursionError."""
    if len(text) > max(LINE_BYTES_MAX, SCORES_BYTES_MAX):
        raise ValueError("too long")
    found = json.loads(text)
    if not isinstance(found, dict):
        raise TypeError("no object")
    return found
