"""`fabriek doctor`: say what is missing and how to mend it."""

import sys

from django.core.management.base import BaseCommand
from rich.console import Console

from fabriek.serve import doctor

SIGNS = {
    "good": "[green]good    [/]",
    "lacking": "[red]lacking [/]",
    "optional": "[dim]absent  [/]",
}


class Command(BaseCommand):
    help = "Say what this machine lacks, and how to mend it."

    def handle(self, *_args: object, **_options: object) -> None:
        console = Console()
        findings = doctor.examine()
        for finding in findings:
            console.print(f"{SIGNS[finding.verdict]} {finding.what}: {finding.said}")
            if finding.verdict != "good":
                console.print(f"         [bold]{finding.mend}[/]")
        sys.exit(any(finding.verdict == "lacking" for finding in findings))
