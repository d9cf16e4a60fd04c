"""What the machine says of itself: its own accounting, and how it stands now."""

from django.db import models
from django.utils import timezone

from fabriek.allocations.models import Allocation
from fabriek.runs.models import Run


class Stretch(models.Model):
    """A job that held part of the machine and ended: one line of the machine's accounting.

    A job that is started again has several. Jobs that somebody submitted around the portal are
    here too: they have no run. What an import brought in is history, which nobody is billed for
    by that.
    """

    # Numbers are used again: cluster, number, and moments of submission and start make it one.
    key = models.CharField(max_length=140, unique=True)
    number = models.CharField(max_length=40)
    name = models.CharField(max_length=200, help_text="What it was called; our key for a run.")
    user = models.CharField(max_length=64, blank=True)
    account = models.CharField(max_length=64, db_index=True)
    allocation = models.ForeignKey(
        Allocation, models.PROTECT, null=True, related_name="stretches"
    )
    run = models.ForeignKey(Run, models.PROTECT, null=True, related_name="stretches")
    state = models.CharField(max_length=40, help_text="The machine's own word.")
    nodes = models.PositiveIntegerField(default=1)
    gpus = models.PositiveIntegerField(default=0)
    tres = models.CharField(max_length=200, blank=True)
    submitted_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(db_index=True)
    elapsed_s = models.PositiveBigIntegerField(default=0)
    energy_j = models.PositiveBigIntegerField(null=True)
    energy_method = models.CharField(max_length=20, blank=True)
    is_history = models.BooleanField(default=False)
    awaits_charge = models.BooleanField(default=False)

    class Meta:
        indexes = [
            models.Index(
                fields=["allocation"],
                name="stretch_awaits_charge",
                condition=models.Q(awaits_charge=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.number} of {self.account}"

    @property
    def gpu_seconds(self) -> int:
        return self.gpus * self.elapsed_s


class Books(models.Model):
    """How far the machine's accounting was drawn, and when it was last held against the ledger.

    One row. `drawn_until`: all that ended before this moment, by the machine's clock, was asked
    for. `silent_from`: where that stood when the accounting fell silent, until an hour after it
    speaks again: what ended meanwhile may be told late.
    """

    drawn_until = models.DateTimeField(null=True)
    drawn_at = models.DateTimeField(null=True, help_text="When it was last asked.")
    heard_at = models.DateTimeField(null=True, help_text="When it last answered.")
    silent_from = models.DateTimeField(null=True)
    silent_at = models.DateTimeField(null=True)
    reconciled_on = models.DateField(null=True)
    reconciled_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"drawn until {self.drawn_until}"


class Standing(models.Model):
    """How the machine stood when the loop last looked: one row, so that pages ask no engine."""

    seen_at = models.DateTimeField(default=timezone.now)
    facts = models.JSONField(default=dict)

    def __str__(self) -> str:
        return f"the machine at {self.seen_at}"
