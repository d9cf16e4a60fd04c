"""Wait for a run while the loop's own passes move it, showing how far it is."""

import time
from collections.abc import Callable
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from fabriek.runs.models import Run
from fabriek.runs.states import UNFINISHED
from fabriek.serve import loop

PATIENCE = timedelta(minutes=30)

Show = Callable[[Run], None]


def until_over(run: Run, show: Show) -> Run:
    """Make passes until the run has ended; the engine goes on when we are interrupted."""
    deadline = timezone.now() + PATIENCE
    while run.state in UNFINISHED and timezone.now() < deadline:
        loop.one_pass()
        run.refresh_from_db()
        show(run)
        if run.state in UNFINISHED:
            time.sleep(min(settings.LOOP_PAUSE_S, 1))
    loop.one_pass()  # registers the model
    return run
