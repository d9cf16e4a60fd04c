"""What agreements leave behind: each decision, terms that were passed on, what was deleted."""

from django.conf import settings
from django.core.validators import MaxLengthValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from fabriek.cases.models import Case
from fabriek.kernel.text import PLAIN
from fabriek.store.models import Repository

AGREEMENT = "agreements.Agreement"


class Chain(models.Model):
    """The last link of the decisions about one repository; its lock lets one in at a time."""

    repository = models.OneToOneField(Repository, models.PROTECT, related_name="chain")
    length = models.PositiveBigIntegerField(default=0)
    digest = models.CharField(max_length=64, blank=True)

    def __str__(self) -> str:
        return f"{self.length} decisions on {self.repository_id}"


class Decided(models.Model):
    """One decision, as it was taken.

    Rows are only ever added: each holds the digest of the one before, so that none can be
    changed or left out unseen.

    It stands until `stands_until` for whoever asks the same again, unless the answer changes
    before: 20,000 files of one revision are one decision. `facts` fill its sentence.
    """

    repository = models.ForeignKey(Repository, models.PROTECT, related_name="decisions")
    number = models.PositiveBigIntegerField()
    at = models.DateTimeField(default=timezone.now, editable=False)
    stands_until = models.DateTimeField()
    moment = models.CharField(max_length=8)
    allowed = models.BooleanField()
    code = models.CharField(max_length=40)
    facts = models.JSONField(default=dict)
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+"
    )
    case = models.ForeignKey(Case, models.PROTECT, null=True, related_name="+")
    agreement = models.ForeignKey(
        AGREEMENT, models.PROTECT, null=True, related_name="decisions"
    )
    text_sha256 = models.CharField(max_length=64, blank=True)
    revision = models.PositiveIntegerField(null=True)
    run = models.CharField(max_length=60, blank=True)
    before = models.CharField(max_length=64, blank=True)
    digest = models.CharField(max_length=64)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["repository", "number"], name="decision_number_once"
            ),
        ]
        indexes = [
            models.Index(fields=["repository", "person", "-at"]),
            models.Index(fields=["person", "-at"]),
            models.Index(fields=["case", "-at"]),
            models.Index(fields=["run"]),
            models.Index(fields=["repository", "-at"]),
        ]

    def __str__(self) -> str:
        return f"decision {self.number} on {self.repository_id}"


class Inherited(models.Model):
    """Terms that a thing has from data it was made of, as agreed when it was made.

    One row for each agreement that it descends from, however many steps back. It outlives
    that agreement: what was made keeps its recorded rights, and its recorded limits.
    """

    class Verdict(models.TextChoices):
        RELEASED = "released", _("may go out")
        HELD_BACK = "held_back", _("held back")

    repository = models.ForeignKey(Repository, models.PROTECT, related_name="inherited")
    agreement = models.ForeignKey(AGREEMENT, models.PROTECT, related_name="passed_on")
    recorded_at = models.DateTimeField(default=timezone.now, editable=False)
    needs_review = models.BooleanField(default=False)
    # What the owner of the data said after looking at it, where the agreement asks for that.
    verdict = models.CharField(max_length=9, blank=True, choices=Verdict)
    judged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+"
    )
    judged_at = models.DateTimeField(null=True, editable=False)
    judged_revision = models.PositiveIntegerField(default=0, help_text="The last one seen.")
    note = models.TextField(
        _("why"),
        max_length=2000,
        blank=True,
        validators=[PLAIN, MaxLengthValidator(2000)],
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["repository", "agreement"], name="terms_inherited_once"
            ),
            models.CheckConstraint(
                name="verdict_has_a_judge",
                condition=Q(verdict="", judged_by=None, judged_at=None)
                | Q(judged_by__isnull=False, judged_at__isnull=False),
            ),
        ]
        indexes = [
            models.Index(
                fields=["agreement"],
                name="terms_to_review",
                condition=Q(needs_review=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.repository_id} under {self.agreement_id}"


class Statement(models.Model):
    """What the factory did with the copies when an agreement was over, and its seal on that.

    `facts` is the statement itself; `sha256` is that of its exact text, `seal` proves that
    this factory wrote it.
    """

    agreement = models.OneToOneField(AGREEMENT, models.PROTECT, related_name="statement")
    made_at = models.DateTimeField(default=timezone.now, editable=False)
    facts = models.JSONField(default=dict)
    sha256 = models.CharField(max_length=64)
    seal = models.CharField(max_length=64)

    def __str__(self) -> str:
        return f"statement on {self.agreement_id}"
