"""The life of a run. Every move but the first is made by `reconcile`."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from fabriek.kernel.lifecycle import Lifecycle


class RunState(models.TextChoices):
    WAITING = "waiting", _("waiting")  # accepted by us, not yet known to the engine
    QUEUED = "queued", _("queued")
    RUNNING = "running", _("running")
    SUCCEEDED = "succeeded", _("succeeded")
    FAILED = "failed", _("failed")
    CANCELLED = "cancelled", _("cancelled")
    LOST = "lost", _("lost")  # the engine has not mentioned it for too long


# Why a run ended that somebody paused.
PAUSED = "paused"

ALIVE = frozenset({RunState.QUEUED, RunState.RUNNING})
UNFINISHED = ALIVE | {RunState.WAITING}
# A lost run may still turn up in the engine's accounting, which then decides.
STILL_OPEN = ALIVE | {RunState.LOST}

RUN = Lifecycle(
    ("enqueue", {RunState.WAITING}, RunState.QUEUED),
    ("cancel", {RunState.WAITING}, RunState.CANCELLED),
    # It made room, or its time on the machine was up: it goes on from what it saved.
    ("requeue", {RunState.RUNNING}, RunState.QUEUED),
    ("start", {RunState.QUEUED, RunState.LOST}, RunState.RUNNING),
    ("succeed", STILL_OPEN, RunState.SUCCEEDED),
    ("fail", STILL_OPEN | {RunState.WAITING}, RunState.FAILED),
    ("stop", STILL_OPEN, RunState.CANCELLED),
    ("lose", ALIVE, RunState.LOST),
)


def said(state: str, reason: str) -> str:
    """Name the state of a run for people, who paused it and did not cancel it."""
    return str(_("paused") if reason == PAUSED else RunState(state).label)
