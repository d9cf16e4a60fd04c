"""Keeps what was done of a long list in parts, so that a run that stops goes on behind them.

Each part holds the digest of what is in it: one that a failing disk left half is done again.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from fabriek_recipes.events import Json
from fabriek_recipes.run_folder import write_whole
from fabriek_recipes.training.identity import fingerprint
from fabriek_recipes.training.process import Job, K
from fabriek_recipes.words import Failed, _

DIGEST, TOLD = "sha256", "told"


class Parts:
    """The parts of one run; of another one, with other settings or inputs, none is taken."""

    def __init__(self, job: Job[K]) -> None:
        """Find or make their folder."""
        self._place = job.checkpoints / f"parts-{fingerprint(job)[:16]}"
        self._group = job.group
        self._group.once(lambda: self._place.mkdir(exist_ok=True))

    def names(self) -> set[str]:
        """Name those that are there and whole, to all processes alike."""
        return set(self._group.once(self._whole))

    def read(self, name: str) -> Json:
        """Give what is in a part, to all processes alike; None where there is no whole one."""
        return self._group.once(lambda: _read(self._place / f"{name}.json"))

    def write(self, name: str, told: Json) -> None:
        """Keep a part, whole or not at all."""
        text = json.dumps(told, ensure_ascii=False)
        # The text is kept as it is, so that reading it back gives the same to the bit.
        kept = json.dumps({DIGEST: _digest(text), TOLD: text}, ensure_ascii=False)
        self._group.once(lambda: write_whole(self._place / f"{name}.json", kept))

    def taken(self, name: str) -> Json:
        """Give what is in a part that was done, where only the first process asks.

        Raises: Failed, where the disk lost it: going on makes only that one again.
        """
        found = _read(self._place / f"{name}.json")
        if found is None:
            text = _(
                "A part of what this run had done was damaged on the disk. Continue the run: "
                "only that part is done again."
            )
            raise Failed("part_damaged", text)
        return found

    def _whole(self) -> list[str]:
        paths = self._place.glob("*.json")
        return [path.stem for path in paths if _read(path) is not None]


def _read(path: Path) -> Json:
    try:
        kept = json.loads(path.read_bytes())
        text = kept[TOLD]
        if _digest(text) != kept[DIGEST]:
            return None
        told: Json = json.loads(text)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return told


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
