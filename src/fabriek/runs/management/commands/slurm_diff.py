"""`fabriek slurm diff`: where Slurm's budgets differ from our books."""

import json
import sys
from argparse import ArgumentParser

from django.core.management.base import BaseCommand, CommandError

from fabriek.engines.base import EngineDown
from fabriek.engines.slurm_difference import Difference
from fabriek.kernel.errors import Refused
from fabriek.runs import budgets, drift_words

UNKNOWN = 2


class Command(BaseCommand):
    help = "Say where Slurm's budgets differ from ours; ends with 1 when they do, 2 if unknown."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", dest="as_json", help="for programs")

    def handle(self, *_args: object, as_json: bool, **_options: object) -> None:
        try:
            found = budgets.drift()
        except (Refused, EngineDown) as trouble:
            raise CommandError(str(trouble), returncode=UNKNOWN) from trouble
        if as_json:
            self.stdout.write(json.dumps([_shaped(one) for one in found], indent=1))
        else:
            self.stdout.write(in_words(found))
        sys.exit(bool(found))


def in_words(found: list[Difference]) -> str:
    """Say all of it, account by account."""
    if not found:
        return "Slurm and our books agree."
    lines: list[str] = []
    named = ""
    for one in sorted(found, key=lambda one: one.account):
        if one.account != named:
            named = one.account
            lines.append(named)
        said = drift_words.said(one)
        lines.append(f"  {said.what}: {said.slurm} in Slurm, {said.fabriek} in Fabriek")
        if said.mend:
            lines.append(f"    {said.mend}")
    return "\n".join(lines)


def _shaped(one: Difference) -> dict[str, object]:
    said = drift_words.said(one)
    return {
        "account": one.account,
        "kind": one.what.value,
        "user": one.user,
        "what": said.what,
        "in_slurm": said.slurm,
        "in_fabriek": said.fabriek,
        "can_be_mended": one.can_be_mended,
        "what_to_do": said.mend,
    }
