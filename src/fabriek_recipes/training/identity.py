"""What every run is known by, and how long it took; light, for recipes without torch."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict

from fabriek_recipes.training.process import Job, K

# Settings that change nothing of what is computed.
WITHOUT_EFFECT = {"checkpoint_every_steps", "weights_held"}


def fingerprint(job: Job[K]) -> str:
    """Name what the run computes; a checkpoint of anything else must not be resumed from."""
    manifest = asdict(job.manifest)
    chosen = {name: manifest[name] for name in ("recipe", "inputs", "seed", "format")}
    chosen["knobs"] = job.knobs.model_dump(exclude=WITHOUT_EFFECT)
    return hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()


class Clock:
    """Measures the wall time of this process for the report."""

    def __init__(self) -> None:
        """Start now."""
        self._started = time.monotonic()

    def seconds(self) -> float:
        """Give the seconds since the start."""
        return round(time.monotonic() - self._started, 2)
