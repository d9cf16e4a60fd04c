"""What git would call a small file: clients compare it to see what they need not send."""

from django.db import models

from fabriek.hub.xet_models import Era, Piece, Xorb
from fabriek.store.models import Blob

__all__ = ["Era", "GitName", "Piece", "Xorb"]


class GitName(models.Model):
    """The git SHA-1 of a blob, by which clients see what they need not send.

    Empty: it is binary, and named by its SHA-256 as a large one.
    """

    blob = models.OneToOneField(Blob, models.CASCADE, primary_key=True, related_name="git_name")
    sha1 = models.CharField(max_length=40, blank=True)

    def __str__(self) -> str:
        return self.sha1 or "large"
