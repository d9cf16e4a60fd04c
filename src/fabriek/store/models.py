"""Bytes by their SHA-256, and revisions: immutable lists of named files."""

import secrets
import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from fabriek.cases.models import Case
from fabriek.people.models import Organisation

MAIN = "main"  # the branch that pages, runs and a reference without a number mean
# From here on a file is worth finding by its size, before it is read.
LARGE_BYTES = 2**20


def new_key() -> str:
    return uuid.uuid4().hex


def new_commit_id() -> str:
    """Give 160 random bits: what is in a revision is said by its digest, not by this."""
    return secrets.token_hex(20)


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


class Repository(models.Model):
    class Kind(models.TextChoices):
        DATASET = "dataset", _("dataset")
        MODEL = "model", _("model")
        CODE = "code", _("code")

    class Listed(models.TextChoices):
        """Who may see in the catalogue that it exists and what it is; never what is in it."""

        NOBODY = "nobody", _("nobody but the consortium")
        MEMBERS = "members", _("everybody who can sign in")
        EVERYBODY = "everybody", _("everybody, and the catalogues of others")

    # `code` and `title` are those of the dataset or model that lives here, so that earlier
    # stages can name it without knowing that stage.
    code = models.SlugField(unique=True, null=True, editable=False)  # noqa: DJ001  unique
    title = models.CharField(max_length=200, blank=True)
    # How programs name it: `C26-0001/questions`. A code of ours (`D26-0001`) is no namespace.
    namespace = models.CharField(max_length=60, blank=True, editable=False)
    name = models.CharField(max_length=96, blank=True, editable=False)
    kind = models.CharField(max_length=8, choices=Kind)
    case = models.ForeignKey(Case, models.PROTECT, null=True, related_name="repositories")
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="+")
    is_open = models.BooleanField(default=False, help_text="Every person may read it.")
    listed_for = models.CharField(
        _("who may find it"), max_length=9, choices=Listed, default=Listed.NOBODY
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "kind",
                Lower("namespace"),
                Lower("name"),
                name="repository_name_once",
                condition=~Q(name=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code or self.pk} {self.title}".strip()

    @property
    def repo_id(self) -> str:
        """Name it as clients of the Hugging Face Hub do."""
        return f"{self.namespace}/{self.name}"

    @property
    def thread(self) -> str:
        return self.case.code if self.case else ""


class Arrival(models.Model):
    """Bytes that were sent to this repository, and may be named in its next revision.

    Knowing a SHA-256 is not having the file: a revision may only name what arrived here, or
    what a repository of the same case names already. Gone a day after the last arrival.

    Of a pack that was filled here one row says it for all that lies in it: a row a file would
    be half of what the database does for thousands of small ones.
    """

    repository = models.ForeignKey(Repository, models.CASCADE, related_name="arrivals")
    blob = models.ForeignKey(Blob, models.CASCADE, null=True, related_name="arrivals")
    pack = models.ForeignKey(Pack, models.CASCADE, null=True, related_name="arrivals")
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+"
    )
    at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["repository", "blob"], name="arrival_once"),
            models.UniqueConstraint(fields=["repository", "pack"], name="pack_arrival_once"),
            models.CheckConstraint(
                name="arrival_of_one",
                condition=Q(blob=None, pack__isnull=False) | Q(blob__isnull=False, pack=None),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.blob or self.pack} for {self.repository}"


class Revision(models.Model):
    """An immutable list of files. `digest` is the SHA-256 of the sorted listing."""

    repository = models.ForeignKey(Repository, models.PROTECT, related_name="revisions")
    number = models.PositiveIntegerField()
    branch = models.CharField(max_length=200, default=MAIN)
    # 40 hexadecimal signs, as programs that speak git or the Hub expect.
    commit_id = models.CharField(max_length=40, db_index=True, default=new_commit_id)
    parent = models.ForeignKey("self", models.PROTECT, null=True, related_name="+")
    digest = models.CharField(max_length=64)
    message = models.CharField(max_length=300)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    file_count = models.PositiveIntegerField()
    size_bytes = models.PositiveBigIntegerField()
    # Its list of files is gone, and their bytes unless something else names them.
    dropped_at = models.DateTimeField(null=True, editable=False)
    dropped_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+"
    )
    dropped_why = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["repository", "number"], name="revision_once"),
            models.UniqueConstraint(fields=["repository", "commit_id"], name="commit_once"),
        ]

    def __str__(self) -> str:
        return f"{self.number} ({self.digest[:12]})"


class Ref(models.Model):
    """A branch beside `main`, or a tag: a name for a revision. `main` needs no row."""

    named_as = _("a branch or a tag")

    class Kind(models.TextChoices):
        BRANCH = "branch", _("branch")
        TAG = "tag", _("tag")

    repository = models.ForeignKey(Repository, models.CASCADE, related_name="refs")
    kind = models.CharField(max_length=6, choices=Kind)
    name = models.CharField(max_length=200)
    revision = models.ForeignKey(Revision, models.PROTECT, related_name="refs")
    message = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["repository", "kind", "name"], name="ref_once"),
        ]

    def __str__(self) -> str:
        return self.name


class File(models.Model):
    # `path_once_a_revision` finds those of a revision. It is written in the transaction that
    # makes the revision, and no revision is ever removed: to have the database look once more
    # for each of twenty thousand rows costs a twentieth of taking the files in.
    revision = models.ForeignKey(
        Revision, models.CASCADE, related_name="files", db_index=False, db_constraint=False
    )
    path = models.CharField(max_length=1024)
    blob = models.ForeignKey(Blob, models.PROTECT, related_name="+")

    class Meta:
        ordering = ["path"]
        constraints = [
            models.UniqueConstraint(fields=["revision", "path"], name="path_once_a_revision"),
        ]

    def __str__(self) -> str:
        return self.path
