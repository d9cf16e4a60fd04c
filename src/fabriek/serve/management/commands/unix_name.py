"""`python -m fabriek unix_name EMAIL NAME`: who has which login on the cluster."""

from argparse import ArgumentParser

from django.core.management.base import BaseCommand, CommandError

from fabriek.kernel.errors import Refused
from fabriek.people import logins
from fabriek.people.models import Person


class Command(BaseCommand):
    help = "Say which login on the cluster somebody has, or that they have none any more."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")
        parser.add_argument("name", nargs="?", default="", help="their login on the cluster")
        parser.add_argument("--take-away", action="store_true", help="they have none any more")

    def handle(
        self, *_args: object, email: str, name: str, take_away: bool, **_options: object
    ) -> None:
        person = Person.objects.filter(email=email.lower()).first()
        if person is None:
            raise CommandError(f"{email} has no account yet. Let them make one first.")
        if name and take_away:
            raise CommandError("Give a login, or --take-away, and not both.")
        try:
            if take_away:
                logins.take_away(person)
            elif name:
                logins.give(person, name)
        except Refused as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(f"{person}: {person.unix_name or '-'}")
