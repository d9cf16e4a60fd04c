"""`python -m fabriek appoint EMAIL DUTY`: who works for the factory, said on the server."""

from argparse import ArgumentParser

from django.core.management.base import BaseCommand, CommandError

from fabriek.allocations.models import Funder
from fabriek.kernel.errors import Refused
from fabriek.people import appointments
from fabriek.people.models import Duty, Person


class Command(BaseCommand):
    help = "Give somebody who has an account a duty for the factory, or take it away."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")
        parser.add_argument("duty", choices=Duty.Kind.values)
        parser.add_argument("--funder", default="", help="code of the funder, for a funder")
        parser.add_argument("--dismiss", action="store_true", help="take the duty away")

    def handle(
        self,
        *_args: object,
        email: str,
        duty: str,
        funder: str,
        dismiss: bool,
        **_options: object,
    ) -> None:
        person = Person.objects.filter(email=email.lower()).first()
        if person is None:
            raise CommandError(f"{email} has no account yet. Let them make one first.")
        try:
            if dismiss:
                appointments.dismiss(person, duty=duty)
            else:
                _require_known(funder)
                appointments.appoint(person, duty=duty, funder_code=funder)
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        duties = Person.objects.get(pk=person.pk).duties
        self.stdout.write(f"{person}: {', '.join(duties) or '-'}")


def _require_known(funder: str) -> None:
    """Refuse a code that no funder has: who got it would see nothing and not know why."""
    if not funder:
        return
    codes = list(Funder.objects.order_by("code").values_list("code", flat=True))
    if not codes:
        raise CommandError("There are no funders yet. Make them first: python -m fabriek seed")
    if funder not in codes:
        raise CommandError(f"There is no funder “{funder}”. Choose one of: {', '.join(codes)}.")
