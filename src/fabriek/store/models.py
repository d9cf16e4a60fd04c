"""Repositories and their revisions: immutable lists of named files; of bytes see `blobs`."""

import secrets

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from fabriek.cases.models import Case
from fabriek.people.models import Organisation
from fabriek.store.blobs import LARGE_BYTES, Blob, Damage, Pack, Round, new_key

__all__ = [
    "LARGE_BYTES",
    "MAIN",
    "Arrival",
    "Blob",
    "Damage",
    "File",
    "Pack",
    "Ref",
    "Repository",
    "Revision",
    "Round",
    "new_commit_id",
    "new_key",
]

MAIN = "main"  # the branch that pages, runs and a reference without a number mean


def new_commit_id() -> str:
    """Give 160 random bits: what is in a revision is said by its digest, not by this."""
    return secrets.token_hex(20)


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

    @property
    def name(self) -> str:
        """Name it without its folders."""
        return self.path.rpartition("/")[2]
