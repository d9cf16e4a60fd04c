"""`fabriek slurm reconcile`: what the loop does by night, now."""

from argparse import ArgumentParser
from datetime import timedelta

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from fabriek.engines.base import EngineDown
from fabriek.machine import books, nightly
from fabriek.runs.engine import engine

UNKNOWN = 2
MOST_DAYS = 3660


class Command(BaseCommand):
    help = "Draw the machine's accounting again, and make every bill what it counted."

    def add_arguments(self, parser: ArgumentParser) -> None:
        days = nightly.DRAWS_AGAIN.days
        parser.add_argument("--days", type=int, default=days, help="how far back to draw")

    def handle(self, *_args: object, days: int, **_options: object) -> None:
        if not 1 <= days <= MOST_DAYS:
            raise CommandError(f"Choose from 1 to {MOST_DAYS} days.", returncode=UNKNOWN)
        now, machine = timezone.now(), engine()
        try:
            new = books.draw(machine, now)
            done = nightly.reconcile(machine, now, again=timedelta(days=days))
        except EngineDown as silence:
            raise CommandError(
                f"The machine does not answer; what was drawn before stays. {silence}",
                returncode=UNKNOWN,
            ) from silence
        self.stdout.write(
            f"{new + done.found_late} new lines of the machine's accounting; "
            f"{done.corrected} bills corrected."
        )
