"""What people's own code measured: experiments of a case, their runs, figures and files.

Figures come in as arrivals, one row a call; `settling` moves them into blocks, one series for
each name of a run, from which a curve is drawn without reading its points.
"""

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from fabriek.cases.models import Case, cases_of
from fabriek.people.models import Person
from fabriek.runs.models import Run

NAME_MAX = 250
EXPERIMENT_NAME_MAX = 500
PATH_MAX = 1024


def new_uuid() -> str:
    return uuid.uuid4().hex


class ExperimentQuerySet(models.QuerySet["Experiment"]):
    def inside(self, person: Person) -> "ExperimentQuerySet":
        """Keep those of the consortium: what was measured is not for the factory's staff."""
        return self.filter(case__in=cases_of(person))


class Experiment(models.Model):
    """A name under which runs are put together; it begins with the code of its case."""

    case = models.ForeignKey(Case, models.PROTECT, related_name="experiments")
    name = models.CharField(max_length=EXPERIMENT_NAME_MAX, unique=True)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    made_at = models.DateTimeField(default=timezone.now, editable=False)

    objects: ClassVar[ExperimentQuerySet] = ExperimentQuerySet.as_manager()  # type: ignore[assignment]

    def __str__(self) -> str:
        return self.name

    @property
    def thread(self) -> str:
        return self.case.code


class Status(models.TextChoices):
    """MLflow's own words."""

    RUNNING = "RUNNING", _("running")
    SCHEDULED = "SCHEDULED", _("scheduled")
    FINISHED = "FINISHED", _("finished")
    FAILED = "FAILED", _("failed")
    KILLED = "KILLED", _("stopped")


class TrackedQuerySet(models.QuerySet["Tracked"]):
    def inside(self, person: Person) -> "TrackedQuerySet":
        return self.filter(case__in=cases_of(person))


class Tracked(models.Model):
    """A run of somebody's own code; or what the job of a run of the factory told beside it."""

    uuid = models.CharField(max_length=32, unique=True, default=new_uuid, editable=False)
    case = models.ForeignKey(Case, models.PROTECT, related_name="tracked")
    experiment = models.ForeignKey(
        Experiment, models.PROTECT, null=True, related_name="tracked"
    )
    run = models.OneToOneField(Run, models.PROTECT, null=True, related_name="tracked")
    name = models.CharField(max_length=NAME_MAX, blank=True)
    status = models.CharField(max_length=9, choices=Status, default=Status.RUNNING)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    made_at = models.DateTimeField(default=timezone.now, editable=False)
    # As the program told them, in milliseconds since 1970.
    started_ms = models.BigIntegerField()
    ended_ms = models.BigIntegerField(null=True)
    deleted_at = models.DateTimeField(null=True, editable=False)
    params = models.JSONField(default=dict)
    tags = models.JSONField(default=dict)

    objects: ClassVar[TrackedQuerySet] = TrackedQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="tracked_is_of_an_experiment_or_a_run",
                condition=Q(experiment=None, run__isnull=False)
                | Q(experiment__isnull=False, run=None),
            ),
            models.CheckConstraint(
                name="tracked_status_is_known", condition=Q(status__in=Status.values)
            ),
        ]
        indexes = [models.Index(fields=["case", "-started_ms"])]

    def __str__(self) -> str:
        return self.name or self.uuid

    def get_absolute_url(self) -> str:
        return reverse("tracking:detail", args=[self.uuid])

    @property
    def thread(self) -> str:
        return self.case.code


class Tally(models.Model):
    """What a run has, in a row so small that each call may write it."""

    tracked = models.OneToOneField(Tracked, models.CASCADE, primary_key=True)
    points = models.BigIntegerField(default=0)
    names = models.IntegerField(default=0)
    arrivals_waiting = models.IntegerField(default=0)
    points_waiting = models.IntegerField(default=0)
    # Of all calls that wait together: a name that each of them brings counts for each.
    names_waiting = models.IntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.points} of {self.tracked_id}"


class Arrival(models.Model):
    """The figures of one call, not yet put where they belong (`packing` says how they lie)."""

    tracked = models.ForeignKey(Tracked, models.CASCADE, related_name="arrivals")
    names = models.TextField()
    data = models.BinaryField()

    def __str__(self) -> str:
        return f"arrival {self.pk} of {self.tracked_id}"


class Series(models.Model):
    """All figures of one name in a run. `latest`: the one with the highest step, packed."""

    tracked = models.ForeignKey(Tracked, models.CASCADE, related_name="series")
    name = models.CharField(max_length=NAME_MAX)
    count = models.BigIntegerField(default=0)
    step_max = models.BigIntegerField()
    latest = models.BinaryField(max_length=24)

    blocks: Any

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tracked", "name"], name="series_once_a_run"),
        ]

    def __str__(self) -> str:
        return f"{self.name} of {self.tracked_id}"


class Block(models.Model):
    """Up to 4,096 points of a series, in the order in which they came.

    `summary`: of a full block the lowest and the highest of each 256 points, for drawing.
    """

    series = models.ForeignKey(Series, models.CASCADE, related_name="blocks")
    number = models.IntegerField()
    step_min = models.BigIntegerField()
    step_max = models.BigIntegerField()
    at_min = models.BigIntegerField()
    at_max = models.BigIntegerField()
    summary = models.BinaryField(default=b"")
    data = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["series", "number"], name="block_once_a_series"),
        ]

    def __str__(self) -> str:
        return f"block {self.number} of {self.series_id}"


class Artifact(models.Model):
    """A file of a run. It lies under a name of ours: what somebody called it stays here."""

    tracked = models.ForeignKey(Tracked, models.PROTECT, related_name="artifacts")
    path = models.CharField(max_length=PATH_MAX)
    file = models.CharField(max_length=32, unique=True, default=new_uuid, editable=False)
    size_bytes = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    is_pickle = models.BooleanField(help_text="It can run programs when it is opened.")
    made_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tracked", "path"], name="artifact_once_a_run"),
        ]

    def __str__(self) -> str:
        return self.path
