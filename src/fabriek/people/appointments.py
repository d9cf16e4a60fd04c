"""Give and take duties for the factory: staff, assessor, funder; done on the server."""

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fabriek.kernel import journal
from fabriek.kernel.errors import Invalid
from fabriek.people.models import Duty, Person

journal.describe(
    {
        "people.appoint": gettext_lazy("was given a duty for the factory"),
        "people.dismiss": gettext_lazy("no longer has a duty for the factory"),
    }
)


@transaction.atomic
def appoint(person: Person, *, duty: str, funder_code: str = "") -> Duty:
    """Give `person` a duty; a second time only the funder changes.

    Raises:
        Invalid: there is no such duty, or a funder is missing or out of place.
    """
    if duty not in Duty.Kind.values:
        raise Invalid(
            _("There is no duty “%(duty)s”. Choose one of: %(duties)s.")
            % {"duty": duty[:40], "duties": ", ".join(Duty.Kind.values)}
        )
    if (duty == Duty.Kind.FUNDER) != bool(funder_code):
        raise Invalid(_("A funder needs the code of the funder, and nobody else does."))
    row, is_new = Duty.objects.get_or_create(
        person=person, duty=duty, defaults={"funder_code": funder_code}
    )
    if row.funder_code != funder_code:
        Duty.objects.filter(pk=row.pk).update(funder_code=funder_code)
        row.funder_code = funder_code
    if is_new:
        journal.record("people.appoint", person, by=None, duty=duty)
    return row


@transaction.atomic
def dismiss(person: Person, *, duty: str) -> None:
    """Take a duty away; what is not there stays not there."""
    gone, _rows = Duty.objects.filter(person=person, duty=duty).delete()
    if gone:
        journal.record("people.dismiss", person, by=None, duty=duty)
