"""What is told of a dataset to whoever may find it; and the stems by which it is found."""

from collections.abc import Callable
from typing import ClassVar

from django.core.validators import MaxLengthValidator, URLValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from fabriek.agreements.models import Duty, Place, Product, Purpose
from fabriek.catalogue.checks import Among, some_words
from fabriek.catalogue.model_records import (
    ModelRecord,  # noqa: F401  a table
    ModelStem,  # noqa: F401  a table
    WeighedStem,
)
from fabriek.catalogue.vocabulary import Access, Frequency, Language, Theme
from fabriek.datasets.models import Dataset
from fabriek.kernel.text import PLAIN

WEB = URLValidator(schemes=["http", "https"])
MOST_TEXT = 5000
MOST_NOTE = 2000
PROSE: list[Callable[[str], None]] = [PLAIN, MaxLengthValidator(MOST_TEXT)]
NOTE: list[Callable[[str], None]] = [PLAIN, MaxLengthValidator(MOST_NOTE)]


class Record(models.Model):
    """The description of one dataset. Its title, text and licence stand with the dataset.

    All may be empty: `gaps` says what is missing for which catalogue. `readme_sha256` is the
    README that was read last, `readme_problem` the code of why it could not be.
    """

    dataset = models.OneToOneField(Dataset, models.CASCADE, related_name="record")
    title_nl = models.CharField(
        _("title in Dutch"), max_length=200, blank=True, validators=[PLAIN]
    )
    title_en = models.CharField(
        _("title in English"), max_length=200, blank=True, validators=[PLAIN]
    )
    text_nl = models.TextField(
        _("text in Dutch"), max_length=MOST_TEXT, blank=True, validators=PROSE
    )
    text_en = models.TextField(
        _("text in English"), max_length=MOST_TEXT, blank=True, validators=PROSE
    )
    theme = models.CharField(_("theme"), max_length=4, choices=Theme, blank=True)
    keywords = models.JSONField(
        _("keywords"), default=list, blank=True, validators=[some_words]
    )
    languages = models.JSONField(
        _("languages"), default=list, blank=True, validators=[Among(Language.values)]
    )
    tasks = models.JSONField(_("tasks"), default=list, blank=True, validators=[some_words])
    maker = models.CharField(_("maker"), max_length=200, blank=True, validators=[PLAIN])
    contact_name = models.CharField(
        _("name of the contact"), max_length=200, blank=True, validators=[PLAIN]
    )
    contact_email = models.EmailField(_("e-mail address of the contact"), blank=True)
    access = models.CharField(_("access"), max_length=10, choices=Access, blank=True)
    period_from = models.DateField(_("first day it covers"), null=True, blank=True)
    period_until = models.DateField(_("last day it covers"), null=True, blank=True)
    place = models.CharField(
        _("place it covers"), max_length=200, blank=True, validators=[PLAIN]
    )
    how_collected = models.TextField(
        _("how it was collected"), max_length=MOST_NOTE, blank=True, validators=NOTE
    )
    frequency = models.CharField(
        _("how often it is brought up to date"), max_length=9, choices=Frequency, blank=True
    )
    source = models.CharField(_("source"), max_length=500, blank=True, validators=[PLAIN])
    version_notes = models.TextField(
        _("what is new in this version"), max_length=MOST_NOTE, blank=True, validators=NOTE
    )
    landing_page = models.CharField(
        _("page about it elsewhere"), max_length=500, blank=True, validators=[WEB]
    )
    # What the owner usually agrees to, for who thinks of asking; empty: nothing is offered.
    offer_purposes = models.JSONField(
        _("purposes that you usually agree to"),
        default=list,
        blank=True,
        validators=[Among(Purpose.values)],
    )
    offer_product = models.CharField(
        _("what may come out of it"), max_length=20, choices=Product, blank=True
    )
    offer_place = models.CharField(
        _("where it may be used"), max_length=10, choices=Place, blank=True
    )
    offer_duties = models.JSONField(
        _("duties that you ask for"), default=list, blank=True, validators=[Among(Duty.values)]
    )
    readme_sha256 = models.CharField(max_length=64, blank=True, editable=False)
    readme_problem = models.CharField(max_length=20, blank=True, editable=False)
    # Never taken over, as the licence is the owner's to choose; only held against it.
    readme_licence = models.CharField(max_length=20, blank=True, editable=False)
    # When it was first shown to everybody: dct:issued.
    published_at = models.DateTimeField(null=True, editable=False)
    changed_at = models.DateTimeField(default=timezone.now, editable=False, db_index=True)

    objects: ClassVar[models.Manager["Record"]] = models.Manager()

    class Meta:
        verbose_name = _("record")
        constraints = [
            models.CheckConstraint(
                name="record_period_does_not_end_before_it_begins",
                condition=models.Q(period_until__gte=models.F("period_from"))
                | models.Q(period_from__isnull=True)
                | models.Q(period_until__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"record of {self.dataset.code}"

    @property
    def thread(self) -> str:
        return self.dataset.thread

    @property
    def readme_says_otherwise(self) -> bool:
        """Tell whether README.md names another licence than the dataset has."""
        return self.readme_licence not in ("", self.dataset.licence)

    @property
    def is_said_in_a_language(self) -> bool:
        return bool(self.title_nl or self.title_en or self.text_nl or self.text_en)

    @property
    def title(self) -> str:
        """Give the title in the reader's language, else the one that the dataset has."""
        theirs = self.title_nl if get_language() == "nl" else self.title_en
        return theirs or self.dataset.title

    @property
    def text(self) -> str:
        first, second = self.text_nl, self.text_en
        if get_language() != "nl":
            first, second = second, first
        return first or self.dataset.description or second


class Stem(WeighedStem):
    record = models.ForeignKey(Record, models.CASCADE, related_name="stems")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["record", "word"], name="stem_once_a_record"),
        ]
        indexes = [
            # All that a search reads, so that it never goes to the table.
            models.Index(fields=["word", "record", "weight"], name="stem_found"),
        ]


class Gathered(models.Model):
    """One row: the last journal entry from which records were brought up to date."""

    name = models.SlugField(unique=True)
    entry_id = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.name} at {self.entry_id}"
