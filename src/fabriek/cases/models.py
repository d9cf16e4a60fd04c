"""A case: what organisations want to build with AI, and who builds it together."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, ClassVar

from django.conf import settings
from django.core.validators import MaxLengthValidator, MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from fabriek.cases.states import CaseState, PartnerState
from fabriek.kernel.codes import provisional
from fabriek.kernel.paging import addresses
from fabriek.kernel.text import PLAIN
from fabriek.people.models import Organisation, Person

# A text column keeps no length of its own: only a validator does.
PROSE: list[Callable[[str], None]] = [PLAIN, MaxLengthValidator(5000)]
MOST_MONTHS = 60
MOST_GPU_HOURS = 10_000_000  # beyond any machine of today: a slip of the keyboard


class Sector(models.Model):
    """A field of society the factory names; rows, because a factory may change them."""

    code = models.SlugField(unique=True)
    name_nl = models.CharField(max_length=80)
    name_en = models.CharField(max_length=80)
    description_nl = models.CharField(max_length=300, blank=True)
    description_en = models.CharField(max_length=300, blank=True)
    position = models.PositiveSmallIntegerField(default=0)
    is_offered = models.BooleanField(default=True)

    class Meta:
        ordering = ["position", "code"]

    def __str__(self) -> str:
        return self.name_nl if get_language() == "nl" else self.name_en


class CaseQuerySet(models.QuerySet["Case"]):
    def visible_to(self, person: Person) -> "CaseQuerySet":
        """Cases of this person's organisations, as lead or accepted partner; all for staff."""
        if person.sees_all_cases:
            return self
        return self.taken_part_in_by(person)

    def taken_part_in_by(self, person: Person) -> "CaseQuerySet":
        """Cases whose consortium this person's organisations are in; staff get no more."""
        return self.filter(_of_consortium(tuple(person.organisation_ids)))


# Kept: nearly every page asks it, some thrice, and Django takes long to put it together.
@lru_cache(maxsize=1024)
def _of_consortium(organisations: tuple[int, ...]) -> Q:
    joined = Partner.objects.filter(organisation__in=organisations, state=PartnerState.ACCEPTED)
    return Q(organisation__in=organisations) | Q(pk__in=joined.values("case"))


def cases_of(person: Person) -> "models.QuerySet[Case, Any]":
    """Name the cases of this person's consortia, for `case__in=` in queries of later rooms."""
    # A copy: whoever reads it must not leave rows behind in the one that is kept.
    return _cases_of(tuple(person.organisation_ids)).all()


@lru_cache(maxsize=1024)
def _cases_of(organisations: tuple[int, ...]) -> "models.QuerySet[Case, Any]":
    return Case.objects.filter(_of_consortium(organisations)).values("pk")


