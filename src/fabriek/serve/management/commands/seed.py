"""`python -m fabriek seed`: fill in what a factory starts with; safe to repeat."""

from django.core.management.base import BaseCommand

from fabriek.serve.seed import seed_all


class Command(BaseCommand):
    help = "Put sectors, access modes, forms, funders and shares into the database."

    def handle(self, *_args: object, **_options: object) -> None:
        seed_all()
