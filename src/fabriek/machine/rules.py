"""Who may see how the machine's accounting and the ledger agree: staff of the factory."""

from django.utils.translation import gettext as _

from fabriek.kernel.errors import NotAllowed
from fabriek.people.models import Person


def require_staff(person: Person) -> None:
    if not person.is_factory_staff:
        raise NotAllowed(
            _(
                "Only staff of the factory see how the machine's accounting and the ledger "
                "agree. What your runs used stands on the page “GPU-hours”."
            )
        )


def require_staff_of_store(person: Person) -> None:
    if not person.is_factory_staff:
        raise NotAllowed(
            _(
                "Only staff of the factory see how whole the store is. Whether your own data "
                "is whole, you are told when you use it."
            )
        )
