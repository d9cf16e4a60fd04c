"""What is known of code that somebody sent, besides its files."""

from django.core.validators import RegexValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from fabriek.store.models import Revision

CODE_LETTER = "P"
# A SHA-1 of git, or the SHA-256 that newer repositories have.
COMMIT = RegexValidator(r"^(?:[0-9a-f]{40}|[0-9a-f]{64})?\Z", _("This is no commit of git."))


class Sent(models.Model):
    """From which commit of git a revision came, as whoever sent it says; nobody can check."""

    revision = models.OneToOneField(Revision, models.CASCADE, related_name="sent")
    commit = models.CharField(max_length=64, blank=True, validators=[COMMIT])
    has_changes = models.BooleanField(
        default=False, help_text="With changes that were in no commit."
    )
    at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("code that was sent")

    def __str__(self) -> str:
        return f"{self.revision} of {self.commit[:12] or 'no commit'}"
