"""`python -m fabriek loop`: follow runs, register models, mail, for ever."""

from argparse import ArgumentParser

from django.core.management.base import BaseCommand

from fabriek.serve import isolation, loop


class Command(BaseCommand):
    help = "Run the loop that talks to the engine. One is enough; two do no harm."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="make one pass and stop")
        parser.add_argument("--parent", type=int, help="stop when this process is gone")

    def handle(
        self, *_args: object, once: bool, parent: int | None, **_options: object
    ) -> None:
        isolation.close_doors()
        if once:
            loop.one_pass()
        else:
            loop.forever(parent=parent)
