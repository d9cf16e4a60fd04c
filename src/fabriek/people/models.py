"""Persons, the organisations they act for, and what they may do."""

from functools import cached_property
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from fabriek.kernel.prepared import Prepared
from fabriek.kernel.text import PLAIN
from fabriek.people import foreign_numbers, numbers
from fabriek.people.states import InvitationState
from fabriek.people.token_models import Scope, Token, TokenStatus

__all__ = [
    "Duty",
    "Invitation",
    "Membership",
    "Organisation",
    "OrganisationQuerySet",
    "Person",
    "PersonManager",
    "Role",
    "Scope",
    "Token",
    "TokenStatus",
]


class PersonManager(BaseUserManager["Person"]):
    def create_user(self, email: str, password: str | None = None, **fields: str) -> "Person":
        person = self.model(email=self.normalize_email(email).lower(), **fields)
        person.set_password(password)
        person.save()
        return person


class Person(AbstractBaseUser):
    """Somebody who signs in with their e-mail address."""

    email = models.EmailField(_("e-mail address"), unique=True)
    name = models.CharField(_("name"), max_length=120, blank=True, validators=[PLAIN])
    is_active = models.BooleanField(default=True)
    # Their own login on the cluster, where they have one: may use the budgets of their cases.
    unix_name = models.CharField(
        _("login on the cluster"), max_length=32, blank=True, default="", editable=False
    )
    joined_at = models.DateTimeField(default=timezone.now, editable=False)

    objects: ClassVar[PersonManager] = PersonManager()

    USERNAME_FIELD = "email"

    class Meta:
        verbose_name = _("person")
        constraints = [
            models.UniqueConstraint(
                name="person_unix_name_once", fields=["unix_name"], condition=~Q(unix_name="")
            ),
            models.CheckConstraint(
                name="person_unix_name_is_one",
                condition=Q(unix_name="") | Q(unix_name__regex=r"^[a-z_][a-z0-9_-]{0,31}$"),
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.email

    @cached_property
    def roles(self) -> dict[int, str]:
        """What this person is in which organisation, read once: {organisation id: role}."""
        return dict(_ROLES.rows(self.pk))

    @cached_property
    def duties(self) -> dict[str, str]:
        """What this person does for the factory: {duty: code of the funder, or ""}."""
        return dict(self.duty_set.values_list("duty", "funder_code"))

    def forget_roles(self) -> None:
        """Read the roles again when they are next asked for: a membership changed."""
        self.__dict__.pop("roles", None)

    @property
    def organisation_ids(self) -> list[int]:
        return list(self.roles)

    def leads(self, organisation_id: int) -> bool:
        return self.roles.get(organisation_id) == Role.LEAD

    def belongs_to(self, organisation_id: int) -> bool:
        return organisation_id in self.roles

    @property
    def is_factory_staff(self) -> bool:
        return Duty.Kind.STAFF in self.duties

    @property
    def is_assessor(self) -> bool:
        return Duty.Kind.ASSESSOR in self.duties

    @property
    def is_funder(self) -> bool:
        return Duty.Kind.FUNDER in self.duties

    @property
    def sees_all_cases(self) -> bool:
        """Staff and assessors work on everybody's cases; a funder sees figures, not cases."""
        return self.is_factory_staff or self.is_assessor


class OrganisationQuerySet(models.QuerySet["Organisation"]):
    def visible_to(self, person: Person) -> "OrganisationQuerySet":
        """Keep a person's own organisations; all for staff and assessors."""
        if person.sees_all_cases:
            return self
        return self.filter(pk__in=person.organisation_ids)

    def registered_as(self, *typed: str) -> "OrganisationQuerySet":
        """Find those with these numbers, of whichever register, as people type them."""
        asked = [one for each in typed if (one := numbers.of_any_register(each))]
        return self.filter(Q(kvk_number__in=asked) | Q(foreign_number__in=asked))


class Organisation(models.Model):
    class Kind(models.TextChoices):
        SME = "sme", _("small or medium-sized enterprise")
        STARTUP = "startup", _("startup")
        SCALE_UP = "scale_up", _("scale-up")
        LARGE = "large", _("large company")
        PUBLIC = "public", _("public body")
        KNOWLEDGE = "knowledge", _("knowledge institute")

    name = models.CharField(_("name"), max_length=200, validators=[PLAIN])
    # One of the two: of the Dutch trade register, or of another country's (`foreign_numbers`).
    kvk_number = models.CharField(_("KvK number"), max_length=8, blank=True)
    foreign_number = models.CharField(_("number abroad"), max_length=40, blank=True)
    kind = models.CharField(_("kind"), max_length=12, choices=Kind)
    country = models.CharField(_("country"), max_length=2, default="NL")
    region = models.CharField(
        _("province or region"), max_length=80, blank=True, validators=[PLAIN]
    )
    # Figures include those of partner and linked companies; empty is "not known yet".
    staff_count = models.PositiveIntegerField(
        _("staff (full-time equivalents)"), null=True, blank=True
    )
    turnover_eur = models.PositiveBigIntegerField(
        _("turnover a year (euro)"), null=True, blank=True
    )
    balance_eur = models.PositiveBigIntegerField(
        _("balance sheet total (euro)"), null=True, blank=True
    )
    # State aid counts per single undertaking: linked companies together. One level is enough:
    # every member of a group points at its head.
    group_head = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="group_members"
    )
    registered_at = models.DateTimeField(default=timezone.now, editable=False)

    objects: ClassVar[OrganisationQuerySet] = OrganisationQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("organisation")
        constraints = [
            models.CheckConstraint(
                name="organisation_has_one_number",
                condition=Q(kvk_number__regex=r"^[0-9]{8}$", foreign_number="")
                | Q(kvk_number="", foreign_number__regex=r"^[A-Z]{2}[A-Z0-9.+*_]+$"),
            ),
            models.UniqueConstraint(
                name="organisation_kvk_once",
                fields=["kvk_number"],
                condition=~Q(kvk_number=""),
            ),
            models.UniqueConstraint(
                name="organisation_foreign_number_once",
                fields=["foreign_number"],
                condition=~Q(foreign_number=""),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("people:organisation", args=[self.pk])

    @property
    def register_number(self) -> str:
        return self.kvk_number or self.foreign_number

    @property
    def registered_as(self) -> str:
        """Give the number as people read it: with the name of what it is a number of."""
        if self.kvk_number:
            return f"KvK {self.kvk_number}"
        return foreign_numbers.said(self.foreign_number)

    @property
    def undertaking_id(self) -> int:
        return self.group_head_id or self.pk


class Role(models.TextChoices):
    LEAD = "lead", _("lead")
    MEMBER = "member", _("member")


class Membership(models.Model):
    """A person acts for an organisation; only its leads bind it."""

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="memberships")
    person = models.ForeignKey(Person, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role)
    since = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organisation", "person"], name="one_role_each"),
            models.CheckConstraint(
                name="membership_role_is_known", condition=Q(role__in=Role.values)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person} ({self.get_role_display()}, {self.organisation})"


def _roles(person: int) -> "models.QuerySet[Membership, Any]":
    return Membership.objects.filter(person=person).values_list("organisation", "role")


_ROLES = Prepared(_roles)  # nearly every page asks it


class Invitation(models.Model):
    """Somebody was asked to join an organisation; an account may come later."""

    organisation = models.ForeignKey(Organisation, models.CASCADE, related_name="invitations")
    email = models.EmailField(_("e-mail address"))
    role = models.CharField(_("role"), max_length=10, choices=Role, default=Role.MEMBER)
    state = models.CharField(
        max_length=10, choices=InvitationState, default=InvitationState.INVITED
    )
    invited_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    invited_at = models.DateTimeField(default=timezone.now, editable=False)
    answered_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        indexes = [models.Index(fields=["email", "state"])]
        constraints = [
            models.UniqueConstraint(
                name="one_open_invitation_each",
                fields=["organisation", "email"],
                condition=Q(state=InvitationState.INVITED),
            ),
            models.CheckConstraint(
                name="invitation_state_is_known", condition=Q(state__in=InvitationState.values)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.email} ({self.organisation})"


class Duty(models.Model):
    """What a person does for the factory itself."""

    class Kind(models.TextChoices):
        STAFF = "staff", _("factory staff")
        ASSESSOR = "assessor", _("technical assessor")
        FUNDER = "funder", _("funder")

    person = models.ForeignKey(Person, models.CASCADE)
    duty = models.CharField(max_length=10, choices=Kind)
    funder_code = models.SlugField(
        blank=True, help_text="Which funder, for the duty of funder."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["person", "duty"], name="one_duty_each"),
        ]

    def __str__(self) -> str:
        return f"{self.person}: {self.get_duty_display()}"
