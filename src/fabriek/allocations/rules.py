"""Who may grant GPU time, and when."""

from django.utils.translation import gettext as _

from fabriek.access.models import Decision
from fabriek.access.states import ApplicationState
from fabriek.cases.models import Case
from fabriek.kernel.errors import NotAllowed, WrongState
from fabriek.people.models import Person


def may_grant(person: Person, case: Case) -> bool:
    """Staff, unless their own organisation takes part in the case."""
    if not person.is_factory_staff:
        return False
    return not Case.objects.taken_part_in_by(person).filter(pk=case.pk).exists()


def require_grant(person: Person, decision: Decision) -> None:
    if not may_grant(person, decision.application.case):
        raise NotAllowed(
            _(
                "Only staff of the factory grant GPU-hours, and nobody grants them to a case "
                "of their own organisation. Ask a colleague at the factory."
            )
        )


def require_accepted(decision: Decision) -> None:
    if decision.application.state != ApplicationState.ACCEPTED:
        raise WrongState(
            _("The award of %(code)s was not accepted yet. The applicant has to accept it first.")
            % {"code": decision.application.code}
        )
