"""`fabriek up`: the whole factory in one command."""

import sys
from argparse import ArgumentParser
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand

from fabriek.serve import isolation, supervisor

HERE = {"localhost", "127.0.0.1", "::1"}
HTTP = 80


class Command(BaseCommand):
    help = "Bring the database up to date, then serve the portal with its loop."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--threads", type=int, default=supervisor.THREADS)

    def handle(
        self, *_args: object, host: str, port: int, threads: int, **_options: object
    ) -> None:
        call_command("migrate", verbosity=0)
        call_command("seed")
        isolation.close_doors()
        for trouble in isolation.troubles():
            self.stderr.write(f"{trouble.what}: {trouble.said}. {trouble.mend}")
        self.stdout.write(
            f"{settings.FACTORY_NAME} serves http://{host}:{port} (its files: {settings.HOME})"
        )
        told = urlsplit(settings.FACTORY_URL)
        if told.hostname in HERE and (told.port or HTTP) != port:
            self.stderr.write(
                f"Links in mails begin with {settings.FACTORY_URL}, which is another port: set "
                f"FABRIEK_URL=http://localhost:{port}, or leave it out."
            )
        self.stdout.write("Stop it with Ctrl-C.")
        self.stdout.flush()
        sys.exit(supervisor.run(host=host, port=port, threads=threads))
