"""What several tests of this room start from."""

from fabriek.people.models import Membership
from tests.factories import a_case, a_decision, a_person, a_share, an_allocation, staff

__all__ = [
    "HOUR",
    "a_case",
    "a_decision",
    "a_person",
    "a_share",
    "an_allocation",
    "kinds",
    "left",
    "staff",
    "staff_in",
]
HOUR = 3600


def kinds(allocation):
    """Name the kinds of line in the ledger, in the order they were written."""
    return list(allocation.lines.order_by("pk").values_list("kind", flat=True))


def left(allocation):
    allocation.refresh_from_db()
    return allocation.gpu_seconds_left


def staff_in(organisation):
    """Make somebody of the factory who also works for this organisation."""
    person = staff()
    Membership.objects.create(organisation=organisation, person=person, role="member")
    return person
