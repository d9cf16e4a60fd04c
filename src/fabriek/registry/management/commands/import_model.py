"""`python -m fabriek import_model FOLDER`: bring in an open base model for everybody."""

from argparse import ArgumentParser
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Model as Row

from fabriek.kernel.errors import Refused
from fabriek.people.models import Organisation, Person
from fabriek.registry import actions


class Command(BaseCommand):
    help = "Bring in an open base model: a folder in Hugging Face format, as safetensors."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, help="where the model lies; it stays there")
        parser.add_argument("--title", required=True)
        parser.add_argument("--licence", required=True, help="such as apache-2.0")
        parser.add_argument("--organisation", required=True, help="KvK number of the owner")
        parser.add_argument(
            "--training-flop", type=float, help="what its makers say it took, such as 6.4e22"
        )
        parser.add_argument("--by", required=True, help="e-mail address of somebody of staff")

    def handle(self, *_args: object, **options: object) -> None:
        folder, kvk, email = (options[name] for name in ("folder", "organisation", "by"))
        if not isinstance(folder, Path) or not folder.is_dir():
            raise CommandError(f"{folder} is not a folder. Name the folder of the model.")
        owner = Organisation.objects.registered_as(str(kvk)).first()
        person = Person.objects.filter(email__iexact=str(email)).first()
        _require(owner, f"no organisation has the KvK number {kvk}. Register it first.")
        _require(person, f"nobody here has the e-mail address {email}.")
        try:
            model = actions.bring_in(
                folder,
                title=str(options["title"]),
                licence=str(options["licence"]),
                organisation=owner,  # type: ignore[arg-type]
                by=person,  # type: ignore[arg-type]
                training_flop=options["training_flop"],  # type: ignore[arg-type]
            )
        except Refused as refusal:
            raise CommandError(
                " ".join([str(refusal), *map(str, refusal.fields.values())])
            ) from refusal
        self.stdout.write(f"{model.code} {model.title}")


def _require(found: Row | None, problem: str) -> None:
    if found is None:
        raise CommandError(f"Nothing was brought in: {problem}")
