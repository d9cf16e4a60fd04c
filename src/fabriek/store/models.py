"""Bytes by their SHA-256, and revisions: immutable lists of named files."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from fabriek.cases.models import Case
from fabriek.people.models import Organisation, Person


class Blob(models.Model):
    """Some bytes, kept once per organisation.

    Across organisations even the fact that two hold the same file would be a secret told.
    """

    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="+")
    sha256 = models.CharField(max_length=64)
    size_bytes = models.PositiveBigIntegerField()
    stored_at = models.DateTimeField(
        default=timezone.now, editable=False, db_index=True, help_text="Sent for the last time."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "sha256"], name="blob_once"),
        ]

    def __str__(self) -> str:
        return self.sha256[:12]


class RepositoryQuerySet(models.QuerySet["Repository"]):
    def visible_to(self, person: Person) -> "RepositoryQuerySet":
        """Open repositories, and those of cases this person takes part in.

        Staff see that a case exists, not its data: another company's files are nobody's
        business but the consortium's.
        """
        return self.filter(Q(is_open=True) | Q(case__in=Case.objects.taken_part_in_by(person)))


class Repository(models.Model):
    class Kind(models.TextChoices):
        DATASET = "dataset", _("dataset")
        MODEL = "model", _("model")

    # `code` and `title` are those of the dataset or model that lives here, so that earlier
    # stages can name it without knowing that stage.
    code = models.SlugField(unique=True, null=True, editable=False)  # noqa: DJ001  unique
    title = models.CharField(max_length=200, blank=True)
    kind = models.CharField(max_length=8, choices=Kind)
    case = models.ForeignKey(Case, models.PROTECT, null=True, related_name="repositories")
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="+")
    is_open = models.BooleanField(default=False, help_text="Every person may read it.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects: ClassVar[RepositoryQuerySet] = RepositoryQuerySet.as_manager()  # type: ignore[assignment]

    def __str__(self) -> str:
        return f"{self.code or self.pk} {self.title}".strip()

    @property
    def thread(self) -> str:
        return self.case.code if self.case else ""


class Arrival(models.Model):
    """Bytes that were sent to this repository, and may be named in its next revision.

    Knowing a SHA-256 is not having the file: a revision may only name what arrived here, or
    what a repository of the same case names already. Gone a day after the last arrival.
    """

    repository = models.ForeignKey(Repository, models.CASCADE, related_name="arrivals")
    blob = models.ForeignKey(Blob, models.CASCADE, related_name="arrivals")
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+"
    )
    at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["repository", "blob"], name="arrival_once"),
        ]

    def __str__(self) -> str:
        return f"{self.blob} for {self.repository}"


class Revision(models.Model):
    """An immutable list of files. `digest` is the SHA-256 of the sorted listing."""

    repository = models.ForeignKey(Repository, models.PROTECT, related_name="revisions")
    number = models.PositiveIntegerField()
    parent = models.ForeignKey("self", models.PROTECT, null=True, related_name="+")
    digest = models.CharField(max_length=64)
    message = models.CharField(max_length=300)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    file_count = models.PositiveIntegerField()
    size_bytes = models.PositiveBigIntegerField()

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["repository", "number"], name="revision_once"),
        ]

    def __str__(self) -> str:
        return f"{self.number} ({self.digest[:12]})"


class File(models.Model):
    revision = models.ForeignKey(Revision, models.CASCADE, related_name="files")
    path = models.CharField(max_length=1024)
    blob = models.ForeignKey(Blob, models.PROTECT, related_name="+")

    class Meta:
        ordering = ["path"]
        constraints = [
            models.UniqueConstraint(fields=["revision", "path"], name="path_once_a_revision"),
        ]

    def __str__(self) -> str:
        return self.path
