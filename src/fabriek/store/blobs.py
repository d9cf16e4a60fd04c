"""Bytes as the database knows them: in which pack, how damaged, and how far they were read."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from fabriek.people.models import Organisation

# From here on a file is worth finding by its size, before it is read.
LARGE_BYTES = 2**20


def new_key() -> str:
    return uuid.uuid4().hex


class Pack(models.Model):
    """One file of the store that holds many small ones behind each other."""

    key = models.CharField(primary_key=True, max_length=32, default=new_key, editable=False)
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="+")
    size_bytes = models.PositiveBigIntegerField()
    # Of files that are gone, where their room was given back already.
    hole_bytes = models.PositiveBigIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    # Its files were moved into others; kept for a day more for who looked them up before.
    retired_at = models.DateTimeField(null=True, editable=False)

    def __str__(self) -> str:
        return self.key


class Blob(models.Model):
    """Some bytes, kept once per organisation.

    Across organisations even the fact that two hold the same file would be a secret told.
    """

    # Twenty thousand rows come at once, and each index of a table costs each row: `blob_once`
    # finds those of an organisation as well. That organisation and pack are there is not looked
    # at by the database for each row, at a third of what the row costs: no organisation is
    # removed, a pack is written with its rows in one transaction and goes when it has none.
    organisation = models.ForeignKey(
        Organisation, models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    sha256 = models.CharField(max_length=64)
    size_bytes = models.PositiveBigIntegerField()
    # Empty: the bytes are a file of their own, found by their SHA-256.
    pack = models.ForeignKey(
        Pack, models.PROTECT, "blobs", null=True, db_index=False, db_constraint=False
    )
    pack_offset = models.PositiveBigIntegerField(default=0)
    # For looking whether all is still whole, three times as fast as SHA-256. Empty: not known.
    blake3 = models.CharField(max_length=64, blank=True)
    verified_at = models.DateTimeField(null=True, editable=False, db_index=True)
    stored_at = models.DateTimeField(
        default=timezone.now, editable=False, db_index=True, help_text="Sent for the last time."
    )

    is_blake3_new = False  # not a column: found by reading again, and not yet written down

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "sha256"], name="blob_once"),
        ]
        indexes = [
            models.Index(fields=["pack"], name="blob_of_pack"),
            models.Index(
                fields=["organisation", "size_bytes"],
                name="blob_large_by_size",
                condition=Q(size_bytes__gte=LARGE_BYTES),
            ),
        ]

    def __str__(self) -> str:
        return self.sha256[:12]


class Damage(models.Model):
    """Bytes that were found gone or changed: a line of the repair list."""

    class What(models.TextChoices):
        GONE = "gone", _("gone")
        SHORT = "short", _("of another size")
        CHANGED = "changed", _("changed")
        UNREADABLE = "unreadable", _("the disk cannot read it")

    class How(models.TextChoices):
        SENT = "sent", _("the same file was sent again")
        COPY = "copy", _("brought back from the second place")
        WELL = "well", _("whole when it was read again")
        FORGOTTEN = "forgotten", _("nothing needed it any more")

    blob = models.ForeignKey(Blob, models.SET_NULL, null=True, related_name="damages")
    sha256 = models.CharField(max_length=64)
    size_bytes = models.PositiveBigIntegerField()
    what = models.CharField(max_length=10, choices=What)
    place = models.CharField(max_length=80, help_text="Where it lay: a file, or in which pack.")
    aside = models.CharField(max_length=100, blank=True, help_text="Its name in quarantine.")
    found_at = models.DateTimeField(default=timezone.now, editable=False)
    repaired_at = models.DateTimeField(null=True, editable=False)
    how = models.CharField(max_length=10, choices=How, blank=True)

    class Meta:
        ordering = ["-found_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["blob"],
                name="damage_open_once",
                condition=Q(repaired_at=None, blob__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sha256[:12]} {self.what}"


class Round(models.Model):
    """All bytes of the store read again once; what it read is told by `Blob.verified_at`."""

    started_at = models.DateTimeField(default=timezone.now, editable=False)
    ended_at = models.DateTimeField(null=True, editable=False)
    read_files = models.PositiveBigIntegerField(default=0)
    read_bytes = models.PositiveBigIntegerField(default=0)
    found = models.PositiveIntegerField(default=0, help_text="How many were damaged.")
    # One process at a time reads; a dead one's claim runs out.
    claimed_until = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["-started_at", "-pk"]

    def __str__(self) -> str:
        return f"begun {self.started_at}"
