"""A run: one execution of a recipe on the engine, paid from one allocation."""

import uuid
from pathlib import Path
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from fabriek.agreements.models import Agreement
from fabriek.allocations.models import Allocation
from fabriek.cases.models import Case, cases_of
from fabriek.kernel.codes import provisional
from fabriek.kernel.paging import addresses
from fabriek.people.models import Person
from fabriek.runs.destinations import Destination  # noqa: F401  a table
from fabriek.runs.meant import MeantForSome
from fabriek.runs.states import UNFINISHED, RunState, said
from fabriek.store.models import Revision

CODE_LETTER = "R"
SECURE = "s"


def new_key() -> str:
    return f"fabriek-{uuid.uuid4().hex}"


def account_of(case: Case, ending: str) -> str:
    """Name the account that a case's jobs run as; empty: the engine's own.

    With an ending it is not that of its other jobs: who works in a session runs as that one,
    and would be let in to the folder of the run, and by Slurm into its job.
    """
    account = case.unix_account
    return f"{account}-{ending}" if account and ending else account


class RunQuerySet(models.QuerySet["Run"]):
    def visible_to(self, person: Person) -> "RunQuerySet":
        """Keep runs of the consortium; staff see them from outside (`rules.may_see_inside`)."""
        if person.sees_all_cases:
            return self
        return self.filter(case__in=cases_of(person))

    def seen_inside_by(self, person: Person) -> "RunQuerySet":
        """Keep those of which this person may see the settings, log and figures."""
        meant = models.Q(meant_for="")
        for key in person.organisation_ids:
            meant |= models.Q(meant_for__contains=f",{int(key)},")
        return self.filter(meant, case__in=Case.objects.taken_part_in_by(person))


class Run(MeantForSome):
    key = models.CharField(max_length=40, unique=True, default=new_key, editable=False)
    code = models.SlugField(unique=True, default=provisional, editable=False)
    case = models.ForeignKey(Case, models.PROTECT, related_name="runs")
    allocation = models.ForeignKey(Allocation, models.PROTECT, related_name="runs")
    recipe = models.SlugField()
    knobs = models.JSONField(default=dict)
    is_dry = models.BooleanField(
        default=False, help_text="It only measures a few steps, and makes no model."
    )
    is_trial = models.BooleanField(
        default=False, help_text="One of several that are compared; its model is not kept."
    )
    until_share = models.FloatField(
        default=1.0, help_text="It ends after this part of its steps, to go on later."
    )
    is_secure = models.BooleanField(
        default=False, help_text="It runs on the secure part of the machine, and only there."
    )
    apart = models.CharField(
        max_length=8, blank=True, help_text="What its Unix account ends with (`runs.apart`)."
    )
    seed = models.PositiveIntegerField(default=1)
    gpus = models.PositiveSmallIntegerField(default=1, help_text="Over all nodes.")
    nodes = models.PositiveSmallIntegerField(default=1)
    timeout_s = models.PositiveIntegerField()
    gpu_seconds_estimated = models.PositiveBigIntegerField()
    gpu_seconds_used = models.PositiveBigIntegerField(null=True)
    state = models.CharField(max_length=10, choices=RunState, default=RunState.WAITING)
    reason = models.CharField(max_length=40, blank=True, help_text="The engine's word.")
    # While it waits: what the engine last said of that.
    queue_position = models.PositiveIntegerField(null=True, editable=False)
    waiting_reason = models.CharField(max_length=60, blank=True, editable=False)
    starts_expected_at = models.DateTimeField(null=True, editable=False)
    exit_code = models.SmallIntegerField(null=True)
    failure = models.JSONField(default=dict, help_text="Why the recipe stopped, in its words.")
    elapsed_s = models.PositiveBigIntegerField(default=0)
    # How often the engine started it, where that may be more than once: it stays one run.
    starts = models.PositiveIntegerField(default=0, editable=False)
    stage = models.CharField(max_length=40, blank=True)
    progress_done = models.PositiveIntegerField(default=0)
    progress_total = models.PositiveIntegerField(default=0)
    # By the clock of the engine, like all events: their difference is a pace.
    stage_at = models.DateTimeField(null=True, editable=False)
    progress_at = models.DateTimeField(null=True, editable=False)
    warnings = models.JSONField(default=list, help_text="What people should know.")
    scores = models.JSONField(default=dict)
    # Energy by the GPUs' own counter, where there is one; of a dry run what its steps took.
    measured = models.JSONField(default=dict, editable=False)
    events_offset = models.PositiveBigIntegerField(default=0)
    continues = models.ForeignKey(
        "self", models.PROTECT, null=True, related_name="continued_by"
    )
    # From which of its checkpoints; empty: from the last one.
    continues_step = models.PositiveBigIntegerField(null=True, editable=False)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now, editable=False, db_index=True)
    started_at = models.DateTimeField(null=True, editable=False)
    ended_at = models.DateTimeField(null=True, editable=False)
    last_seen_at = models.DateTimeField(default=timezone.now, editable=False)
    claimed_until = models.DateTimeField(null=True, editable=False)
    cancel_asked_at = models.DateTimeField(null=True, editable=False)
    # Why the factory itself asked for that, or `paused`; empty when a person stopped it.
    stop_reason = models.CharField(max_length=40, blank=True, editable=False)
    # When a later room took in what the run made, or found that it cannot be taken.
    outputs_taken_at = models.DateTimeField(null=True, editable=False)

    objects: ClassVar[RunQuerySet] = RunQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("run")
        constraints = [
            models.CheckConstraint(
                name="run_state_is_known", condition=Q(state__in=RunState.values)
            ),
            models.CheckConstraint(
                name="run_until_a_share", condition=Q(until_share__gt=0, until_share__lte=1)
            ),
        ]
        indexes = [
            models.Index(
                fields=["ended_at"],
                name="run_outputs_not_taken",
                condition=Q(state=RunState.SUCCEEDED, outputs_taken_at=None),
            ),
            models.Index(fields=["case", "-asked_at"]),
            # For the loop, and for lists of one state; SQLite cannot use a partial index here.
            models.Index(fields=["state", "-asked_at"]),
            # For reports, which ask when the first run started and how many ended: they then
            # need not read the runs themselves.
            models.Index(fields=["allocation", "started_at", "ended_at", "state"]),
        ]

    def __str__(self) -> str:
        return self.code

    def get_absolute_url(self) -> str:
        return addresses("runs:detail")(self.code)

    def get_state_display(self) -> str:  # type: ignore[no-redef]  # stubs know Django's own
        # Django's own makes a dictionary of all choices each time: ten times the work.
        return said(self.state, self.reason)

    @property
    def thread(self) -> str:
        return self.case.code

    @property
    def folder(self) -> Path:
        return Path(settings.RUNS_HOME) / self.key

    @property
    def unix_account(self) -> str:
        return account_of(self.case, SECURE if self.is_secure else self.apart)

    @property
    def is_unfinished(self) -> bool:
        return self.state in UNFINISHED

    @property
    def gpu_seconds_held(self) -> int:
        """What was set aside when the run was asked for."""
        return self.gpus * self.timeout_s