class Case(models.Model):
    code = models.SlugField(unique=True, default=provisional, editable=False)
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="cases")
    title = models.CharField(_("title"), max_length=200, validators=[PLAIN])
    problem = models.TextField(_("problem"), max_length=5000, validators=PROSE)
    sector = models.ForeignKey(Sector, models.PROTECT, verbose_name=_("sector"))
    data_description = models.TextField(
        _("data"), max_length=5000, blank=True, validators=PROSE
    )
    trl_now = models.PositiveSmallIntegerField(
        _("TRL now"), validators=[MinValueValidator(1), MaxValueValidator(9)]
    )
    trl_aimed = models.PositiveSmallIntegerField(
        _("TRL aimed at"), validators=[MinValueValidator(1), MaxValueValidator(9)]
    )
    is_confidential = models.BooleanField(_("confidential"), default=False)
    state = models.CharField(max_length=12, choices=CaseState, default=CaseState.DRAFT)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT)
    created_at = models.DateTimeField(default=timezone.now, editable=False, db_index=True)
    proposed_at = models.DateTimeField(null=True, editable=False)

    objects: ClassVar[CaseQuerySet] = CaseQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("case")
        constraints = [
            models.CheckConstraint(
                name="case_state_is_known", condition=Q(state__in=CaseState.values)
            ),
            models.CheckConstraint(
                name="case_trl_is_1_to_9_and_does_not_fall",
                condition=Q(
                    trl_now__gte=1, trl_aimed__lte=9, trl_aimed__gte=models.F("trl_now")
                ),
            ),
            models.CheckConstraint(
                name="case_open_has_date",
                condition=~Q(state=CaseState.OPEN) | Q(proposed_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.title}"

    def get_absolute_url(self) -> str:
        return addresses("cases:detail")(self.code)

    def get_state_display(self) -> str:  # type: ignore[no-redef]  # stubs know Django's own
        # Django's own makes a dictionary of all choices each time: ten times the work.
        return str(CaseState(self.state).label)

    @property
    def thread(self) -> str:
        return self.code

    @property
    def unix_account(self) -> str:
        """Name the account that this case's jobs run as; empty: the engine's own.

        Made of the code, which is ours, never of words that somebody chose.
        """
        return f"{settings.UNIX_PREFIX}{self.code}".lower() if settings.UNIX_ACCOUNTS else ""


class PartnerQuerySet(models.QuerySet["Partner"]):
    def visible_to(self, person: Person) -> "PartnerQuerySet":
        """Who sees the case sees its partners; who is invited sees the invitation."""
        theirs = Q(organisation__in=person.organisation_ids)
        return self.filter(theirs | Q(case__in=Case.objects.visible_to(person)))

    def addressed_to(self, person: Person) -> "PartnerQuerySet":
        """Partnerships of this person's organisations, the invitations among them."""
        return self.filter(organisation__in=person.organisation_ids)


class Partner(models.Model):
    """An organisation that was asked to take part in a case of another."""

    class Part(models.TextChoices):
        DATA_OWNER = "data_owner", _("brings data")
        DEVELOPER = "developer", _("builds the model")
        USER = "user", _("will use the result")
        EXPERT = "expert", _("brings knowledge")

    case = models.ForeignKey(Case, models.CASCADE, related_name="partners")
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="partnerships")
    part = models.CharField(_("part"), max_length=12, choices=Part)
    message = models.TextField(
        _("message"),
        max_length=2000,
        blank=True,
        validators=[PLAIN, MaxLengthValidator(2000)],
    )
    state = models.CharField(max_length=10, choices=PartnerState, default=PartnerState.INVITED)
    invited_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    invited_at = models.DateTimeField(default=timezone.now, editable=False)
    answered_at = models.DateTimeField(null=True, editable=False)

    objects: ClassVar[PartnerQuerySet] = PartnerQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["case", "organisation"], name="partner_once_a_case"
            ),
            models.CheckConstraint(
                name="partner_state_is_known", condition=Q(state__in=PartnerState.values)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.organisation} ({self.case.code})"

    def get_state_display(self) -> str:  # type: ignore[no-redef]  # stubs know Django's own
        # Django's own makes a dictionary of all choices each time: ten times the work.
        return str(PartnerState(self.state).label)

    @property
    def thread(self) -> str:
        return self.case.code


class Intake(models.Model):
    """A few answers from which the factory advises the fitting access mode."""

    class Purpose(models.TextChoices):
        TRY = "try", _("try out an idea")
        BUILD = "build", _("train or tune a model for a product or service")
        LARGE = "large", _("train a large model from scratch")
        BENCHMARK = "benchmark", _("measure how our code runs on the machine")
        PREPARE = "prepare", _("make our code ready for the machine")
        RESEARCH = "research", _("public scientific research")

    class Experience(models.TextChoices):
        NONE = "none", _("none")
        SOME = "some", _("some")
        EXPERT = "expert", _("a lot: we use such machines already")

    case = models.OneToOneField(Case, models.CASCADE, related_name="intake")
    purpose = models.CharField(_("purpose"), max_length=12, choices=Purpose)
    experience = models.CharField(_("experience"), max_length=8, choices=Experience)
    gpu_hours_guess = models.PositiveIntegerField(
        _("GPU-hours, a guess"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_GPU_HOURS)],
    )
    months = models.PositiveSmallIntegerField(
        _("months"), validators=[MinValueValidator(1), MaxValueValidator(MOST_MONTHS)]
    )
    is_eu_funded = models.BooleanField(_("part of a European research project"), default=False)
    answered_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"intake of {self.case.code}"
