"""What was sent by the Xet protocol and may be named again: xorbs, and where their bytes are.

All of it belongs to one repository. Nothing here can be named from another, be it of the same
organisation: what somebody holds is a secret, and so is that they hold it.
"""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from fabriek.store.models import Blob, Repository


class Era(models.Model):
    """Counts how often this repository lost something that clients may remember it to have.

    A client keeps a list of what it sent, for weeks, by the address that we give it; the number
    is part of that address. A new number makes it forget, and send again.
    """

    repository = models.OneToOneField(Repository, models.CASCADE, related_name="era")
    number = models.PositiveIntegerField(default=1)

    def __str__(self) -> str:
        return f"{self.number} of {self.repository_id}"


class Xorb(models.Model):
    """Chunks that were sent together, named by what is in them."""

    repository = models.ForeignKey(Repository, models.CASCADE, related_name="xorbs")
    name = models.CharField(max_length=64)
    # How long each chunk is (bytes): four bytes for each, little-endian.
    lengths = models.BinaryField()
    chunks = models.PositiveIntegerField()
    # Whether its own bytes lie in our folder; else they are in files of the store.
    is_here = models.BooleanField(default=True)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+"
    )
    used_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["repository", "name"], name="xorb_once"),
        ]

    def __str__(self) -> str:
        return self.name[:12]


class Piece(models.Model):
    """Chunks `first` up to `end` of a xorb are in a file of the store, from `offset` on."""

    xorb = models.ForeignKey(Xorb, models.CASCADE, related_name="pieces")
    blob = models.ForeignKey(Blob, models.CASCADE, related_name="+")
    first = models.PositiveIntegerField()
    end = models.PositiveIntegerField()
    offset = models.PositiveBigIntegerField()

    class Meta:
        constraints = [
            models.CheckConstraint(name="piece_has_chunks", condition=Q(end__gt=F("first"))),
            models.UniqueConstraint(fields=["xorb", "first", "end"], name="piece_once"),
        ]

    def __str__(self) -> str:
        return f"{self.first} to {self.end} of {self.xorb_id}"
