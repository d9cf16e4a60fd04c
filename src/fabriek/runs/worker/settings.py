"""What the settings of a model say before it is loaded: how much it reads, and knows."""

import json
from collections.abc import Mapping
from pathlib import Path

from fabriek.quality.worker.job import Json
from fabriek.runs.worker.asked import CONFIG

MOST = 2**30
WRONG = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)


def told(files: Mapping[str, Path]) -> Json:
    """Give `context`, how many tokens it reads at once, and `known`, how many there are.

    0 where its settings do not say so.
    """
    try:
        found = json.loads(files[CONFIG].read_text())
        inner = found.get("text_config")  # of a model that also sees
    except WRONG:
        return {"context": 0, "known": 0}
    known = _number(inner, "vocab_size") or _number(found, "vocab_size")
    return {"context": _number(found, "max_position_embeddings"), "known": known}


def _number(found: Json, name: str) -> int:
    try:
        return max(0, min(int(found[name]), MOST))
    except (*WRONG, OverflowError):
        return 0
