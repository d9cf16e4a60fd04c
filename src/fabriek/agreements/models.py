"""Agreements on data: who may do what with it, until when; and each decision that followed."""

from datetime import date, timedelta
from typing import ClassVar

from django.conf import settings
from django.core.validators import MaxLengthValidator
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from fabriek.agreements.states import AgreementState
from fabriek.agreements.traces import Chain, Decided, Inherited, Statement  # noqa: F401  tables
from fabriek.cases.models import Case, cases_of
from fabriek.kernel.codes import provisional
from fabriek.kernel.paging import addresses
from fabriek.kernel.text import PLAIN
from fabriek.people.models import Organisation, Person
from fabriek.store.models import Repository


class Purpose(models.TextChoices):
    """What data may be used for; terms of the Data Privacy Vocabulary stand behind them."""

    TRAINING = "training", _("train or tune a model")
    EVALUATION = "evaluation", _("measure how good a model is")
    RESEARCH = "research", _("scientific research")
    STATISTICS = "statistics", _("count and describe")


class Product(models.TextChoices):
    """What may come out: each is less than the one below it."""

    STATISTICS = "statistics", _("figures only")
    MODEL_API = "model_api", _("a model that stays here and answers questions")
    MODEL_WEIGHTS = "model_weights", _("a model whose weights may be taken along")


class Place(models.TextChoices):
    """Where it may be used: each is stricter than the one above it."""

    OPEN = "open", _("anywhere: files may be downloaded")
    SHARED = "shared", _("on the machine of the factory only")
    SECURE = "secure", _("in the secure part of the machine only")


class Duty(models.TextChoices):
    DELETE = "delete", _("copies are deleted when the agreement ends")
    ATTRIBUTE = "attribute", _("the owner is named with what is made")
    REVIEW = "review", _("the owner looks at each result before it goes out")


class AgreementQuerySet(models.QuerySet["Agreement"]):
    def visible_to(self, person: Person) -> "AgreementQuerySet":
        """Show the parties theirs; staff see that each exists and its terms, not the talk."""
        if person.is_factory_staff:
            return self
        return self.of_parties(person)

    def of_parties(self, person: Person) -> "AgreementQuerySet":
        """Those of this person's organisations: as owner, as user, or in the consortium.

        Where organisations are named, the others of that consortium are no party; nor is who
        leads its case, where the owner left that out.
        """
        ours = person.organisation_ids
        named = Agreement.organisations.through.objects.filter(agreement=OuterRef("pk"))
        return self.filter(
            Q(repository__organisation__in=ours)
            | Q(case__organisation__in=ours, with_leader=True)
            | Exists(named.filter(organisation__in=ours))
            | (Q(case__in=cases_of(person)) & ~Exists(named))
        )


class Agreement(models.Model):
    """What the owner of a dataset lets one case do with it.

    `organisations` empty: the whole consortium of that case. `with_leader`: besides those that
    are named also the organisation that leads the case. Terms do not change once somebody
    signed: another text is another agreement, that `replaces` this one.
    """

    code = models.SlugField(unique=True, default=provisional, editable=False)
    repository = models.ForeignKey(Repository, models.PROTECT, related_name="agreements")
    case = models.ForeignKey(Case, models.PROTECT, related_name="agreements")
    organisations = models.ManyToManyField(Organisation, related_name="+", blank=True)
    with_leader = models.BooleanField(default=True, editable=False)
    replaces = models.ForeignKey(
        "self", models.PROTECT, null=True, related_name="replaced_by", blank=True
    )
    state = models.CharField(max_length=10, choices=AgreementState)
    purposes = models.JSONField(_("purposes"), default=list)
    product = models.CharField(_("what may be made of it"), max_length=20, choices=Product)
    place = models.CharField(_("where it may be used"), max_length=10, choices=Place)
    duties = models.JSONField(_("duties"), default=list)
    conditions = models.TextField(
        _("other conditions"),
        max_length=5000,
        blank=True,
        validators=[PLAIN, MaxLengthValidator(5000)],
    )
    begins_at = models.DateTimeField()
    ends_at = models.DateTimeField(db_index=True)
    # What people read and signed, word for word, and in which language.
    text = models.TextField(editable=False, default="")
    language = models.CharField(max_length=5, editable=False, default="nl")
    # The same in the other language, to help reading; made with it, as titles and names change.
    translation = models.TextField(editable=False, default="")
    text_version = models.CharField(max_length=20)
    text_sha256 = models.CharField(max_length=64)
    begun_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    begun_at = models.DateTimeField(default=timezone.now, editable=False)
    in_force_at = models.DateTimeField(null=True, editable=False)
    over_at = models.DateTimeField(null=True, editable=False)
    reason = models.TextField(
        _("reason"),
        max_length=2000,
        blank=True,
        help_text="Why refused or revoked.",
        validators=[PLAIN, MaxLengthValidator(2000)],
    )
    # The code of the first of those that replaced each other: one story is told of them all.
    thread_code = models.SlugField(editable=False, default="")

    objects: ClassVar[AgreementQuerySet] = AgreementQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("agreement")
        constraints = [
            models.CheckConstraint(
                name="agreement_state_is_known", condition=Q(state__in=AgreementState.values)
            ),
            models.CheckConstraint(
                name="agreement_ends_after_it_begins", condition=Q(ends_at__gt=F("begins_at"))
            ),
        ]
        indexes = [
            # What each decision asks.
            models.Index(
                fields=["repository", "case", "ends_at"],
                name="agreement_in_force",
                condition=Q(state=AgreementState.IN_FORCE),
            ),
            models.Index(fields=["case", "state"]),
            # What a decision asks when there is none in force, to say why not.
            models.Index(fields=["repository", "case"]),
        ]

    def __str__(self) -> str:
        return self.code

    def get_absolute_url(self) -> str:
        return addresses("agreements:detail")(self.code)

    def get_state_display(self) -> str:  # type: ignore[no-redef]  # stubs know Django's own
        # Django's own makes a dictionary of all choices each time: ten times the work.
        return str(AgreementState(self.state).label)

    @property
    def last_day(self) -> date:
        """The last day on which it holds, as people count: it ends with that day."""
        return timezone.localtime(self.ends_at - timedelta(microseconds=1)).date()

    @property
    def thread(self) -> str:
        return self.thread_code or self.code


class Signature(models.Model):
    """One party signed the very text whose hash stands here."""

    agreement = models.ForeignKey(Agreement, models.PROTECT, related_name="signatures")
    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="+")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    text_sha256 = models.CharField(max_length=64)
    signed_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["agreement", "organisation"], name="signature_once_a_party"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.organisation} on {self.agreement}"


class Message(models.Model):
    """A question or an answer between the parties before, or after, they signed."""

    agreement = models.ForeignKey(Agreement, models.PROTECT, related_name="messages")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    text = models.TextField(max_length=2000, validators=[PLAIN, MaxLengthValidator(2000)])
    at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["at", "pk"]

    def __str__(self) -> str:
        return f"{self.by} on {self.agreement}"
