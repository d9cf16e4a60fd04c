"""The journal: who did what to which thing, when and why. Rows are only ever added."""

from django.conf import settings
from django.db import models

from fabriek.kernel import journal


class Entry(models.Model):
    """One line of the journal; `by` is empty when the platform itself acted.

    `thread` names the bigger thing this belongs to (the code of a case), so that one query
    tells a whole story across the stages.
    """

    at = models.DateTimeField(auto_now_add=True, db_index=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True)
    verb = models.CharField(max_length=60)
    subject_kind = models.CharField(max_length=60)
    subject_id = models.BigIntegerField()
    thread = models.CharField(max_length=60, blank=True, db_index=True)
    details = models.JSONField(default=dict)

    class Meta:
        indexes = [
            models.Index(fields=["subject_kind", "subject_id", "at"]),
            models.Index(fields=["verb", "at"]),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.verb} {self.subject_kind} {self.subject_id}"

    @property
    def sentence(self) -> str:
        """What happened, in words, for the timeline."""
        return journal.sentence(self.verb)
