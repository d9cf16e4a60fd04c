"""Ways to ask for GPU time, the applications made through them, and what was decided."""

from collections.abc import Callable
from functools import cached_property
from typing import ClassVar

from django.conf import settings
from django.core.validators import MaxLengthValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from fabriek.access.definitions import FormRules, ModeRules
from fabriek.access.states import ApplicationState
from fabriek.cases.models import Case, cases_of
from fabriek.kernel.codes import provisional
from fabriek.kernel.paging import addresses
from fabriek.kernel.text import PLAIN
from fabriek.people.models import Person

# A text column keeps no length of its own: only a validator does.
MOST_CHARACTERS = 5000
PROSE: list[Callable[[object], None]] = [PLAIN, MaxLengthValidator(MOST_CHARACTERS)]


class Mode(models.Model):
    """An access mode. `definition` is the whole record as the factory wrote it."""

    code = models.SlugField(unique=True)
    name_nl = models.CharField(max_length=80)
    name_en = models.CharField(max_length=80)
    position = models.PositiveSmallIntegerField(default=0)
    is_open = models.BooleanField(default=True)
    definition = models.JSONField()

    class Meta:
        ordering = ["position", "code"]

    def __str__(self) -> str:
        return self.name_nl if get_language() == "nl" else self.name_en

    @cached_property
    def rules(self) -> ModeRules:
        return ModeRules.model_validate(self.definition)


class Form(models.Model):
    """One version of the questions of an application. A version in use is never changed."""

    code = models.SlugField()
    version = models.PositiveSmallIntegerField()
    definition = models.JSONField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["code", "version"], name="form_version_once"),
        ]

    def __str__(self) -> str:
        return f"{self.code}-{self.version}"

    @cached_property
    def rules(self) -> FormRules:
        return FormRules.model_validate(self.definition)


class ApplicationQuerySet(models.QuerySet["Application"]):
    def visible_to(self, person: Person) -> "ApplicationQuerySet":
        """Applications of the cases a person sees; staff see no drafts of others."""
        if not person.sees_all_cases:
            return self.filter(case__in=cases_of(person))
        own = Q(case__organisation__in=person.organisation_ids)
        return self.filter(own | ~Q(state=ApplicationState.DRAFT))


class Application(models.Model):
    code = models.SlugField(unique=True, default=provisional, editable=False)
    case = models.ForeignKey(Case, models.PROTECT, related_name="applications")
    mode = models.ForeignKey(Mode, models.PROTECT, related_name="applications")
    form = models.ForeignKey(Form, models.PROTECT, related_name="+")
    state = models.CharField(
        max_length=10, choices=ApplicationState, default=ApplicationState.DRAFT
    )
    gpu_hours_asked = models.PositiveIntegerField(_("GPU-hours asked"), null=True)
    months = models.PositiveSmallIntegerField(_("months"), null=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False, db_index=True)
    submitted_at = models.DateTimeField(null=True, editable=False, db_index=True)
    due_at = models.DateTimeField(_("promised before"), null=True, editable=False)
    decided_at = models.DateTimeField(null=True, editable=False)

    objects: ClassVar[ApplicationQuerySet] = ApplicationQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("application")
        indexes = [models.Index(fields=["state", "due_at"])]
        constraints = [
            # A button pressed twice starts one application.
            models.UniqueConstraint(
                name="one_draft_a_mode",
                fields=["case", "mode"],
                condition=Q(state=ApplicationState.DRAFT),
            ),
            models.CheckConstraint(
                name="application_state_is_known",
                condition=Q(state__in=ApplicationState.values),
            ),
            models.CheckConstraint(
                name="application_submitted_is_complete",
                condition=Q(state__in=[ApplicationState.DRAFT, ApplicationState.WITHDRAWN])
                | Q(submitted_at__isnull=False, gpu_hours_asked__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.code

    def get_absolute_url(self) -> str:
        return addresses("access:detail")(self.code)

    def get_state_display(self) -> str:  # type: ignore[no-redef]  # stubs know Django's own
        # Django's own makes a dictionary of all choices each time: ten times the work.
        return str(ApplicationState(self.state).label)

    @property
    def thread(self) -> str:
        return self.case.code

    @property
    def was_sent_back(self) -> bool:
        return self.state == ApplicationState.DRAFT and self.submitted_at is not None


class Answers(models.Model):
    """What was typed in one section; saved while typing, kept whatever happens after.

    `values` holds each answer as text, just as it was typed: it is read only on submitting.
    """

    application = models.ForeignKey(Application, models.CASCADE, related_name="answers")
    section = models.SlugField()
    values = models.JSONField(default=dict)
    version = models.PositiveIntegerField(default=0)
    saved_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    saved_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["application", "section"], name="answers_once"),
        ]

    def __str__(self) -> str:
        return f"{self.application_id}/{self.section}"


class Submission(models.Model):
    """What was handed in, with the questions and the rules of that day; never changed after."""

    application = models.ForeignKey(Application, models.CASCADE, related_name="submissions")
    number = models.PositiveSmallIntegerField()
    form_definition = models.JSONField()
    mode_definition = models.JSONField()
    answers = models.JSONField()
    submitted_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    submitted_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["application", "number"], name="submission_numbered_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.application_id} submission {self.number}"

    @cached_property
    def rules(self) -> ModeRules:
        return ModeRules.model_validate(self.mode_definition)

    @cached_property
    def form_rules(self) -> FormRules:
        return FormRules.model_validate(self.form_definition)


class Assessment(models.Model):
    """One person's finding in one step of the assessment."""

    class Step(models.TextChoices):
        ELIGIBILITY = "eligibility", _("eligibility check")
        TECHNICAL = "technical", _("technical assessment")
        REVIEW = "review", _("expert review")

    application = models.ForeignKey(Application, models.CASCADE, related_name="assessments")
    step = models.CharField(max_length=12, choices=Step)
    is_positive = models.BooleanField()
    remarks = models.TextField(
        _("remarks"), max_length=MOST_CHARACTERS, blank=True, validators=PROSE
    )
    scores = models.JSONField(default=dict)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["application", "step", "by"], name="one_finding_each_step"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_step_display()} {self.application_id}"


class Decision(models.Model):
    """The verdict on an application. One row at most: two people cannot both decide."""

    application = models.OneToOneField(Application, models.PROTECT, related_name="decision")
    is_award = models.BooleanField()
    gpu_hours = models.PositiveIntegerField(_("GPU-hours awarded"), default=0)
    months = models.PositiveSmallIntegerField(_("months"), default=0)
    reasons = models.TextField(_("reasons"), max_length=MOST_CHARACTERS, validators=PROSE)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="award_has_gpu_hours", condition=Q(is_award=False) | Q(gpu_hours__gt=0)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.application_id}: {'award' if self.is_award else 'refusal'}"
