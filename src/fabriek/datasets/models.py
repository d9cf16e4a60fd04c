"""A dataset of a case: what it is, under which licence, and its revisions in the store."""

from typing import ClassVar

from django.conf import settings
from django.core.validators import MaxLengthValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from fabriek.agreements import policy
from fabriek.cases.models import Case, cases_of
from fabriek.kernel.codes import provisional
from fabriek.kernel.paging import addresses
from fabriek.kernel.text import PLAIN
from fabriek.people.models import Person
from fabriek.store.models import Repository, new_key


class Licence(models.TextChoices):
    """SPDX names where one exists."""

    CONSORTIUM = "consortium-only", _("for this consortium only")
    CC0 = "CC0-1.0", _("CC0: free for everyone")
    CC_BY = "CC-BY-4.0", _("CC BY: free, name the maker")
    CC_BY_SA = "CC-BY-SA-4.0", _("CC BY-SA: free, name the maker, share alike")
    EUPL = "EUPL-1.2", _("EUPL")
    OTHER = "other", _("other: described in the text")


# By these everybody may use it, each in words that hold everywhere.
OPEN_LICENCES = (Licence.CC0, Licence.CC_BY, Licence.CC_BY_SA, Licence.EUPL)


class DatasetQuerySet(models.QuerySet["Dataset"]):
    def visible_to(self, person: Person) -> "DatasetQuerySet":
        """Give the consortium's own; staff see no data of companies."""
        return self.filter(case__in=cases_of(person))

    def seen_by(self, person: Person) -> "DatasetQuerySet":
        """Give all whose record this person may see; files are another question.

        Also what is open or listed, and what their organisations have an agreement on.
        """
        return self.filter(repository__in=policy.visible_to(person).values("pk"))

    def shared_with(self, person: Person) -> "DatasetQuerySet":
        """Give the consortium's own, and those of others that there is an agreement on."""
        agreed = policy.shared_with(person).values("pk")
        return self.filter(Q(case__in=cases_of(person)) | Q(repository__in=agreed))


class Dataset(models.Model):
    code = models.SlugField(unique=True, default=provisional, editable=False)
    case = models.ForeignKey(Case, models.PROTECT, related_name="datasets")
    repository = models.OneToOneField(Repository, models.PROTECT, related_name="dataset")
    title = models.CharField(_("title"), max_length=200, validators=[PLAIN])
    description = models.TextField(
        _("description"),
        max_length=5000,
        blank=True,
        validators=[PLAIN, MaxLengthValidator(5000)],
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


class Upload(models.Model):
    """A file on its way in, in parts: what has come is on our disk, under `key`.

    Whole and taken into the store when `sha256` is known; until then `offset_bytes` says how
    much of it may be relied on. It belongs to who began it, and is forgotten at `expires_at`.
    """

    key = models.CharField(max_length=32, unique=True, default=new_key, editable=False)
    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="uploads")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    path = models.CharField(max_length=1024, blank=True)
    length_bytes = models.PositiveBigIntegerField()
    offset_bytes = models.PositiveBigIntegerField(default=0)
    announced_sha256 = models.CharField(max_length=64, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    # What the client told about it, word for word, as the protocol wants it back.
    told = models.CharField(max_length=4096, blank=True)
    concat = models.CharField(max_length=4096, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.key

    @property
    def thread(self) -> str:
        return self.dataset.thread

    @property
    def left_bytes(self) -> int:
        return self.length_bytes - self.offset_bytes

    @property
    def is_part(self) -> bool:
        """One of several that will be joined: the store never gets it by itself."""
        return self.concat == "partial"
