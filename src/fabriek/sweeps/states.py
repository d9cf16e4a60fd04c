"""The life of a search for good settings."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from fabriek.kernel.lifecycle import Lifecycle


class SweepState(models.TextChoices):
    RUNNING = "running", _("running")
    PAUSED = "paused", _("paused")  # nothing new is begun; what runs goes on
    STOPPED = "stopped", _("stopped")  # by somebody, for good
    DONE = "done", _("done")
    FAILED = "failed", _("failed")  # it has no winner


UNFINISHED = frozenset({SweepState.RUNNING, SweepState.PAUSED})

SWEEP = Lifecycle(
    ("pause", {SweepState.RUNNING}, SweepState.PAUSED),
    ("go_on", {SweepState.PAUSED}, SweepState.RUNNING),
    ("stop", UNFINISHED, SweepState.STOPPED),
    ("finish", {SweepState.RUNNING}, SweepState.DONE),
    ("fail", {SweepState.RUNNING}, SweepState.FAILED),
)
