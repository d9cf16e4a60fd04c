"""Stops a recipe at a chosen place, as SIGTERM would, so that each place can be tried."""

import os
import signal

from fabriek_recipes.events import Events


def stop_at(monkeypatch, number: int, kind: str = "progress") -> None:
    """Send SIGTERM when an event of this kind is told for the `number`-th time."""
    tells = getattr(Events, kind)
    told = [0]

    def tell(self, *args, **values):
        tells(self, *args, **values)
        told[0] += 1
        if told[0] == number:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Events, kind, tell)