class RunInput(models.Model):
    """What a run works on: always a revision, so that its origin can be told for ever."""

    named_as = _("a run")

    run = models.ForeignKey(Run, models.CASCADE, related_name="inputs")
    name = models.SlugField()
    revision = models.ForeignKey(Revision, models.PROTECT, related_name="used_by")
    # By which it was allowed; empty for what is open or of the case itself.
    agreement = models.ForeignKey(Agreement, models.PROTECT, null=True, related_name="used_by")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "name"], name="input_once_a_run"),
        ]

    def __str__(self) -> str:
        return f"{self.name} of {self.run_id}"


class Counted(models.Model):
    """How many tokens rows are for a model, once counted: revisions never change.

    Numbers and places only, no word of a row.
    """

    dataset = models.ForeignKey(Revision, models.CASCADE, related_name="+")
    model = models.ForeignKey(Revision, models.CASCADE, related_name="+")
    way = models.CharField(max_length=40, help_text="By which rule they were counted.")
    told = models.JSONField(default=dict)
    at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["dataset", "model", "way"], name="counted_once"),
        ]

    def __str__(self) -> str:
        return f"{self.dataset_id} for {self.model_id}"


class Metric(models.Model):
    """One figure of a run at one step, copied from its events."""

    run = models.ForeignKey(Run, models.CASCADE, related_name="metrics")
    name = models.CharField(max_length=60)
    step = models.PositiveBigIntegerField()
    value = models.FloatField()
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "name", "step"], name="metric_once_a_step"),
        ]

    def __str__(self) -> str:
        return f"{self.name}@{self.step}"


class EndWarning(models.Model):
    """Somebody was told that a run will be stopped when an agreement ends: once each time."""

    class When(models.TextChoices):
        DAY = "day", _("a day before")
        HOUR = "hour", _("an hour before")

    run = models.ForeignKey(Run, models.CASCADE, related_name="end_warnings")
    agreement = models.ForeignKey(Agreement, models.PROTECT, related_name="+")
    when = models.CharField(max_length=4, choices=When)
    at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["run", "agreement", "when"], name="end_warning_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.run_id}: {self.when}"


class Removal(models.Model):
    """One copy of data that goes because its agreement is over.

    Written before the first file goes, with what was there, so that a factory that is killed
    in the middle still knows it; `done_at` when it is gone.
    """

    class What(models.TextChoices):
        INPUTS = "inputs", _("the data, laid out for the run")
        FETCHED = "fetched", _("what the run had fetched while it ran")
        CHECKPOINTS = "checkpoints", _("what the run had saved to go on from")
        WORK = "work", _("files that people made in the session")
        OUTPUTS = "outputs", _("what the run had made when it was stopped")
        ROWS = "rows", _("rows of the data that the run showed as examples")

    agreement = models.ForeignKey(Agreement, models.PROTECT, related_name="removals")
    run = models.ForeignKey(Run, models.PROTECT, related_name="removals")
    what = models.CharField(max_length=11, choices=What)
    name = models.CharField(max_length=120, help_text="Below the folder of the run.")
    reference = models.CharField(max_length=120, blank=True)
    digest = models.CharField(max_length=64, blank=True)
    files = models.PositiveBigIntegerField()
    size_bytes = models.PositiveBigIntegerField()
    begun_at = models.DateTimeField(default=timezone.now, editable=False)
    tried_at = models.DateTimeField(null=True, editable=False)
    done_at = models.DateTimeField(null=True, editable=False)
    trouble = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["agreement", "run", "name"], name="removal_once"),
        ]

    def __str__(self) -> str:
        return f"{self.name} of {self.run_id}"
