"""Where the answers of a run go, as a table: what was chosen, and what came of it."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from fabriek.datasets.models import Dataset


class Destination(models.Model):
    """The dataset in which the answers of a run are saved when it has ended well.

    `dataset` is empty for a new one until it is made. It is open as long as `settled_at` is
    empty; then `revision` holds the answers, or `code` says why they were not saved. While it
    is open, `code` says what kept them from being saved at the last try.
    """

    run = models.OneToOneField("runs.Run", models.CASCADE, related_name="destination")
    dataset = models.ForeignKey(Dataset, models.PROTECT, null=True, related_name="made_by")
    title = models.CharField(max_length=200, blank=True, help_text="Of a new dataset.")
    # Its number only: what points at a revision would keep its owner from dropping it.
    revision = models.PositiveIntegerField(null=True)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    settled_at = models.DateTimeField(null=True, editable=False)
    code = models.CharField(max_length=40, blank=True)
    asked_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="answers_saved_in_a_dataset",
                condition=Q(revision=None)
                | Q(dataset__isnull=False, settled_at__isnull=False, code=""),
            ),
        ]
        indexes = [
            models.Index(fields=["run"], name="answers_to_save", condition=Q(settled_at=None)),
        ]

    def __str__(self) -> str:
        return f"answers of {self.run_id}"
