"""The people and organisations of the demo, with passwords kept beside its data."""

import json
import os
import secrets
from dataclasses import dataclass

from allauth.account.models import EmailAddress
from django.conf import settings
from django.db import transaction

from fabriek.demo import story
from fabriek.people import actions, appointments
from fabriek.people.models import Organisation, Person

SIGN_INS = "demo-sign-ins.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Cast:
    applicant: Person
    partner: Person
    staff: Person
    assessor: Person
    funder: Person
    company: Organisation
    institute: Organisation


def gather() -> Cast:
    """Find everybody, or make them; the second time nothing is made."""
    passwords = sign_ins()
    people = {role.key: _person(role, passwords[role.email]) for role in story.ROLES}
    return Cast(
        **people,
        company=_organisation(story.COMPANY, people["applicant"]),
        institute=_organisation(story.INSTITUTE, people["partner"]),
    )


def sign_ins() -> dict[str, str]:
    """Give each e-mail address its password: random, made once, for the owner's eyes only."""
    path = settings.HOME / SIGN_INS
    if path.exists():
        kept: dict[str, str] = json.loads(path.read_text())
        return kept
    made = {role.email: secrets.token_urlsafe(9) for role in story.ROLES}
    part = path.with_suffix(".part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(made, file, indent=2)
    part.replace(path)
    return made


@transaction.atomic
def _person(role: story.Role, password: str) -> Person:
    person = Person.objects.filter(email=role.email).first()
    if person is None:
        person = Person.objects.create_user(role.email, password, name=role.name)
    elif not person.check_password(password):
        person.set_password(password)
        person.save(update_fields=["password"])
    EmailAddress.objects.get_or_create(
        user=person, email=role.email, defaults={"verified": True, "primary": True}
    )
    if role.duty:
        appointments.appoint(person, duty=role.duty, funder_code=role.funder_code)
    return person


def _organisation(firm: story.Firm, lead: Person) -> Organisation:
    found = Organisation.objects.filter(kvk_number=firm.kvk_number).first()
    return found or actions.register_organisation(
        by=lead,
        name=firm.name,
        kvk_number=firm.kvk_number,
        kind=firm.kind,
        country="NL",
        region=firm.region,
        staff_count=firm.staff_count,
        turnover_eur=firm.turnover_eur,
        balance_eur=firm.balance_eur,
    )
