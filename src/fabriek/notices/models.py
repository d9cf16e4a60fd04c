"""How far the mailer has read the journal."""

from django.db import models
from django.utils import timezone


class Watermark(models.Model):
    """One row: the last journal entry that was dealt with, and what of the next one was sent.

    `busy_until` is the claim of the pass that is at work, or the rest after a failure.
    """

    name = models.SlugField(unique=True)
    entry_id = models.BigIntegerField(default=0)
    partly_id = models.BigIntegerField(default=0)
    partly_sent_to = models.JSONField(default=list)
    busy_until = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.name} at {self.entry_id}"
