"""What is told of an open model, and the stems by which it is found."""

from typing import ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from fabriek.datasets.models import Licence
from fabriek.kernel.paging import addresses
from fabriek.store.models import Repository


class ModelRecord(models.Model):
    """One for each model that is open; it goes when the model is closed.

    `revision` is the number of the one it tells of. Its maker is who has the repository.
    """

    repository = models.OneToOneField(Repository, models.CASCADE, related_name="model_record")
    title = models.CharField(_("title"), max_length=200)
    licence = models.CharField(_("licence"), max_length=40)
    text = models.TextField(_("what it is for"), blank=True)
    revision = models.PositiveIntegerField()
    changed_at = models.DateTimeField(default=timezone.now, editable=False, db_index=True)

    objects: ClassVar[models.Manager["ModelRecord"]] = models.Manager()

    class Meta:
        verbose_name = _("record of a model")

    def __str__(self) -> str:
        return f"record of {self.repository_id}"

    def get_absolute_url(self) -> str:
        return addresses("catalogue:model")(self.repository.code or "")

    @property
    def licence_said(self) -> str:
        known = self.licence in Licence.values
        return str(Licence(self.licence).label) if known else self.licence


class WeighedStem(models.Model):
    """A stemmed word that a record is found by, and how much it says about the record."""

    word = models.CharField(max_length=40)
    weight = models.PositiveSmallIntegerField()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.word


class ModelStem(WeighedStem):
    record = models.ForeignKey(ModelRecord, models.CASCADE, related_name="stems")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["record", "word"], name="stem_once_a_model"),
        ]
        indexes = [
            models.Index(fields=["word", "record", "weight"], name="model_stem_found"),
        ]
