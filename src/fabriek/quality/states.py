"""The life of a look at data, and of the treatment of what was found."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from fabriek.kernel.lifecycle import Lifecycle


class ErrandState(models.TextChoices):
    """What a worker does for us: a look, or a treatment."""

    WAITING = "waiting", _("waiting")
    RUNNING = "running", _("running")
    DONE = "done", _("done")
    FAILED = "failed", _("failed")
    CANCELLED = "cancelled", _("cancelled")


UNFINISHED = frozenset({ErrandState.WAITING, ErrandState.RUNNING})

LOOK = Lifecycle(
    ("start_look", {ErrandState.WAITING}, ErrandState.RUNNING),
    ("finish_look", {ErrandState.RUNNING}, ErrandState.DONE),
    ("fail_look", UNFINISHED, ErrandState.FAILED),
    ("cancel_look", UNFINISHED, ErrandState.CANCELLED),
)
TREATMENT = Lifecycle(
    ("start_treatment", {ErrandState.WAITING}, ErrandState.RUNNING),
    ("finish_treatment", {ErrandState.RUNNING}, ErrandState.DONE),
    ("fail_treatment", UNFINISHED, ErrandState.FAILED),
    ("cancel_treatment", UNFINISHED, ErrandState.CANCELLED),
)
