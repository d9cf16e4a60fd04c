"""A dataset of a case: what it is, under which licence, and its revisions in the store."""

from typing import ClassVar

from django.conf import settings
from django.core.validators import MaxLengthValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from fabriek.cases.models import Case, cases_of
from fabriek.kernel.codes import provisional
from fabriek.kernel.paging import addresses
from fabriek.people.models import Person
from fabriek.store.models import Repository


class Licence(models.TextChoices):
    """SPDX names where one exists."""

    CONSORTIUM = "consortium-only", _("for this consortium only")
    CC0 = "CC0-1.0", _("CC0: free for everyone")
    CC_BY = "CC-BY-4.0", _("CC BY: free, name the maker")
    CC_BY_SA = "CC-BY-SA-4.0", _("CC BY-SA: free, name the maker, share alike")
    EUPL = "EUPL-1.2", _("EUPL")
    OTHER = "other", _("other: described in the text")


class DatasetQuerySet(models.QuerySet["Dataset"]):
    def visible_to(self, person: Person) -> "DatasetQuerySet":
        """Show the consortium's own people everything; staff see no data of companies."""
        return self.filter(case__in=cases_of(person))


class Dataset(models.Model):
    code = models.SlugField(unique=True, default=provisional, editable=False)
    case = models.ForeignKey(Case, models.PROTECT, related_name="datasets")
    repository = models.OneToOneField(Repository, models.PROTECT, related_name="dataset")
    title = models.CharField(_("title"), max_length=200)
    description = models.TextField(
        _("description"), max_length=5000, blank=True, validators=[MaxLengthValidator(5000)]
    )
    licence = models.CharField(_("licence"), max_length=20, choices=Licence)
    has_personal_data = models.BooleanField(_("contains personal data"))
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False, db_index=True)

    objects: ClassVar[DatasetQuerySet] = DatasetQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("dataset")

    def __str__(self) -> str:
        return f"{self.code} {self.title}"

    def get_absolute_url(self) -> str:
        return addresses("datasets:detail")(self.code)

    @property
    def thread(self) -> str:
        return self.case.code
