"""GPU time granted to a case: by which funder, until when, and every second of it."""

from datetime import date
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from fabriek.access.models import Decision
from fabriek.allocations.lines import AROUND, LineKind, Term
from fabriek.cases.models import Case, cases_of
from fabriek.kernel.paging import addresses
from fabriek.people.models import Organisation, Person


class Funder(models.Model):
    code = models.SlugField(unique=True)
    name_nl = models.CharField(max_length=120)
    name_en = models.CharField(max_length=120)

    class Meta:
        ordering = ["code"]

    def __str__(self) -> str:
        return self.name_nl if get_language() == "nl" else self.name_en


class Share(models.Model):
    """The part of the machine that one funder pays for."""

    code = models.SlugField(unique=True)
    funder = models.ForeignKey(Funder, models.PROTECT, related_name="shares")
    name_nl = models.CharField(max_length=120)
    name_en = models.CharField(max_length=120)
    target_percent = models.PositiveSmallIntegerField(_("target share of the machine (%)"))
    tariff_eur_cents = models.PositiveIntegerField(_("value of a GPU-hour (eurocents)"))
    is_state_aid = models.BooleanField(_("free time from this share is state aid"))
    legal_basis = models.CharField(max_length=200, blank=True)
    aid_ceiling_eur_cents = models.PositiveBigIntegerField(null=True)
    is_open = models.BooleanField(default=True)

    class Meta:
        ordering = ["code"]

    def __str__(self) -> str:
        return self.name_nl if get_language() == "nl" else self.name_en


class AllocationQuerySet(models.QuerySet["Allocation"]):
    def visible_to(self, person: Person) -> "AllocationQuerySet":
        """Keep those of the cases a person sees; all for staff and assessors."""
        if person.sees_all_cases:
            return self
        return self.filter(case__in=cases_of(person))


class Allocation(models.Model):
    """An award made usable.

    The four totals repeat the ledger, so that the database itself refuses what is not left, and
    lists need not add up lines; `queries.drift()` holds them against the lines.
    """

    account = models.SlugField(unique=True, help_text="The account name known to the engine.")
    decision = models.OneToOneField(Decision, models.PROTECT, related_name="allocation")
    case = models.ForeignKey(Case, models.PROTECT, related_name="allocations")
    starts_on = models.DateField(_("starts"))
    ends_on = models.DateField(_("ends"))
    gpu_seconds_granted = models.PositiveBigIntegerField(default=0)
    gpu_seconds_held = models.PositiveBigIntegerField(default=0)
    gpu_seconds_spent = models.PositiveBigIntegerField(default=0)
    gpu_seconds_expired = models.PositiveBigIntegerField(default=0)
    opened_at = models.DateTimeField(default=timezone.now, editable=False, db_index=True)
    # What the engine was last told of this budget; the loop tells it again when this is behind.
    told_gpu_seconds = models.BigIntegerField(null=True, editable=False)
    told_open = models.BooleanField(null=True, editable=False)
    # All of it in short, the share it stands under and who may use it included.
    told_as = models.CharField(max_length=32, blank=True, default="", editable=False)

    objects: ClassVar[AllocationQuerySet] = AllocationQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("allocation")
        indexes = [
            models.Index(fields=["-ends_on", "-id"]),
            # Few of all that ever were: what each pass of the loop looks for.
            models.Index(
                name="allocation_told_open", fields=["ends_on"], condition=Q(told_open=True)
            ),
        ]
        constraints = [
            models.CheckConstraint(
                name="allocation_never_negative",
                condition=Q(
                    gpu_seconds_granted__gte=F("gpu_seconds_held")
                    + F("gpu_seconds_spent")
                    + F("gpu_seconds_expired")
                ),
            ),
            models.CheckConstraint(
                name="allocation_ends_after_start", condition=Q(ends_on__gte=F("starts_on"))
            ),
        ]

    def __str__(self) -> str:
        return self.account

    def get_absolute_url(self) -> str:
        return addresses("allocations:detail")(self.account)

    @property
    def thread(self) -> str:
        return self.case.code

    @property
    def term(self) -> Term:
        return Term(starts_on=self.starts_on, ends_on=self.ends_on)

    def is_open_on(self, day: date) -> bool:
        return self.starts_on <= day <= self.ends_on

    def lets_jobs_in_on(self, day: date) -> bool:
        """Whether a job may be submitted: it is open, and not all of it is used up.

        What living or waiting runs hold is not used up: they are still to be submitted.
        """
        gone = self.gpu_seconds_spent + self.gpu_seconds_expired
        return self.is_open_on(day) and self.gpu_seconds_granted > gone

    @property
    def gpu_seconds_left(self) -> int:
        taken = self.gpu_seconds_held + self.gpu_seconds_spent + self.gpu_seconds_expired
        return self.gpu_seconds_granted - taken


class Grant(models.Model):
    """GPU time from one share, with the value of the aid it is for which undertaking."""

    allocation = models.ForeignKey(Allocation, models.PROTECT, related_name="grants")
    share = models.ForeignKey(Share, models.PROTECT, related_name="grants")
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="grants")
    gpu_seconds = models.PositiveBigIntegerField()
    aid_eur_cents = models.PositiveBigIntegerField(default=0)
    legal_basis = models.CharField(max_length=200, blank=True)
    granted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+"
    )
    granted_at = models.DateTimeField(default=timezone.now, editable=False, db_index=True)

    def __str__(self) -> str:
        return f"grant {self.pk} to {self.allocation}"


class Line(models.Model):
    """One line of the ledger. Rows are only ever added; `key` makes repeating harmless."""

    allocation = models.ForeignKey(Allocation, models.PROTECT, related_name="lines")
    key = models.CharField(max_length=120)
    kind = models.CharField(max_length=10, choices=[(k.value, k.value) for k in LineKind])
    share = models.ForeignKey(Share, models.PROTECT, null=True, related_name="+")
    gpu_seconds = models.BigIntegerField()
    run_key = models.CharField(max_length=40, blank=True, db_index=True)
    at = models.DateTimeField(default=timezone.now)
    note = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["allocation", "key"], name="ledger_line_once"),
        ]
        indexes = [models.Index(fields=["kind", "at"])]

    def __str__(self) -> str:
        return f"{self.kind} {self.gpu_seconds} ({self.key})"

    @property
    def is_around(self) -> bool:
        """Whether it is about a job that was submitted around the portal: it has no run."""
        return self.run_key.startswith(AROUND)
