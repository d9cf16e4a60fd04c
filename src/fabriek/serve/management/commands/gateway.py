"""`python -m fabriek gateway`: the way into interactive work, on loopback, for ever."""

from argparse import ArgumentParser

from django.core.management.base import BaseCommand

from fabriek.lab import addresses, gateway
from fabriek.runs import engine

PORTAL_PORT = 8000


class Command(BaseCommand):
    help = "Let people into their interactive work. One for each factory."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=addresses.port(beside=PORTAL_PORT))
        parser.add_argument("--parent", type=int, help="stop when this process is gone")

    def handle(
        self, *_args: object, host: str, port: int, parent: int | None, **_options: object
    ) -> None:
        gateway.serve(host=host, port=port, reach=engine.engine().reach, parent=parent)
