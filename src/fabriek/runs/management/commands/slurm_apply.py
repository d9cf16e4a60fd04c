"""`fabriek slurm apply`: make Slurm's budgets as our books are."""

import sys

from django.core.management.base import BaseCommand, CommandError

from fabriek.engines.base import EngineDown
from fabriek.kernel.errors import Refused
from fabriek.runs import budgets
from fabriek.runs.management.commands.slurm_diff import UNKNOWN, in_words


class Command(BaseCommand):
    help = "Make Slurm's budgets as ours are, and say what is left; ends with 1 if any is."

    def handle(self, *_args: object, **_options: object) -> None:
        try:
            found = budgets.drift()
            self.stdout.write(in_words(found))
            if not found:
                return
            if not any(one.can_be_mended for one in found):
                self.stdout.write("\nNone of it is ours to mend.")
                sys.exit(1)
            left = budgets.mend()
        except (Refused, EngineDown) as trouble:
            raise CommandError(str(trouble), returncode=UNKNOWN) from trouble
        self.stdout.write("")
        if left:
            self.stdout.write(f"Left after mending:\n{in_words(left)}")
            sys.exit(1)
        self.stdout.write(f"All of it was mended ({len(found)}).")
