"""Who may read which report: staff all, a funder only their own."""

from django.utils.translation import gettext as _

from fabriek.allocations.models import Funder
from fabriek.kernel.errors import NotAllowed
from fabriek.people.models import Duty, Person


def may_read(person: Person, funder: Funder) -> bool:
    return person.is_factory_staff or person.duties.get(Duty.Kind.FUNDER) == funder.code


def require_read(person: Person, funder: Funder) -> None:
    if not may_read(person, funder):
        raise NotAllowed(_not_yours(person))


def require_any(person: Person) -> None:
    if not (person.is_factory_staff or person.is_funder):
        raise NotAllowed(_not_yours(person))


def _not_yours(person: Person) -> str:
    if person.is_funder:
        return _("This report is for another funder. Open your own report in the menu.")
    return _(
        "Reports are for the funders and the staff of the factory. What your organisation "
        "used stands on the page “GPU-hours”."
    )
