"""`python -m fabriek decisions --check`: prove that no decision about data was changed."""

import sys

from django.core.management.base import BaseCommand, CommandParser

from fabriek.agreements import decision_log
from fabriek.agreements.traces import Decided


class Command(BaseCommand):
    help = "Count the decisions about data; with --check, go through every chain of them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="look at every line")

    def handle(self, *_args: object, check: bool, **_options: object) -> None:
        count = Decided.objects.count()
        if not check:
            self.stdout.write(f"{count} decisions are written down. Prove them with --check.")
            return
        wrong = list(decision_log.broken())
        for one in wrong:
            self.stderr.write(one)
        if wrong:
            sys.exit(1)
        self.stdout.write(f"All {count} decisions fit together: none was changed or left out.")
