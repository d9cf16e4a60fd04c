"""An entry: one person who went into one run of interactive work, by what right, and when."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from fabriek.people.models import Token
from fabriek.runs.models import Run


class Entry(models.Model):
    """Of the ticket and of the pass it was changed for only the digests are kept.

    It lasts no longer than what it was asked with: the session of the browser, or the token.
    """

    run = models.ForeignKey(Run, models.CASCADE, related_name="entries")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    session_key = models.CharField(max_length=40, blank=True)
    token = models.ForeignKey(Token, models.CASCADE, null=True, related_name="+")
    ticket = models.CharField(max_length=64, unique=True)
    asked_at = models.DateTimeField(default=timezone.now, editable=False)
    admitted_at = models.DateTimeField(null=True, editable=False)
    admission = models.CharField(max_length=64, unique=True, null=True)  # noqa: DJ001  see below

    class Meta:
        verbose_name = _("entry")
        constraints = [
            # Empty until it is used: many are, so that empty cannot be a word of its own.
            models.CheckConstraint(
                name="entry_is_admitted_once",
                condition=Q(admission=None, admitted_at=None)
                | Q(admission__isnull=False, admitted_at__isnull=False),
            ),
            models.CheckConstraint(
                name="entry_has_one_right",
                condition=Q(session_key="", token__isnull=False)
                | (~Q(session_key="") & Q(token=None)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person_id} in {self.run_id}"
