"""A letter, and the addresses that it goes to."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings

from fabriek.people.models import Duty, Membership, Person, Role


@dataclass(frozen=True, kw_only=True, slots=True)
class Letter:
    to: tuple[str, ...]
    subject: str
    text: str


def leads(*organisation_ids: int) -> tuple[str, ...]:
    return addresses(
        Membership.objects.filter(
            organisation__in=organisation_ids, role=Role.LEAD, person__is_active=True
        ).values_list("person__email", flat=True)
    )


def with_duty(duty: Duty.Kind) -> tuple[str, ...]:
    people = Person.objects.filter(duty__duty=duty, is_active=True)
    return addresses(people.values_list("email", flat=True))


def addresses(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(found)))


def address(path: str) -> str:
    return f"{settings.FACTORY_URL}{path}"
