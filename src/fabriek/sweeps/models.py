"""A search for good settings: its trials, and the parts in which each of them is trained."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from fabriek.allocations.models import Allocation
from fabriek.cases.models import Case, cases_of
from fabriek.kernel.codes import provisional
from fabriek.kernel.paging import addresses
from fabriek.people.models import Person
from fabriek.runs.meant import MeantForSome
from fabriek.runs.models import Run
from fabriek.store.models import Revision
from fabriek.sweeps.states import UNFINISHED, SweepState

CODE_LETTER = "S"


class SweepQuerySet(models.QuerySet["Sweep"]):
    def visible_to(self, person: Person) -> "SweepQuerySet":
        """Keep those of the consortium; staff see them from outside, as they see runs."""
        if person.sees_all_cases:
            return self
        return self.filter(case__in=cases_of(person))


class Sweep(MeantForSome):
    key = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    code = models.SlugField(unique=True, default=provisional, editable=False)
    case = models.ForeignKey(Case, models.PROTECT, related_name="sweeps")
    allocation = models.ForeignKey(Allocation, models.PROTECT, related_name="+")
    recipe = models.SlugField()
    knobs = models.JSONField(default=dict, help_text="What is the same in each trial.")
    ranges = models.JSONField(default=list, help_text="What is searched, and where.")
    score = models.CharField(
        max_length=60,
        blank=True,
        help_text="By which the best is chosen; empty: not known yet.",
    )
    trials_wanted = models.PositiveSmallIntegerField()
    halving = models.PositiveSmallIntegerField(
        help_text="One of so many goes on to the next round; 0: all are trained in full."
    )
    at_once = models.PositiveSmallIntegerField()
    gpus = models.PositiveSmallIntegerField(default=1, help_text="Of each run.")
    nodes = models.PositiveSmallIntegerField(default=1)
    seed = models.PositiveIntegerField(default=1)
    gpu_seconds_budget = models.PositiveBigIntegerField(help_text="Of all its runs together.")
    gpu_seconds_estimated = models.PositiveBigIntegerField()
    state = models.CharField(max_length=10, choices=SweepState, default=SweepState.RUNNING)
    reason = models.CharField(max_length=40, blank=True)
    told = models.JSONField(default=dict, help_text="What belongs into that reason.")
    # No new trial is begun any more: the budget, or what can be tried, is used up.
    is_full = models.BooleanField(default=False, editable=False)
    winner_run = models.ForeignKey(Run, models.PROTECT, null=True, related_name="+")
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    # In whose name runs are asked for: theirs who last let it go on.
    runs_as = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    stopped_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+"
    )
    asked_at = models.DateTimeField(default=timezone.now, editable=False, db_index=True)
    ended_at = models.DateTimeField(null=True, editable=False)
    claimed_until = models.DateTimeField(null=True, editable=False)
    # When nothing was left to do of one that is over: no pass looks at it again.
    tidied_at = models.DateTimeField(null=True, editable=False)

    objects: ClassVar[SweepQuerySet] = SweepQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("search for settings")
        constraints = [
            models.CheckConstraint(
                name="sweep_state_is_known", condition=Q(state__in=SweepState.values)
            ),
            models.CheckConstraint(
                name="sweep_tries_something",
                condition=Q(trials_wanted__gt=0, at_once__gt=0, gpu_seconds_budget__gt=0),
            ),
        ]
        indexes = [
            models.Index(fields=["case", "-asked_at"]),
            # For the loop: of those that are over hardly any has something left to do.
            models.Index(fields=["state", "tidied_at"]),
        ]

    def __str__(self) -> str:
        return self.code

    def get_absolute_url(self) -> str:
        return addresses("sweeps:detail")(self.code)

    @property
    def thread(self) -> str:
        return self.case.code

    @property
    def is_unfinished(self) -> bool:
        return self.state in UNFINISHED


class SweepInput(models.Model):
    """What all its runs work on."""

    named_as = _("a search for settings")

    sweep = models.ForeignKey(Sweep, models.CASCADE, related_name="inputs")
    name = models.SlugField()
    revision = models.ForeignKey(Revision, models.PROTECT, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["sweep", "name"], name="sweep_input_once"),
        ]

    def __str__(self) -> str:
        return f"{self.name} of {self.sweep_id}"


class Trial(models.Model):
    """One choice of settings."""

    sweep = models.ForeignKey(Sweep, models.CASCADE, related_name="trials")
    number = models.PositiveSmallIntegerField()
    knobs = models.JSONField(default=dict, help_text="Of those that are searched.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["sweep", "number"], name="trial_once_a_sweep"),
        ]

    def __str__(self) -> str:
        return f"{self.number} of {self.sweep_id}"


class Part(models.Model):
    """One round of one trial: promised first, then asked for as a run, then scored.

    What is promised counts against the budget, so that no two passes spend it twice.
    """

    trial = models.ForeignKey(Trial, models.CASCADE, related_name="parts")
    round = models.PositiveSmallIntegerField()
    since_share = models.FloatField(default=0.0)
    until_share = models.FloatField(default=1.0)
    timeout_s = models.PositiveIntegerField()
    gpu_seconds_promised = models.PositiveBigIntegerField()
    run = models.OneToOneField(Run, models.PROTECT, null=True, related_name="part")
    score = models.FloatField(null=True)
    trouble = models.CharField(max_length=60, blank=True, help_text="Why there is no score.")
    told = models.JSONField(default=dict)
    promised_at = models.DateTimeField(default=timezone.now, editable=False)
    ended_at = models.DateTimeField(null=True, editable=False)
    # When what it had saved to go on from was removed.
    cleared_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["trial", "round"], name="part_once_a_round"),
        ]

    def __str__(self) -> str:
        return f"round {self.round} of trial {self.trial_id}"
