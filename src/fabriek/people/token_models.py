"""Access tokens: the keys by which programs do what their person may do."""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from fabriek.kernel.text import PLAIN


class Scope(models.TextChoices):
    READ = "read", _("look at everything I may see")
    WRITE = "write", _("do everything I may do")


class TokenStatus(models.TextChoices):
    VALID = "valid", _("valid")
    EXPIRED = "expired", _("expired")
    REVOKED = "revoked", _("revoked")


class Token(models.Model):
    """A key for programs. Only its digest is kept; the key itself is shown once."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="tokens")
    name = models.CharField(_("name"), max_length=80, validators=[PLAIN])
    prefix = models.CharField(max_length=12)
    digest = models.CharField(max_length=64, unique=True)
    scope = models.CharField(_("scope"), max_length=10, choices=Scope)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(_("expires"))
    revoked_at = models.DateTimeField(null=True, editable=False)
    last_used_on = models.DateField(null=True, editable=False)

    def __str__(self) -> str:
        return f"{self.prefix}… ({self.name})"

    def is_valid(self, at: datetime) -> bool:
        return self.revoked_at is None and at < self.expires_at

    @property
    def status(self) -> TokenStatus:
        if self.revoked_at is not None:
            return TokenStatus.REVOKED
        return TokenStatus.VALID if self.is_valid(timezone.now()) else TokenStatus.EXPIRED
