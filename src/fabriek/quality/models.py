"""Looks at revisions of a dataset, what was decided about columns, and what was done then."""

import secrets
import uuid
from typing import ClassVar

from django.conf import settings
from django.core.validators import MaxLengthValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from fabriek.datasets.models import Dataset
from fabriek.quality.states import UNFINISHED, ErrandState
from fabriek.store.models import Revision

REASON_CHARACTERS = 500
COLUMN_CHARACTERS = 200


def new_key() -> str:
    return uuid.uuid4().hex


def new_salt() -> str:
    return secrets.token_hex(32)


class Errand(models.Model):
    """Something a worker does in a folder of its own, named by `key`."""

    key = models.CharField(max_length=32, unique=True, default=new_key, editable=False)
    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="%(class)ss")
    revision = models.ForeignKey(Revision, models.CASCADE, related_name="%(class)ss")
    state = models.CharField(max_length=9, choices=ErrandState, default=ErrandState.WAITING)
    # Empty: nobody asked, it is done for each new revision that is not too large.
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+"
    )
    asked_at = models.DateTimeField(default=timezone.now, editable=False)
    started_at = models.DateTimeField(null=True, editable=False)
    ended_at = models.DateTimeField(null=True, editable=False)
    cancel_asked_at = models.DateTimeField(null=True, editable=False)
    progress = models.JSONField(default=dict, editable=False)
    trouble = models.CharField(max_length=40, blank=True)
    facts = models.JSONField(default=dict, editable=False)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.dataset.code}@{self.revision.number}"

    @property
    def thread(self) -> str:
        return self.dataset.case.code


class Look(Errand):
    all_names = models.BooleanField(default=False)
    # Counts, places, and of columns in which no personal data was found: the ends of numbers
    # and days, and words that come back as labels do. No other value is kept here.
    result = models.JSONField(default=dict, editable=False)

    class Meta:
        ordering: ClassVar = ["-pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["revision"],
                condition=Q(state__in=sorted(UNFINISHED)),
                name="one_look_at_a_time",
            ),
        ]


class Decision(models.Model):
    """What the owner wants with a column in which personal data was found; the last counts."""

    class Choice(models.TextChoices):
        ACCEPT = "accept", _("keep it, with a reason")
        MASK = "mask", _("mask what was found")
        DROP = "drop", _("leave the column out")
        PSEUDONYMISE = "pseudonymise", _("replace each value by a pseudonym")

    dataset = models.ForeignKey(Dataset, models.CASCADE, related_name="decisions")
    revision = models.ForeignKey(Revision, models.SET_NULL, null=True, related_name="+")
    column = models.CharField(max_length=COLUMN_CHARACTERS)
    choice = models.CharField(_("what to do"), max_length=12, choices=Choice)
    reason = models.CharField(
        _("reason"),
        max_length=REASON_CHARACTERS,
        blank=True,
        validators=[MaxLengthValidator(REASON_CHARACTERS)],
    )
    kinds = models.JSONField(default=list, help_text="What was found there at that moment.")
    rules_version = models.CharField(max_length=20)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering: ClassVar = ["-pk"]

    def __str__(self) -> str:
        return f"{self.column}: {self.choice}"


class Treatment(Errand):
    """A new revision, made as was decided; `decisions` are those of that moment."""

    decisions = models.JSONField(default=dict, editable=False)
    rules_version = models.CharField(max_length=20)
    made = models.ForeignKey(Revision, models.SET_NULL, null=True, related_name="made_by")
    changed = models.JSONField(default=dict, editable=False)

    class Meta:
        ordering: ClassVar = ["-pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["dataset"],
                condition=Q(state__in=sorted(UNFINISHED)),
                name="one_treatment_at_a_time",
            ),
        ]


class PseudonymKey(models.Model):
    """Half of the key that pseudonyms of a dataset are made with; the factory's is the other.

    Without this row no value can be told to belong to a pseudonym any more, by anybody.
    """

    dataset = models.OneToOneField(Dataset, models.CASCADE, related_name="pseudonym_key")
    salt = models.CharField(max_length=64, default=new_salt, editable=False)
    made_at = models.DateTimeField(default=timezone.now, editable=False)

    def __str__(self) -> str:
        return str(self.dataset_id)
