"""Models: open base models and those trained here, each with its origin and card."""

from typing import ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from fabriek.agreements import policy
from fabriek.cases.models import Case
from fabriek.kernel.codes import provisional
from fabriek.kernel.paging import addresses
from fabriek.kernel.text import PLAIN
from fabriek.people.models import Person
from fabriek.registry import licences, reasons
from fabriek.runs.models import Run
from fabriek.store.models import Repository, Revision


class ModelQuerySet(models.QuerySet["Model"]):
    def visible_to(self, person: Person) -> "ModelQuerySet":
        """Give all whose record this person may see.

        Whether they may have its files is another question (`rules.release`).
        """
        return self.filter(repository__in=policy.visible_to(person).values("pk"))


class Model(models.Model):
    code = models.SlugField(unique=True, default=provisional, editable=False)
    title = models.CharField(_("title"), max_length=200, validators=[PLAIN])
    case = models.ForeignKey(Case, models.PROTECT, null=True, related_name="models")
    repository = models.OneToOneField(Repository, models.PROTECT, related_name="model")
    # The newest one of `main` that is a whole model: others may be added to one by one.
    revision = models.ForeignKey(Revision, models.PROTECT, related_name="+")
    run = models.OneToOneField(Run, models.PROTECT, null=True, related_name="model")
    base = models.ForeignKey("self", models.PROTECT, null=True, related_name="derived")
    licence = models.CharField(_("licence"), max_length=40, validators=[PLAIN])
    scores = models.JSONField(default=dict)
    facts = models.JSONField(default=dict)
    # Of the libraries that made it, as its run tells.
    versions = models.JSONField(default=dict)
    # How well it does in detail (fabriek_recipes.evaluation), without what names single rows.
    evaluation = models.JSONField(default=dict)
    card = models.TextField(_("model card"))
    registered_at = models.DateTimeField(default=timezone.now, editable=False, db_index=True)

    objects: ClassVar[ModelQuerySet] = ModelQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("model")

    def __str__(self) -> str:
        return f"{self.code} {self.title}"

    def get_absolute_url(self) -> str:
        return addresses("registry:detail")(self.code)

    @property
    def thread(self) -> str:
        return self.case.code if self.case else ""

    @property
    def licence_said(self) -> str:
        return licences.label(self.licence)


class SigningKey(models.Model):
    """The public half of a key with which the factory signs; old ones stay, to verify with."""

    fingerprint = models.CharField(max_length=64, unique=True)  # SHA-256 of the PEM text
    pem = models.TextField(max_length=1000)
    first_used_at = models.DateTimeField(default=timezone.now, editable=False)

    def __str__(self) -> str:
        return self.fingerprint


class Signature(models.Model):
    """The factory's word that a revision held these files: a Sigstore bundle."""

    revision = models.OneToOneField(Revision, models.CASCADE, related_name="signature")
    key = models.ForeignKey(SigningKey, models.PROTECT, related_name="signatures")
    bundle = models.TextField()
    signed_at = models.DateTimeField(default=timezone.now, editable=False)

    def __str__(self) -> str:
        return f"signature of {self.revision_id}"


class Rejection(models.Model):
    """Why the output of a run could not become a model; kept so that it is not tried for ever.

    `code` and `name` tell it in any language; `reason` is what was said then, for causes of
    which no sentence is kept.
    """

    run = models.OneToOneField(Run, models.PROTECT, related_name="rejection")
    code = models.CharField(max_length=40, blank=True)
    name = models.CharField(max_length=200, blank=True)
    reason = models.TextField(max_length=2000)
    at = models.DateTimeField(default=timezone.now, editable=False, db_index=True)

    def __str__(self) -> str:
        return f"output of {self.run_id}"

    @property
    def sentence(self) -> str:
        return reasons.said(self.code, self.name) or self.reason
