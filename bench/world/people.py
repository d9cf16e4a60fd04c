"""Persons, their organisations, and the few who work for the factory or its funders."""

from dataclasses import dataclass

from bench.world.size import Making, keep
from fabriek.people.models import Duty, Membership, Organisation, Person

KINDS = ("sme", "startup", "scale_up", "large", "public", "knowledge")
REGIONS = ("Groningen", "Drenthe", "Friesland", "Utrecht", "Noord-Brabant")
STEP = 389  # no divisor of the number of organisations: spreads people over all of them


@dataclass(frozen=True, kw_only=True, slots=True)
class People:
    persons: list[Person]
    organisations: list[Organisation]
    staff: Person
    assessors: list[Person]
    funder: Person

    @property
    def applicant(self) -> Person:
        """The lead of the first organisation, which has several cases."""
        return self.persons[0]

    def lead_of(self, organisation: Organisation) -> Person:
        return self.persons[organisation.pk - self.organisations[0].pk]


def make(making: Making) -> People:
    size = making.size
    persons = keep(Person, (_person(f"person{n}", f"Persoon {n}") for n in range(size.persons)))
    organisations = keep(Organisation, (_organisation(n) for n in range(size.organisations)))
    keep(Membership, _memberships(persons, organisations, size.memberships_each))
    staff, assessor, second, funder = keep(
        Person,
        (_person(name, name.title()) for name in ("staff", "assessor", "second", "funder")),
    )
    keep(
        Duty,
        [
            Duty(person=staff, duty="staff"),
            Duty(person=assessor, duty="assessor"),
            Duty(person=second, duty="assessor"),
            Duty(person=funder, duty="funder", funder_code="state"),
        ],
    )
    return People(
        persons=persons,
        organisations=organisations,
        staff=staff,
        assessors=[assessor, second],
        funder=funder,
    )


def _person(word: str, name: str) -> Person:
    return Person(email=f"{word}@example.org", name=name, password="!")  # noqa: S106  no password


def _organisation(number: int) -> Organisation:
    return Organisation(
        name=f"Organisatie {number} B.V.",
        kvk_number=f"{10_000_000 + number}",
        kind=KINDS[number % len(KINDS)],
        region=REGIONS[number % len(REGIONS)],
        staff_count=5 + number % 400,
        turnover_eur=1_000_000 + number * 50_000,
        balance_eur=800_000 + number * 40_000,
    )


def _memberships(persons: list[Person], organisations: list[Organisation], each: int):
    for number, person in enumerate(persons):
        for turn in range(each):
            place = (number + turn * STEP) % len(organisations)
            is_lead = turn == 0 and number < len(organisations)
            yield Membership(
                organisation=organisations[place],
                person=person,
                role="lead" if is_lead else "member",
            )
